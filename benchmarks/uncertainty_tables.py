"""What the report on uncertainty says in the documentation."""

from fit3dmm.evaluate.coverage import LEVELS
from markdown_cells import markdown, number_text
from paired import with_error
from report import Metric, Report
from run_uncertainty import ERROR, RATIO, SIGMA

_SETS = {
    "held-out": "synthetic faces",
    "jon": "jon",
    "lee-perry-smith": "Lee Perry-Smith",
}
_QUANTITIES = {
    "relief": "depth, less its mean (mm)",
    "place": "place in the picture (mm)",
    "neutral": "neutral face, x, y and z (mm)",
    "distance": "distance (logarithm)",
    "focal": "focal length (logarithm)",
}


def uncertainty_table(report: Report) -> str:
    """Which share of the truths lies within the intervals of 50, 80 and 95 %."""
    rows = []
    for group, title in _SETS.items():
        found = {metric.name: metric for metric in report.groups().get(group, ())}
        for quantity, what in _QUANTITIES.items():
            if f"{quantity}: {RATIO}" not in found:
                continue
            shares = [_percent(found[f"{quantity}: {level:.0%}"]) for level in LEVELS]
            sizes = [number_text(found[f"{quantity}: {name}"].value, 2) for name in (SIGMA, ERROR)]
            rows.append([title, what, *shares, *sizes, number_text(found["photos"].value)])
    titles = [f"{level:.0%}" for level in LEVELS]
    return markdown(["", "", *titles, "sigma", "error", "photos"], rows)


def _percent(metric: Metric) -> str:
    if "standard error" not in metric.details:
        return f"{100 * metric.value:.0f}"
    return with_error(100 * metric.value, 100 * metric.details["standard error"])
