"""How well the fit does on real people, beside the mean face and landmarks alone.

    python benchmarks/run_real.py [--on jon lee-perry-smith london] [--variants "no openings" ...]

Two scanned heads say how near a shape is, 51 people in two photos each whether it is theirs. The
data are no part of the project: what `$FIT3DMM_SHARED` does not lead to is left out. Settings may
be chosen by `jon` and `london`; `lee-perry-smith` is for reporting, and never judged. --variants
adds rows of the ablation, held against the default case by case. Definitions: docs/evaluation.md.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fit3dmm._parallel import available_cores, run_in_parallel
from fit3dmm.evaluate.identity import (
    coefficient_distances,
    found_first,
    leakage,
    shape_distances_mm,
    shares_farther,
)
from fit3dmm.evaluate.preset_fitter import prepared_model
from fit3dmm.fitting import FitConfig
from harness import Metric, run
from paired import against, case_metric
from real_fits import (
    FOCAL_KNOWN,
    MEAN_FACE,
    METHODS,
    RealFit,
    around_mouth,
    fit_photo,
)
from real_heads import Person, ScannedHead, View, find_jon, find_lee_perry_smith, find_london
from report import Statistic
from run_accuracy import unit_of
from tone import colour_differences
from variants import DEFAULT, VARIANTS

SETS = ("jon", "lee-perry-smith", "london")
_MISSING = "{} was left out: FIT3DMM_SHARED does not lead to data/{}/."
_LARGE_TURN_DEG, _SMALL_TURN_DEG = 30.0, 10.0
# Nearer than an arm holds a camera, and where nobody goes without a long lens.
_NEAR_MM, _FAR_MM = 600.0, 1500.0
_DISTANCES = ("near", "at arm's length", "far")

# Of the others, both more and less can be worse, or they only describe.
_LESS_IS_BETTER = {
    "now_median_mm": True,
    "now_mean_mm": True,
    "distance_percent": True,
    "focal_percent": True,
    "corners_percent": True,
    "auc_shape": False,
    "rank1_shape": False,
    "auc_coefficients": False,
    "rank1_coefficients": False,
    "leak_mm": True,
    "leak_mouth_mm": True,
    "tone_within": True,
}

Fits = Mapping[str, Mapping[str, RealFit]]
"""By photo and by method."""


def measure(options: Namespace) -> Iterator[Metric]:
    """One set after the other."""
    options.jobs = options.jobs or available_cores()
    methods = list(dict.fromkeys((*METHODS, *(options.variants or ()))))
    for name, find, judged in (("jon", find_jon, True), (SETS[1], find_lee_perry_smith, False)):
        if name in options.on:
            scanned = find()
            if scanned is None:
                print(_MISSING.format(name, name.replace("-", "_")))
            else:
                for metric in _beside_default(_scanned(name, scanned, methods, options.jobs)):
                    yield metric if judged else replace(metric, lower_is_better=None)
    if "london" in options.on:
        people = find_london()
        if people is None:
            print(_MISSING.format("london", "london"))
        else:
            yield from _beside_default(_people(people[: options.people], methods, options.jobs))


def _options(parser: ArgumentParser) -> None:
    usable = [
        name
        for name, variant in VARIANTS.items()
        if not variant.needs_truth and name != FOCAL_KNOWN
    ]
    parser.add_argument("--on", nargs="+", choices=SETS, default=SETS, help="default: all")
    parser.add_argument("--variants", nargs="+", choices=usable, metavar="NAME")
    parser.add_argument("--people", type=int, help="only the first so many of london")
    parser.add_argument("--jobs", type=int, default=0, help="processes; default: one a core")


def _scanned(
    name: str, scanned: ScannedHead, methods: Sequence[str], jobs: int
) -> Iterator[Metric]:
    """NoW's distances, and how far the camera is where that is known."""
    has_size = all(view.distance_mm is not None for view in scanned.views)
    asked = [*methods, FOCAL_KNOWN] if has_size else list(methods)
    tasks = [(view.photo, asked, scanned, view.focal_px) for view in scanned.views]
    fits = _all_fits([view.name for view in scanned.views], tasks, jobs)
    found = [view for view in scanned.views if fits[view.name]]
    yield from _counts(name, len(found), len(scanned.views) - len(found))
    for method in asked:
        by_view = {view: fits[view.name][method] for view in found if method in fits[view.name]}
        of_view = {view.name: fit for view, fit in by_view.items()}
        for number in ("now_median_mm", "now_mean_mm"):
            now = {case: fit.now[number] for case, fit in of_view.items()}
            yield _metric(name, method, number, now)
        if has_size:
            off = {view.name: abs(_distance_percent(fits, view, method)) for view in by_view}
            yield _metric(name, method, "distance_percent", off, "median")
        if method != FOCAL_KNOWN:
            # Unlike a distance it needs no size of the scan.
            focal = {
                view.name: 100 * abs(float(np.log(fit.focal_px / view.focal_px)))
                for view, fit in by_view.items()
            }
            yield _metric(name, method, "focal_percent", focal, "median")
        if method != MEAN_FACE:
            yield _good(name, method, of_view)
    for title, views in _view_groups(found).items():
        group = f"{name}, by view"
        yield Metric(f"{title}: cases", len(views), "cases", None, 0.0, group)
        for method in (DEFAULT, MEAN_FACE):
            now = {view.name: fits[view.name][method].now["now_median_mm"] for view in views}
            yield _metric(group, title, f"{method}, now_median_mm", now)
        for method in (DEFAULT, FOCAL_KNOWN) if title in _DISTANCES else ():
            off = {view.name: _distance_percent(fits, view, method) for view in views}
            yield _metric(group, title, f"{method}, distance_percent", off)


