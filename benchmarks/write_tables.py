"""Write the committed figures into the documentation.

    python benchmarks/write_tables.py [--check]

Between `<!-- table: NAME -->` and `<!-- end table -->` in README.md and docs/*.md stands what the
function TABLES[NAME] makes of benchmarks/results/*.json. --check writes nothing and exits with 1
where a file is behind.
"""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from accuracy_tables import (
    ablation_sets_table,
    ablation_table,
    accuracy_groups_table,
    accuracy_numbers_table,
    accuracy_table,
)
from distance_tables import distance_table, perspective_table
from markdown_cells import markdown, metric_text, number_text
from real_tables import real_heads_table, real_people_table, real_views_table
from refine_tables import refine_signs_table, refine_table
from regressor_tables import (
    regressor_groups_table,
    regressor_numbers_table,
    regressor_points_table,
    regressor_starts_table,
    regressor_table,
    regressor_time_table,
)
from report import REPOSITORY, Metric, Report, read_report
from several_tables import several_people_table, several_points_table, several_table
from track_tables import track_table, track_time_table
from uncertainty_tables import uncertainty_table

RESULTS = Path(__file__).resolve().parent / "results"
_MARKED = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end table -->)", re.DOTALL)


def documents() -> list[Path]:
    """Every page that may hold a table."""
    return [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]


def with_tables(text: str) -> str:
    """A page with its tables made anew.

    Raises:
        KeyError: a marker names a table that there is none of.
    """
    return _MARKED.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], text)


def grouped_table(report: Report) -> str:
    """All groups of a report; metrics named `row: column` share a row."""
    return "\n".join(_group_table(name, group) for name, group in report.groups().items())


def model_table() -> str:
    """Everything about Commons."""
    return grouped_table(_result("model"))


def conversion_table() -> str:
    """How well ICT-FaceKit becomes a whole model."""
    report = _result("conversion")
    rows = [[metric.name, metric_text(metric)] for metric in report.metrics]
    return markdown(["ICT-FaceKit Light, all of it", ""], rows)


def fit_table() -> str:
    """What a fit costs, and what other ways to the same energy cost."""
    report = _result("fit")
    ratio = next(m for m in report.metrics if m.name.startswith("one process / "))
    many = [m for m in report.metrics if m.name.startswith("time a photo of")][-1]
    rows = [
        ["finding the face, crop, skin", metric_text(report["observe (detect, crop, skin)"])],
        ["fit of the face", metric_text(report["fit"])],
        ["the same, from landmarks alone", metric_text(report["fit, landmarks only"])],
        [f"{many.name} (with their faces found)", metric_text(many)],
        ["gain by the second process", f"{ratio.value:.1f} times"],
        ["memory", metric_text(report["peak memory"])],
    ]
    for name in ("Adam", "L-BFGS"):
        ratio = report[f"{name} / Levenberg-Marquardt"]
        least = "at least " if ratio.note else ""
        rows.append(
            [f"{name} to the same energy as our solver", f"{least}{metric_text(ratio)} as long"]
        )
    return markdown(["one core, default settings", report.machine["processor"]], rows)


def scoring_table() -> str:
    """How long cases of NoW's size take."""
    report = _result("scoring")
    names = ("a later case, median", "100 later cases, processor time")
    return markdown(
        ["scoring for NoW, one core", ""], [[name, metric_text(report[name])] for name in names]
    )


def render_table() -> str:
    """Processor time of the steps of a picture, and of a rival's, by the size of the picture."""
    report = _result("render")
    sizes = (224, 512, 1024)
    rows = {
        "rasterise, forward": "cpu rasterise, forward",
        "rasterise, backward": "cpu rasterise, backward",
        "picture with silhouettes, forward": "cpu picture, forward",
        "picture with silhouettes, backward": "cpu picture, backward",
        f"DEODR {report.versions.get('deodr', '')}, forward": "deodr picture, forward",
        f"DEODR {report.versions.get('deodr', '')}, backward": "deodr picture, backward",
    }
    cells = []
    for title, name in rows.items():
        times = [report[f"{size} px x 1: {name}"].details["processor"] for size in sizes]
        cells.append([title, *(f"{time:.1f}" for time in times)])
    for way in ("forward", "backward"):
        ratios = [report[f"{size} px x 1: deodr / cpu picture, {way}"].value for size in sizes]
        cells.append([f"DEODR / ours, {way}", *(f"{ratio:.1f} times" for ratio in ratios)])
    return markdown(["ms", *(f"{size} px" for size in sizes)], cells)


