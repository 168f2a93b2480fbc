"""What the report on the regressor says in the documentation."""

from markdown_cells import markdown, metric_text, number_text
from real_tables import by_row, cell
from report import Metric, Report

_SETS = {
    "renders": "renders",
    "ict": "ICT's people",
    "traced": "traced photos",
    "jon": "jon",
    "lee-perry-smith": "Lee Perry-Smith",
    "aflw2000": "AFLW2000-3D",
}
_METHODS = {
    "mean face": "mean face, put in place",
    "regressor alone": "the network alone, no fit",
    "MediaPipe": "fit without the network",
    "network": "fit without MediaPipe's points",
    "both": "our fit (both)",
}
_NUMBERS = {
    "now_mean_mm": "NoW mean (mm)",
    "rotation_deg": "rotation (deg)",
    "distance_percent": "distance (%)",
    "nme_percent": "68 landmarks (%)",
    "nme_again_percent": "68 landmarks, re-annotated (%)",
    "beats_mean_share": "nearer than the mean face",
}
_SHAPE = "now_median_mm"
_DETECTORS = ("MediaPipe", "network")


def regressor_table(report: Report) -> str:
    """The error of the shape, a row a method; where no shape is known, that of landmarks."""
    groups = _sets(report)
    head, columns = ["NoW median (mm)"], []
    for group in groups:
        has_shape = f"both: {_SHAPE}" in {metric.name for metric in groups[group]}
        columns.append((group, _SHAPE if has_shape else "nme_percent"))
        head.append(_SETS[group] if has_shape else f"{_SETS[group]}, 68 landmarks (%)")
    rows = [
        [title, *(cell(by_row(groups[g]).get(method, {}), number) for g, number in columns)]
        for method, title in _METHODS.items()
    ]
    rows.append(["photos", *(number_text(_count(groups[g], "cases")) for g, _ in columns)])
    return markdown(head, rows)


def regressor_numbers_table(report: Report) -> str:
    """The other numbers, a column a method."""
    rows = []
    for group, metrics in _sets(report).items():
        of_method = by_row(metrics)
        for number, title in _NUMBERS.items():
            cells = [cell(of_method.get(method, {}), number) for method in _METHODS]
            if any(cells):
                rows.append([f"{_SETS[group]}, {title}", *cells])
    return markdown(["", *_METHODS.values()], rows)


def regressor_groups_table(report: Report) -> str:
    """The default fit against the mean face by bins."""
    rows = []
    for group, title in _SETS.items():
        for bin_, numbers in by_row(report.groups().get(f"{group}, by group", [])).items():
            names = ("both, now_median_mm", "mean face, now_median_mm", "beats_mean_share")
            cells = [cell(numbers, name) for name in names]
            rows.append([f"{title}, {bin_}", *cells, number_text(numbers["cases"].value)])
    head = ["", "our fit, NoW median (mm)", "mean face", "share nearer", "photos"]
    return markdown(head, rows)


def regressor_points_table(report: Report) -> str:
    """How far both detectors' points are off, by bins."""
    rows = []
    for group, title in _SETS.items():
        for bin_, numbers in by_row(report.groups().get(f"{group}, points", [])).items():
            names = [
                *(f"{detector}, error_percent" for detector in _DETECTORS),
                *(f"{detector}, failed_share" for detector in _DETECTORS),
                "network, told_in_1_share",
                "network, told_in_2_share",
                "lost_share",
            ]
            cells = [cell(numbers, name) for name in names]
            rows.append([f"{title}, {bin_}", *cells, number_text(numbers["photos"].value)])
    head = [
        "478 points",
        *(f"{detector}, error (%)" for detector in _DETECTORS),
        *(f"{detector}, failures" for detector in _DETECTORS),
        "within 1 sigma",
        "within 2 sigmas",
        "no face found",
        "photos",
    ]
    return markdown(head, rows)


def regressor_starts_table(report: Report) -> str:
    """How far the network's face is on the way."""
    rows = []
    for group, title in _SETS.items():
        metrics = {one.name: one for one in report.groups().get(f"{group}, starts", [])}
        if metrics:
            names = ("half_steps_share", "as_low_share")
            numbers = by_row(list(metrics.values()))
            cells = [cell(numbers["from the network"], name) for name in names]
            steps = number_text(metrics["from the landmarks: steps"].value)
            rows.append([title, *cells, steps, number_text(metrics["cases"].value)])
    head = ["", "as low in half the steps", "as low at all", "steps from the landmarks", "photos"]
    return markdown(head, rows)


def regressor_time_table(report: Report) -> str:
    """What the look costs."""
    rows = [[metric.name, metric_text(metric)] for metric in report.groups().get("time", [])]
    return markdown([f"one core, {report.machine['processor']}", ""], rows)


def _sets(report: Report) -> dict[str, list[Metric]]:
    """The sets that were measured and on which something was fitted."""
    groups = report.groups()
    return {
        group: groups[group]
        for group in _SETS
        if group in groups and _count(groups[group], "cases")
    }


def _count(metrics: list[Metric], name: str) -> float:
    return next(metric.value for metric in metrics if metric.name == name)