def _distance_percent(fits: Fits, view: View, method: str) -> float:
    """Logarithm of the fitted over the true distance, times 100: above 0 where it is too far."""
    assert view.distance_mm is not None
    return 100 * float(np.log(fits[view.name][method].distance_mm / view.distance_mm))


def _view_groups(views: Sequence[View]) -> dict[str, list[View]]:
    """By turn of the head, and by distance where that is known."""
    far_mm = [np.nan if view.distance_mm is None else view.distance_mm for view in views]
    turn_deg = [abs(view.yaw_deg) for view in views]
    chosen = {
        "yaw to 10": np.less(turn_deg, _SMALL_TURN_DEG),
        "yaw 10-30": np.greater_equal(turn_deg, _SMALL_TURN_DEG)
        & np.less_equal(turn_deg, _LARGE_TURN_DEG),
        "yaw over 30": np.greater(turn_deg, _LARGE_TURN_DEG),
    }
    chosen |= zip(
        _DISTANCES,
        (
            np.less(far_mm, _NEAR_MM),
            np.greater_equal(far_mm, _NEAR_MM) & np.less(far_mm, _FAR_MM),
            np.greater_equal(far_mm, _FAR_MM),
        ),
        strict=True,
    )
    return {
        title: [view for view, is_meant in zip(views, which, strict=True) if is_meant]
        for title, which in chosen.items()
        if which.any()
    }


def _people(people: Sequence[Person], methods: Sequence[str], jobs: int) -> Iterator[Metric]:
    """Identity, leakage of the smile, tone, and corners of eyes and mouth."""
    photos = [photo for person in people for photo in (person.neutral, person.smiling)]
    fits = _all_fits([str(photo) for photo in photos], [(each, methods) for each in photos], jobs)
    # Pairs are of one method, and methods are held against each other person by person.
    seen = {photo for photo, by_method in fits.items() if by_method.keys() >= set(methods)}
    whole = [p for p in people if {str(p.neutral), str(p.smiling)} <= seen]
    yield from _counts("london", len(whole), len(people) - len(whole))
    names = [person.name for person in whole]
    mouth = around_mouth(prepared_model("commons", FitConfig().photometric.n_samples).model)
    for method in methods:
        neutral = [fits[str(person.neutral)][method] for person in whole]
        smiling = [fits[str(person.smiling)][method] for person in whole]
        corners = map(_corner_error_percent, whole, neutral)
        numbers: dict[str, Iterable[float]] = {"corners_percent": corners}
        if method != MEAN_FACE:
            numbers |= _identity(neutral, smiling) | _leakage(neutral, smiling, mouth)
            numbers |= _tone(neutral, smiling) if neutral[0].has_colours else {}
        for number, values in numbers.items():
            cases = dict(zip(names, map(float, values), strict=True))
            yield _metric("london", method, number, cases)
        if method != MEAN_FACE:
            titles = [*names, *(f"{name}, smiling" for name in names)]
            yield _good("london", method, dict(zip(titles, [*neutral, *smiling], strict=True)))


