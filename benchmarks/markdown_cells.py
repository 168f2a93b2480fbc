"""Metrics as cells of tables in Markdown."""

from collections.abc import Sequence

from report import Metric


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in a page."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


def metric_text(metric: Metric) -> str:
    """Value and unit."""
    if metric.unit == "s" and metric.value < 0.2:
        return f"{number_text(1e3 * metric.value, 2)} ms"
    digits = 2 if metric.unit in ("s", "times") else 3
    return f"{number_text(metric.value, digits)} {metric.unit}"


def number_text(value: float, digits: int = 3) -> str:
    """Rounded to significant digits, without an exponent."""
    return f"{float(f'{value:.{digits}g}'):,.10g}"
