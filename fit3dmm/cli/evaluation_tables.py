"""What `fit3dmm evaluate` prints: tables that fit a terminal, and what has no score."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from fit3dmm.cli.console import console, printable, say
from fit3dmm.evaluate.protocol import Row, count_statuses
from fit3dmm.evaluate.run import Evaluation

_SHORT_NAME = 16


def print_evaluation(evaluation: Evaluation, name: str, out: Path) -> None:
    """The table of a benchmark, what has no score, and where results are."""
    screen = console()
    screen.print(table_of(name, evaluation.table))
    counts = count_statuses(evaluation.outcomes)
    reused = sum(outcome.reused for outcome in evaluation.outcomes)
    parts = ", ".join(f"{n} {what}" for what, n in counts.items())
    screen.print(f"{parts} ({reused} scores reused from an earlier run).")
    print_losses(screen, evaluation)
    if evaluation.submission:
        say(evaluation.submission)
    say(f"Results are in {out}.")


def print_losses(screen: Console, evaluation: Evaluation) -> None:
    """Which cases have no score, and why."""
    lost = [o for o in evaluation.outcomes if o.status in ("missing", "no face", "failed")]
    for outcome in lost[:10]:
        line = f"  {outcome.status}: {outcome.case.name}: {outcome.reason}"
        screen.print(printable(line), style="yellow")
    if len(lost) > 10:
        screen.print(f"  and {len(lost) - 10} more, all in cases.csv", style="yellow")
    if lost:
        screen.print(
            f"{len(lost)} cases have no score: the table is not comparable with complete ones.",
            style="bold yellow",
        )


def table_of(title: str, rows: list[Row]) -> Table:
    """A table with a column for each thing that some row tells."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    table = Table(title=title)
    for column in columns:
        # In a narrow terminal headings and long names wrap, but numbers and short names stay whole.
        cells = [_cell(row.get(column, "")) for row in rows]
        words = any(isinstance(row.get(column), str) for row in rows)
        widest = max([len(cell) for cell in cells] + [len(w) for w in column.split("_")])
        table.add_column(
            column.replace("_", " "),
            justify="left" if words else "right",
            min_width=None if words and widest > _SHORT_NAME else widest,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(_cell(row.get(column, "")) for column in columns))
    return table


def _cell(value: str | int | float) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def turned_table(title: str, heading: str, rows: list[Row]) -> Table:
    """A table with a line a number, for rows of many numbers; empty cells are numbers too."""
    names = [str(row[heading]) for row in rows]
    numbers = list(dict.fromkeys(n for row in rows for n in row if n != heading))
    lines: list[Row] = [
        {"": number.replace("_", " ")}
        | {name: row.get(number, "") for name, row in zip(names, rows, strict=True)}
        for number in numbers
    ]
    return table_of(title, lines)
