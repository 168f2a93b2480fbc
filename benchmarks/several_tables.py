"""What the report on several photos says in the documentation."""

from collections.abc import Mapping

from known_points import POINTS
from markdown_cells import markdown, number_text
from paired import with_error
from report import Metric, Report

_COLUMNS = {
    "together": "together (mm)",
    "single fits": "mean of the single fits (mm)",
    "nearer than the best single fit": "nearer than the best of them",
    "excess left": "excess left",
    "time": "time, in single fits",
}
_SHARES = ("nearer than the best single fit", "excess left")


def several_table(report: Report) -> str:
    """NoW's median by the number of photos, on synthetic people."""
    metrics = {metric.name: metric for metric in report.groups()["synthetic"]}
    counts = [int(name.partition(":")[0]) for name in metrics if name.endswith(": together")]
    columns = {
        name: title
        for name, title in _COLUMNS.items()
        if any(f"{n}: {name}" in metrics for n in counts)
    }
    cells = []
    for n in counts:
        people = len(metrics[f"{n}: together"].cases)
        row = [f"{n} ({people} people)"]
        row += [_cell(metrics, f"{n}: {name}", name) for name in columns]
        cells.append(row)
    for name in ("mean face", "ceiling"):
        title = "the model's own ceiling" if name == "ceiling" else name
        value = _error_text(metrics[f"{name}: now_median_mm"])
        cells.append([title, value, *[""] * (len(columns) - 1)])
    return markdown(["photos", *columns.values()], cells)


def several_points_table(report: Report) -> str:
    """What five photos give when detectors err less; empty where that was not measured."""
    metrics = {metric.name: metric for metric in report.groups().get("points", ())}
    cells = []
    for points in POINTS:
        names = [name for name in metrics if name.startswith(f"{points}: ")]
        if names:
            cells.append([points, *(_error_text(metrics[name]) for name in names)])
    return markdown(["points", "5 photos together (mm)", "mean of the single fits (mm)"], cells)


def several_people_table(report: Report) -> str:
    """The real head and the public people."""
    cells = []
    groups = report.groups()
    head = {metric.name: metric for metric in groups.get("lee-perry-smith", ())}
    for n in (2, 5):
        if f"{n}: together" in head:
            values = (head[f"{n}: {name}"].value for name in ("together", "single fits"))
            together, single = (f"{value:.2f} mm" for value in values)
            cells.append([f"Lee Perry-Smith, {n} views", together, f"single fits {single}"])
    for metric in groups.get("two public people", ()):
        cells.append([f"two public people, {metric.name}", f"{metric.value:.2f} mm", ""])
    return markdown(["real people", "", ""], cells)


def _cell(metrics: Mapping[str, Metric], full: str, name: str) -> str:
    if full not in metrics:
        return ""
    metric = metrics[full]
    if name in _SHARES:
        return f"{100 * metric.value:.0f} %"
    return number_text(metric.value, 2) if name == "time" else _error_text(metric)


def _error_text(metric: Metric) -> str:
    error = metric.details.get("standard error")
    return number_text(metric.value) if error is None else with_error(metric.value, error)
