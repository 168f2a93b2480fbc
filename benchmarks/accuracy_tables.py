"""What reports on accuracy and ablation say in the documentation."""

from markdown_cells import markdown, number_text
from paired import chance, with_error
from report import Metric, Report


def accuracy_table(report: Report) -> str:
    """The few numbers that say most, a row a method."""
    rows = []
    for key, title in _methods(report):
        cells = [_with_error(report[f"{key}: {number}"]) for number in _HEADLINE]
        rows.append([title, *cells, number_text(report[f"{key}: cases"].value)])
    return markdown(["synthetic faces", *_HEADLINE.values(), "faces"], rows)


def accuracy_numbers_table(report: Report) -> str:
    """Every number of every method, and of our fit on people of the model itself."""
    groups = report.groups()
    columns = [(title, "held-out", key) for key, title in _methods(report)]
    if "in-model" in groups:
        columns.append(("our fit, in-model", "in-model", columns[0][2]))
    found = [
        {
            metric.name.removeprefix(f"{key}: "): metric
            for metric in groups.get(group, [])
            if metric.name.startswith(f"{key}: ")
        }
        for _, group, key in columns
    ]
    cells = [
        [f"`{number}`", *(_with_error(of[number]) if number in of else "" for of in found)]
        for number in found[0]
        if found[0][number].cases
    ]
    cells.append(["faces", *(number_text(of["cases"].value) for of in found)])
    return markdown(["", *(title for title, _, _ in columns)], cells)


def accuracy_groups_table(report: Report) -> str:
    """Our fit by skin tone, turn of the head, focal length, occlusion and expression."""
    rows: dict[str, dict[str, str]] = {}
    for metric in report.groups()["by group"]:
        row, _, number = metric.name.partition(": ")
        text = _with_error(metric) if metric.cases else number_text(metric.value)
        rows.setdefault(row, {})[number] = text
    numbers = [number for number in next(iter(rows.values())) if number != "cases"]
    cells = [[row, *(of[number] for number in numbers), of["cases"]] for row, of in rows.items()]
    return markdown(["our fit", *(f"`{number}`" for number in numbers), "faces"], cells)


def ablation_table(report: Report) -> str:
    """The default, then what changes without each part; bold beyond chance."""
    numbers = [m.name.partition(": ")[2] for m in report.groups()["default"] if m.cases]
    rows = []
    for metric in report.metrics:
        name, _, number = metric.name.partition(": ")
        if number == "cases" and metric.value and metric.group not in _SETS:
            cells = [_change(report[f"{name}: {each}"]) for each in numbers]
            seconds = number_text(report[f"{name}: seconds"].value, 2)
            rows.append([name, *cells, seconds, number_text(metric.value)])
    titles = [f"`{number}`" for number in numbers]
    return markdown(["", *titles, "seconds", "faces"], rows)


def ablation_sets_table(report: Report) -> str:
    """The same on other people, a few numbers of each set."""
    groups = report.groups()
    sets = [name for name in _SETS if name in groups]
    if not sets:
        return "The committed report has none of these sets.\n"
    by_name = {name: {metric.name: metric for metric in groups[name]} for name in sets}
    columns = [
        (name, number)
        for name in sets
        for number in _SET_NUMBERS
        if any(metric.name.endswith(f": {number}") for metric in groups[name])
    ]
    variants = dict.fromkeys(
        metric.name.partition(": ")[0]
        for name in sets
        for metric in groups[name]
        if metric.name.endswith(": cases") and metric.value
    )
    cells = [
        [
            variant,
            *(_change_of(by_name[name].get(f"{variant}: {number}")) for name, number in columns),
        ]
        for variant in variants
    ]
    titles = [f"{_SETS[name]}, {_SET_NUMBERS[number]}" for name, number in columns]
    counted = [f"{_SETS[name]}: {number_text(groups[name][0].value)}" for name in sets]
    return markdown([f"faces of {', '.join(counted)}", *titles], cells)


_SETS = {"ict": "ICT's people", "lee-perry-smith": "Lee Perry-Smith", "jon": "jon"}
_SET_NUMBERS = {
    "now_median_mm": "NoW median (mm)",
    "nme_percent": "landmarks (%)",
    "distance_percent": "distance (%)",
    "focal_percent": "focal length (%)",
}
_METHODS = {
    "default": "our fit",
    "landmarks": "landmarks only",
    "adam": "Adam in place of our solver",
    "mean face": "mean face",
}
_HEADLINE = {
    "now_median_mm": "NoW median (mm)",
    "neutral_mm": "vertices (mm)",
    "nme_percent": "landmarks (%)",
    "rotation_deg": "rotation (deg)",
    "distance_percent": "distance (%)",
}


def _methods(report: Report) -> list[tuple[str, str]]:
    """What was compared on the held-out set, and what to call it."""
    names = {metric.name.partition(": ")[0] for metric in report.groups()["held-out"]}
    return [(key, title) for key, title in _METHODS.items() if key in names]


def _with_error(metric: Metric) -> str:
    """Without a standard error where there is a single case."""
    if "standard error" not in metric.details:
        return number_text(metric.value)
    return with_error(metric.value, metric.details["standard error"])


def _change_of(metric: Metric | None) -> str:
    return "" if metric is None else _change(metric)


def _change(metric: Metric) -> str:
    if "difference" not in metric.details:
        return _with_error(metric)
    difference = metric.details["difference"]
    error = metric.details["standard error of the difference"]
    text = with_error(difference, error, "+")
    return f"**{text}**" if abs(difference) > chance(error, len(metric.cases)) else text
