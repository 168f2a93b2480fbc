"""Tables of what tracks are worth."""

from markdown_cells import markdown, metric_text, number_text
from report import Report

_COLUMNS = (
    "turn about its mean (deg)",
    "turn, jitter (deg)",
    "place across, jitter (mm)",
    "expression (mm)",
    "expression, jitter (mm)",
)


def track_table(report: Report) -> str:
    """Errors of the track, of tracks by other settings, and of frames taken as photos."""
    rows = {}
    for metric in report.groups()["errors"]:
        name, _, column = metric.name.partition(": ")
        rows.setdefault(name, {})[column] = metric
    cells = []
    for name, found in rows.items():
        numbers = [number_text(found[column].value) for column in _COLUMNS]
        cells.append([name, *numbers, metric_text(found["solver"])])
    return markdown(["", *_COLUMNS, "processor time a frame"], cells)


def track_time_table(report: Report) -> str:
    """Where the time of a frame goes."""
    rows = [[metric.name, metric_text(metric)] for metric in report.groups()["time"]]
    return markdown(["one core", report.machine["processor"]], rows)
