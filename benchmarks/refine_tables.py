"""What the report on refining says in the documentation."""

from markdown_cells import markdown, number_text
from report import Report

MEASURES = ("face in the photo", "face with its expression", "face at rest")
COLUMNS = ("input", "result", "gain", "worse")
SIGNS_GROUP = "signs, "
"""Before the name of what was refined."""
_COUNTS = ("input kept", "expression left", "identity left")


def refine_table(report: Report) -> str:
    """Errors in mm before and after, and in how many pictures the result is worse."""
    rows = []
    for group, metrics in report.groups().items():
        if group.startswith(SIGNS_GROUP):
            continue
        by_name = {metric.name: metric for metric in metrics}
        n = by_name["pictures with a face"].value
        for measure in MEASURES:
            cells = [by_name[f"{measure}: {column}"].value for column in COLUMNS]
            worse = f"{round(cells[3] * n)} of {round(n)}"
            rows.append([f"{group}: {measure}", *map(number_text, cells[:3]), worse])
        for name in (name for name in _COUNTS if name in by_name):
            share = f"{round(by_name[name].value * n)} of {round(n)}"
            rows.append([f"{group}: {name}", "", "", "", share])
    return markdown(["mm", "input", "result", "gain", "worse, or so many"], rows)


def refine_signs_table(report: Report) -> str:
    """What rules by each sign could reach, of the first source."""
    groups = report.groups()
    name = next((name for name in groups if name.startswith(SIGNS_GROUP)), None)
    if name is None:
        return "The committed report has none of these.\n"
    n = round(groups[name.removeprefix(SIGNS_GROUP)][0].value)
    rows: dict[str, dict[str, float]] = {}
    for metric in groups[name]:
        rule, _, number = metric.name.partition(": ")
        rows.setdefault(rule, {})[number] = metric.value
    cells = [
        [
            rule,
            *(f"{round(found[number] * n)} of {n}" for number in ("taken", "worse")),
            number_text(found["gain"]),
            number_text(found["area"]) if "area" in found else "",
        ]
        for rule, found in rows.items()
    ]
    return markdown(["step", "taken", "worse by it", "gain (mm)", "area under ROC"], cells)