def _identity(neutral: Sequence[RealFit], smiling: Sequence[RealFit]) -> dict[str, Iterable[float]]:
    by_shape = shape_distances_mm([b.neutral for b in smiling], [a.neutral for a in neutral])
    by_coefficients = coefficient_distances(
        np.stack([b.coefficients for b in smiling]), np.stack([a.coefficients for a in neutral])
    )
    return {
        "auc_shape": shares_farther(by_shape),
        "rank1_shape": found_first(by_shape),
        "auc_coefficients": shares_farther(by_coefficients),
        "rank1_coefficients": found_first(by_coefficients),
    }


def _leakage(
    neutral: Sequence[RealFit], smiling: Sequence[RealFit], mouth: np.ndarray
) -> dict[str, Iterable[float]]:
    pairs = zip(neutral, smiling, strict=True)
    leaks = [leakage(a.neutral, b.neutral, mouth) for a, b in pairs]
    return {
        "leak_mm": [leak.face_mm for leak in leaks],
        "leak_mouth_mm": [leak.mouth_mm for leak in leaks],
        "wider_mm": [leak.mouth_width_mm for leak in leaks],
        "higher_mm": [leak.corner_height_mm for leak in leaks],
    }


def _tone(neutral: Sequence[RealFit], smiling: Sequence[RealFit]) -> dict[str, Iterable[float]]:
    within, between = colour_differences(
        np.stack([fit.albedo_linear for fit in neutral]),
        np.stack([fit.albedo_linear for fit in smiling]),
    )
    return {"tone_within": within, "tone_between": between}


def _corner_error_percent(person: Person, fit: RealFit) -> float:
    """Mean distance from the points set by hand, over the distance of the outer eye corners."""
    rows = list(person.points_px)
    by_hand = np.array([person.points_px[row] for row in rows])
    width_px = np.linalg.norm(np.subtract(person.points_px[36], person.points_px[45]))
    off_px = np.linalg.norm(fit.landmarks_px[rows] - by_hand, axis=1)
    return float(100 * off_px.mean() / width_px)


def _all_fits(names: Sequence[str], tasks: Sequence[tuple[Any, ...]], jobs: int) -> Fits:
    return {names[place]: fits for place, fits in run_in_parallel(fit_photo, tasks, jobs)}


def _metric(
    group: str,
    method: str,
    number: str,
    cases: Mapping[str, float],
    statistic: Statistic = "mean",
) -> Metric:
    unit = "share" if number.startswith(("auc", "rank1")) else unit_of(number)
    return case_metric(
        f"{method}: {number}",
        unit,
        cases,
        statistic,
        lower_is_better=_LESS_IS_BETTER.get(number),
        group=group,
    )


def _good(group: str, method: str, fits: Mapping[str, RealFit]) -> Metric:
    """How many fits are called good; no more and no less is better by itself."""
    good = {case: float(fit.verdict == "good") for case, fit in fits.items()}
    return _metric(group, method, "called_good", good)


def _beside_default(metrics: Iterable[Metric]) -> Iterator[Metric]:
    """The default is judged; what else is measured stands with its difference from it."""
    defaults: dict[str, Metric] = {}
    for metric in metrics:
        method, _, number = metric.name.partition(": ")
        if method == DEFAULT:
            defaults[number] = metric
        elif number in defaults:
            metric = replace(against(metric, defaults[number]), lower_is_better=None)
        yield metric


def _counts(group: str, found: int, lost: int) -> Iterator[Metric]:
    yield Metric("cases", found, "cases", None, 0.0, group)
    yield Metric("cases without a face", lost, "cases", noise=0.0, group=group)


if __name__ == "__main__":
    sys.exit(run("real", __doc__, measure, _options))
