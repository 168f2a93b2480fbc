"""How far the camera is where nobody tells the focal length, and what limits that.

    python benchmarks/run_distance.py [--on perspective renders jon] [--cases 24]

`perspective` is what any look at points could tell (`perspective.py`). `renders` are photos of the
validation split of the synthetic set, `jon` is a scanned man before known cameras; definitions:
docs/evaluation.md. There the same fit is run with what it knows of distance and focal length, with
less and with more. Errors are natural logarithms of fitted over true, times 100. A focal length
needs no size of the scan.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from fit3dmm._parallel import available_cores, run_in_parallel
from fit3dmm.evaluate.preset_fitter import face_of_scene
from fit3dmm.evaluate.synthetic import Synthetic, make_set
from fit3dmm.fitting import fit_observation, preset
from fit3dmm.model.files import load_model
from fit3dmm.synthetic.truth import read_truth
from harness import Metric, run
from paired import case_metric
from perspective import perspective
from real_fits import EYE_CORNERS, eye_distance_mm
from real_heads import find_jon
from run_accuracy import add_set_arguments
from variants import VARIANTS, Change, Trial, trial_of

SETS = ("perspective", "renders", "jon")
_DISTANCES_MM, _YAWS_DEG = (450.0, 900.0, 1300.0, 2000.0), (0.0, 30.0)
_NOISE_MM, _UNLIKE_MM = 0.6, 1.5
# So wide that it says nothing.
_ANY = 5.0


def _fit_with(**settings: Mapping[str, float]) -> Change:
    """From points alone: colours change distances by little."""

    def change(trial: Trial) -> Trial:
        config = replace(trial.config, stages=preset("landmarks").stages)
        known = {
            name: replace(getattr(config, name), **changed) for name, changed in settings.items()
        }
        return trial.under(replace(config, **known))

    return change


def _as_predicted(trial: Trial) -> Trial:
    """The face as the network sees it."""
    return trial.under(preset("regressor"))


def _then(first: Change, second: Change) -> Change:
    return lambda trial: second(first(trial))


_NOTHING = {"distance": {"told_share": 0.0, "log_sigma": _ANY}, "focal": {"log_sigma": _ANY}}
METHODS: Mapping[str, Change] = {
    "network alone": _as_predicted,
    "fit": _fit_with(),
    "network's sigma as told": _fit_with(distance={"told_share": 1.0}),
    "1.3 m in place of the network's": _fit_with(distance={"told_share": 0.0}),
    "nothing known of either": _fit_with(**_NOTHING),
    "the same, true points": _then(_fit_with(**_NOTHING), VARIANTS["true points"].change),
    "focal length known": _then(_fit_with(), VARIANTS["focal known"].change),
}
_WITH_TRUTH = ("the same, true points",)

Numbers = Mapping[str, Mapping[str, float]]
"""By method."""


def measure(options: Namespace) -> Iterator[Metric]:
    """One set after the other."""
    jobs = options.jobs or available_cores()
    if "perspective" in options.on:
        yield from _bounds()
    if "renders" in options.on:
        protocol = Synthetic(
            options.cases,
            options.seed,
            "validation",
            "held-out",
            options.photo_px,
            options.edition,
        )
        cases = protocol.list_cases(make_set(protocol, options.out / "held-out", jobs=jobs))
        tasks = [(case.photo, case.truth[0]) for case in cases]
        yield from _statistics("renders", _measured([case.name for case in cases], tasks, jobs))
    if "jon" in options.on:
        scanned = find_jon()
        if scanned is None:
            print("jon was left out: FIT3DMM_SHARED does not lead to data/jon/.")
            return
        tasks = [(view.photo, None, view.focal_px, view.distance_mm) for view in scanned.views]
        found = _measured([view.name for view in scanned.views], tasks, jobs)
        yield from _statistics("jon", found)


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--on", nargs="+", choices=SETS, default=SETS, help="default: all")
    parser.add_argument("--cases", type=int, default=24, help="renders; default: %(default)s")
    add_set_arguments(parser)


def _bounds() -> Iterator[Metric]:
    model = load_model(level=1)
    for distance_mm in _DISTANCES_MM:
        for yaw_deg in _YAWS_DEG:
            found = perspective(model, distance_mm, yaw_deg, _NOISE_MM, _UNLIKE_MM)
            row, turn = f"{distance_mm / 1e3:g} m", f"turned by {yaw_deg:g} degrees"
            moved_mm = found.moved_mm * np.log(1.3)
            group = "perspective"
            yield Metric(f"{row}: {turn}, 30 % move points by", moved_mm, "mm", None, 0.0, group)
            yield Metric(f"{row}: {turn}, sigma", 100 * found.log_sigma, "%", None, 0.0, group)


def measure_photo(
    photo: Path,
    truth_file: Path | None,
    focal_px: float | None = None,
    distance_mm: float | None = None,
) -> Numbers:
    """Errors of distance and focal length by each method; nothing where no face is found.

    Args:
        truth_file: of a generated photo, which says the rest.
        focal_px: of another one.
        distance_mm: depth of the mean of the corners of its eyes.
    """
    truth = None if truth_file is None else read_truth(truth_file)
    if truth is not None:
        focal_px = truth.focal_px
        distance_mm = -float(truth.landmarks68_cam_mm[list(EYE_CORNERS), 2].mean())
    assert focal_px is not None
    assert distance_mm is not None
    trial = trial_of(photo, truth, focal_px)
    if trial is None:
        return {}
    names = [name for name in METHODS if truth is not None or name not in _WITH_TRUTH]
    return {name: _numbers(METHODS[name](trial), focal_px, distance_mm) for name in names}


def _numbers(trial: Trial, focal_px: float, distance_mm: float) -> Mapping[str, float]:
    result = fit_observation(trial.observation, trial.prepared, trial.config)
    fitted_mm = eye_distance_mm(face_of_scene(result.scene, trial.prepared.model, False))
    found = {"distance": 100 * float(np.log(fitted_mm / distance_mm))}
    if trial.config.focal_px is None:
        found["focal length"] = 100 * float(np.log(result.focal_px / focal_px))
    sigma = 100 * result.distance_sigma_mm / -float(result.scene.pose.translation_mm[2])
    return found | ({"sigma": sigma} if sigma else {})


def _measured(names: Sequence[str], tasks: Sequence[tuple], jobs: int) -> Mapping[str, Numbers]:
    found = {names[place]: one for place, one in run_in_parallel(measure_photo, tasks, jobs)}
    return dict(sorted((name, one) for name, one in found.items() if one))


def _statistics(group: str, found: Mapping[str, Numbers]) -> Iterator[Metric]:
    yield Metric("photos", len(found), "photos", None, 0.0, group)
    for method in METHODS:
        of_photo = {name: one[method] for name, one in found.items() if method in one}
        metric: Callable[..., Metric] = partial(case_metric, unit="%", group=group)
        for number in ("distance", "focal length"):
            off = {name: one[number] for name, one in of_photo.items() if number in one}
            if off:
                size = {name: abs(value) for name, value in off.items()}
                judged = method == "fit" or None
                yield metric(
                    f"{method}: {number}",
                    cases=size,
                    statistic="median",
                    lower_is_better=judged,
                )
                yield metric(f"{method}: {number}, mean error", cases=off, lower_is_better=None)
        told = {name: one["sigma"] for name, one in of_photo.items() if "sigma" in one}
        if told:
            yield metric(f"{method}: sigma", cases=told, statistic="median", lower_is_better=None)


if __name__ == "__main__":
    sys.exit(run("distance", __doc__, measure, _options))