def silhouette_table() -> str:
    """Share of the silhouette that has a derivative."""
    report = _result("render")
    rows = []
    meshes = (("cap", "cap of 70,688 triangles"), ("commons", "Commons, 127,040 triangles"))
    for key, title in meshes:
        for size in (224, 1024):
            start = f"{key}, {size} px: silhouette seen, "
            shares = (report[start + rule].value for rule in ("pixel-driven", "edge-driven (ours)"))
            rows.append([title, f"{size} px", *(f"{share:.1f} %" for share in shares)])
    return markdown(["mesh", "picture", "pixel-driven", "ours"], rows)


TABLES: dict[str, Callable[[], str]] = {
    "ablation": lambda: ablation_table(_result("ablation")),
    "ablation-sets": lambda: ablation_sets_table(_result("ablation")),
    "accuracy": lambda: accuracy_table(_result("accuracy")),
    "accuracy-groups": lambda: accuracy_groups_table(_result("accuracy")),
    "accuracy-numbers": lambda: accuracy_numbers_table(_result("accuracy")),
    "conversion": conversion_table,
    "colour": lambda: grouped_table(_result("colour")),
    "distance": lambda: distance_table(_result("distance")),
    "fit": fit_table,
    "model": model_table,
    "perspective": lambda: perspective_table(_result("distance")),
    "several": lambda: several_table(_result("several")),
    "several-points": lambda: several_points_table(_result("several")),
    "several-people": lambda: several_people_table(_result("several")),
    "silhouettes": silhouette_table,
    "real-heads": lambda: real_heads_table(_result("real")),
    "real-people": lambda: real_people_table(_result("real")),
    "real-views": lambda: real_views_table(_result("real")),
    "refine": lambda: refine_table(_result("refine")),
    "refine-signs": lambda: refine_signs_table(_result("refine")),
    "regressor": lambda: regressor_table(_result("regressor")),
    "regressor-groups": lambda: regressor_groups_table(_result("regressor")),
    "regressor-numbers": lambda: regressor_numbers_table(_result("regressor")),
    "regressor-points": lambda: regressor_points_table(_result("regressor")),
    "regressor-starts": lambda: regressor_starts_table(_result("regressor")),
    "regressor-time": lambda: regressor_time_table(_result("regressor")),
    "render": render_table,
    "scoring": scoring_table,
    "skin": lambda: grouped_table(_result("skin")),
    "uncertainty": lambda: uncertainty_table(_result("uncertainty")),
    "track": lambda: track_table(_result("track")),
    "track-time": lambda: track_time_table(_result("track")),
}
"""By the name that stands in the marker."""


def _result(name: str) -> Report:
    return read_report(RESULTS / f"{name}.json")


def _group_table(title: str, metrics: Sequence[Metric]) -> str:
    rows: dict[str, dict[str, Metric]] = {}
    for metric in metrics:
        row, _, column = metric.name.partition(": ")
        rows.setdefault(row, {})[column] = metric
    columns = list(next(iter(rows.values())))
    units = {metric.unit for metric in metrics}
    unit = f" ({metrics[0].unit})" if len(units) == 1 else ""
    cells = [
        [
            row,
            *(
                number_text(m.value) if unit else metric_text(m)
                for m in (found[c] for c in columns)
            ),
        ]
        for row, found in rows.items()
    ]
    return markdown([title + unit, *(column or "value" for column in columns)], cells)


def main() -> int:
    """Write, or check."""
    parser = argparse.ArgumentParser(description="Write the committed figures into the docs.")
    parser.add_argument("--check", action="store_true")
    only_check = parser.parse_args().check
    behind = [page for page in documents() if with_tables(page.read_text()) != page.read_text()]
    for page in behind:
        print(f"{'behind' if only_check else 'rewritten'}: {page.relative_to(REPOSITORY)}")
        if not only_check:
            page.write_text(with_tables(page.read_text()))
    return int(only_check and bool(behind))


if __name__ == "__main__":
    sys.exit(main())
