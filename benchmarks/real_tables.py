"""What the report on real people says in the documentation."""

from collections.abc import Mapping

from markdown_cells import markdown, number_text
from paired import with_error
from report import Metric, Report

_NAMES = {"default": "our fit", "focal known": "our fit, focal length known"}
_HEADS = {"jon": "jon", "lee-perry-smith": "Lee Perry-Smith"}
_HEAD_COLUMNS = {
    "now_median_mm": "NoW median (mm)",
    "now_mean_mm": "NoW mean (mm)",
    "distance_percent": "distance (%)",
    "focal_percent": "focal length (%)",
}
_PEOPLE_ROWS = {
    "auc_shape": "same person by shape, ROC AUC",
    "rank1_shape": "same person by shape, rank-1",
    "auc_coefficients": "same person by coefficients, ROC AUC",
    "rank1_coefficients": "same person by coefficients, rank-1",
    "leak_mm": "the smile in the neutral face (mm)",
    "leak_mouth_mm": "the same around the mouth (mm)",
    "wider_mm": "mouth wider (mm)",
    "higher_mm": "its corners higher (mm)",
    "tone_within": "colours of one person apart (CIE 1976)",
    "tone_between": "colours of two people apart",
    "corners_percent": "corners of eyes and mouth (%)",
    "called_good": "called good",
}


def real_heads_table(report: Report) -> str:
    """NoW's distances on scanned heads, and the distance of the camera."""
    groups = report.groups()
    heads = {group: title for group, title in _HEADS.items() if group in groups}
    rows = dict.fromkeys(name for group in heads for name, _ in by_row(groups[group]).items())
    columns = [
        (group, number, f"{title}, {column}")
        for group, title in heads.items()
        for number, column in _HEAD_COLUMNS.items()
        if any(metric.name.endswith(f": {number}") for metric in groups[group])
    ]
    cells = [
        [
            _NAMES.get(name, name),
            *(cell(by_row(groups[group]).get(name, {}), number) for group, number, _ in columns),
        ]
        for name in rows
    ]
    return markdown(["real heads", *(title for _, _, title in columns)], cells)


def real_people_table(report: Report) -> str:
    """What two photos of each person say, a column a method."""
    of_method = by_row(report.groups()["london"])
    cells = [
        [title, *(cell(numbers, number) for numbers in of_method.values())]
        for number, title in _PEOPLE_ROWS.items()
    ]
    people = number_text(report.groups()["london"][0].value)
    names = [_NAMES.get(name, name) for name in of_method]
    return markdown([f"{people} real people", *names], cells)


def real_views_table(report: Report) -> str:
    """The default fit by turn of the head and by distance."""
    rows = []
    for group, title in _HEADS.items():
        for view, numbers in by_row(report.groups().get(f"{group}, by view", [])).items():
            rows.append(
                [
                    f"{title}, {view}",
                    cell(numbers, "default, now_median_mm"),
                    cell(numbers, "mean face, now_median_mm"),
                    cell(numbers, "default, distance_percent"),
                    cell(numbers, "focal known, distance_percent"),
                    number_text(numbers["cases"].value),
                ]
            )
    titles = [
        "our fit, NoW median (mm)",
        "mean face",
        "too far (%)",
        "focal length known",
        "photos",
    ]
    return markdown(["views of real heads", *titles], rows)


def by_row(metrics: list[Metric]) -> dict[str, dict[str, Metric]]:
    """Metrics named `row: number`."""
    rows: dict[str, dict[str, Metric]] = {}
    for metric in metrics:
        row, colon, number = metric.name.partition(": ")
        if colon:
            rows.setdefault(row, {})[number] = metric
    return rows


def cell(numbers: Mapping[str, Metric], number: str) -> str:
    """A number with its standard error; empty where there is none."""
    if number not in numbers:
        return ""
    metric = numbers[number]
    if "standard error" not in metric.details:
        return number_text(metric.value)
    return with_error(metric.value, metric.details["standard error"])
