"""Statistics of what `regressor_fits` measured, over the photos of a set."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from paired import against, case_metric
from regressor_fits import BOTH, DETECTORS, MEAN_FACE, METHODS, Measured
from report import Metric, Statistic
from run_accuracy import unit_of

BEATS = "beats_mean_share"
NOW = "now_median_mm"
ALL = "all"
_KINDS = ("yaw", "tone", "covered", "clear", "occluded")
_TONES = ("dark", "medium", "light")
_MEDIANS = ("rotation_deg", "distance_percent", "error_percent")
# How many truths lie within what was told is wrong in both directions.
_LESS_IS_BETTER: Mapping[str, bool | None] = {
    "failed_share": True,
    BEATS: False,
    "half_steps_share": False,
    "as_low_share": False,
    "told_in_1_share": None,
    "told_in_2_share": None,
}

Found = Mapping[str, Measured]
"""By photo."""


def of_set(name: str, found: Found) -> Iterator[Metric]:
    """All statistics of one set."""
    fitted = {photo: one for photo, one in found.items() if one.numbers}
    lost = sum(not one.has_face for one in found.values())
    yield Metric("photos", len(found), "photos", None, 0.0, name)
    yield Metric("photos without a face", lost, "photos", noise=0.0, group=name)
    yield Metric("cases", len(fitted), "cases", None, 0.0, name)
    yield from _beside_default(_of_methods(name, fitted))
    yield from _of_groups(f"{name}, by group", fitted)
    yield from _of_points(f"{name}, points", found)
    steps = {photo: one.steps for photo, one in fitted.items() if one.steps is not None}
    yield from _of_steps(f"{name}, starts", steps)


def beats_mean(found: Found, method: str) -> dict[str, float]:
    """Of each photo with a true shape whether the face is nearer to it than the mean face."""
    pairs = {
        photo: (one.numbers[method].get(NOW), one.numbers[MEAN_FACE].get(NOW))
        for photo, one in found.items()
        if {method, MEAN_FACE} <= one.numbers.keys()
    }
    return {
        photo: float(fit < mean)
        for photo, (fit, mean) in pairs.items()
        if fit is not None and mean is not None
    }


def _of_methods(group: str, fitted: Found) -> Iterator[Metric]:
    """Every number of every method, and how often it beats the mean face."""
    for method in METHODS:
        cases: dict[str, dict[str, float]] = {}
        for photo, one in fitted.items():
            for number, value in one.numbers.get(method, {}).items():
                cases.setdefault(number, {})[photo] = value
        for number, values in cases.items():
            yield _metric(group, method, number, values)
        if method != MEAN_FACE and (wins := beats_mean(fitted, method)):
            yield _metric(group, method, BEATS, wins)


def _of_groups(group: str, fitted: Found) -> Iterator[Metric]:
    """The default fit against the mean face by bins: few photos each, so that nothing is judged."""
    for title in _titles(fitted):
        members = _members(title, fitted)
        wins = beats_mean(members, BOTH)
        if not wins:
            continue
        yield Metric(f"{title}: cases", len(wins), "cases", None, 0.0, group)
        yield replace(_metric(group, title, BEATS, wins), lower_is_better=None)
        for method in (BOTH, MEAN_FACE):
            now = {photo: members[photo].numbers[method][NOW] for photo in wins}
            yield replace(_metric(group, title, NOW, now, method), lower_is_better=None)


def _of_points(group: str, found: Found) -> Iterator[Metric]:
    """Points of both detectors, where the first found a face; over all photos they are judged."""
    if not any(one.points for one in found.values()):
        return
    for title in (ALL, *_titles(found)):
        of_title = _members(title, found)
        lost = {photo: float(not one.has_face) for photo, one in of_title.items()}
        yield replace(_metric(group, title, "lost_share", lost), lower_is_better=None)
        members = {photo: one for photo, one in of_title.items() if one.points}
        yield Metric(f"{title}: photos", len(members), "photos", None, 0.0, group)
        for detector in DETECTORS if members else ():
            for number in next(iter(members.values())).points[detector]:
                cases = {photo: one.points[detector][number] for photo, one in members.items()}
                metric = _metric(group, title, number, cases, detector)
                judged = title == ALL and detector == "network"
                yield metric if judged else replace(metric, lower_is_better=None)


def _of_steps(group: str, steps: Mapping[str, tuple[float, float]]) -> Iterator[Metric]:
    """How often the network's face leads as low as the landmarks' start in half its steps."""
    if not steps:
        return
    half = {photo: float(2 * reached <= own) for photo, (own, reached) in steps.items()}
    at_all = {photo: float(math.isfinite(reached)) for photo, (_, reached) in steps.items()}
    own = {photo: own for photo, (own, _) in steps.items()}
    yield Metric("cases", len(steps), "cases", None, 0.0, group)
    yield _metric(group, "from the network", "half_steps_share", half)
    yield _metric(group, "from the network", "as_low_share", at_all)
    name = "from the landmarks: steps"
    yield case_metric(name, "steps", own, "median", lower_is_better=None, group=group)


def _titles(found: Found) -> list[str]:
    titles = {title for one in found.values() for title in one.groups}
    return sorted(titles, key=lambda title: (_KINDS.index(title.split()[0]), *_place(title)))


def _place(title: str) -> tuple[int, str]:
    """Tones from dark to light, other bins as their numbers rise."""
    tone = title.removeprefix("tone ")
    return (_TONES.index(tone) if tone in _TONES else 0, title)


def _members(title: str, found: Found) -> Found:
    return {photo: one for photo, one in found.items() if title == ALL or title in one.groups}


def _metric(
    group: str, row: str, number: str, cases: Mapping[str, float], of: str | None = None
) -> Metric:
    """One number over photos.

    Args:
        group: the table.
        row: of the table.
        number: says its unit, and whether less is better.
        cases: by photo.
        of: whose number it is, where the row does not say.
    """
    statistic: Statistic = "median" if number in _MEDIANS else "mean"
    return case_metric(
        f"{row}: {number}" if of is None else f"{row}: {of}, {number}",
        "share" if number.endswith("_share") else unit_of(number),
        cases,
        statistic,
        lower_is_better=_LESS_IS_BETTER.get(number, True),
        group=group,
    )


def _beside_default(metrics: Iterable[Metric]) -> Iterator[Metric]:
    """The default is judged; what else is measured stands with its difference from it."""
    defaults: dict[str, Metric] = {}
    for metric in metrics:
        method, _, number = metric.name.partition(": ")
        if method == BOTH:
            defaults[number] = metric
        else:
            if number in defaults:
                metric = against(metric, defaults[number])
            metric = replace(metric, lower_is_better=None)
        yield metric
