"""What the report on refining says in the documentation."""

from markdown_cells import markdown, number_text
from report import Report

MEASURES = ("face in the photo", "face with its expression", "face at rest")
COLUMNS = ("input", "result", "gain", "worse")
_COUNTS = ("input kept", "identity left")


def refine_table(report: Report) -> str:
    """Errors in mm before and after, and in how many pictures the result is worse."""
    rows = []
    for group, metrics in report.groups().items():
        by_name = {metric.name: metric for metric in metrics}
        n = by_name["pictures with a face"].value
        for measure in MEASURES:
            cells = [by_name[f"{measure}: {column}"].value for column in COLUMNS]
            worse = f"{round(cells[3] * n)} of {round(n)}"
            rows.append([f"{group}: {measure}", *map(number_text, cells[:3]), worse])
        for name in _COUNTS:
            share = f"{round(by_name[name].value * n)} of {round(n)}"
            rows.append([f"{group}: {name}", "", "", "", share])
    return markdown(["mm", "input", "result", "gain", "worse, or so many"], rows)
