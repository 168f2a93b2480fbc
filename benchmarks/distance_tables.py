"""Tables of how far the camera is (`run_distance.py`)."""

from markdown_cells import markdown, metric_text, number_text
from paired import with_error
from report import Metric, Report


def perspective_table(report: Report) -> str:
    """What points can tell, by the distance and the turn of the head."""
    rows: dict[str, list[str]] = {}
    heads: list[str] = ["distance"]
    for metric in report.groups()["perspective"]:
        row, _, column = metric.name.partition(": ")
        rows.setdefault(row, [row]).append(metric_text(metric))
        heads += [column] if column not in heads else []
    return markdown(heads, list(rows.values()))


def distance_table(report: Report) -> str:
    """What the fit finds with more and with less known."""
    groups = {name: {m.name: m for m in metrics} for name, metrics in report.groups().items()}
    shown = {
        "renders": ("distance", "distance, mean error", "sigma"),
        "jon": ("distance", "focal length", "focal length, mean error", "sigma"),
    }
    present = {group: numbers for group, numbers in shown.items() if group in groups}
    methods = dict.fromkeys(
        name.partition(": ")[0] for group in present for name in groups[group] if ": " in name
    )
    heads = ["error (%)", *(f"{group}, {name}" for group in present for name in present[group])]
    rows = [
        [method]
        + [
            _cell(groups[group].get(f"{method}: {number}"))
            for group, numbers in present.items()
            for number in numbers
        ]
        for method in methods
    ]
    return markdown(heads, rows)


def _cell(metric: Metric | None) -> str:
    if metric is None:
        return ""
    error = metric.details.get("standard error")
    return number_text(metric.value) if error is None else with_error(metric.value, error)
