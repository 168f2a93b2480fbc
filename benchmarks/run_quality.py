"""Whether the verdict tells fits that are worse than the mean face.

    python benchmarks/run_quality.py [--cases 24] [--choose [--renders 200]]

Each photo of the report half of the synthetic set (docs/evaluation.md) is fitted as it is and made
small, dark, blurred and partly covered. A fit is worse where the mean face's median distance of NoW
is smaller than its own. --choose takes the other half instead, and renders like those that the
network is trained on, of people that it was not, each changed in one of these ways; it prints the
weights of `fitting.trust` that it finds there, and what they tell of people who were left out.
"""

import sys
import zlib
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from PIL import Image
from scipy.optimize import minimize

from degraded import CHANGES
from fit3dmm._parallel import available_cores, run_in_parallel
from fit3dmm.evaluate.fitter import FittedFace
from fit3dmm.evaluate.preset_fitter import face_of_scene, observe_largest, prepared_model
from fit3dmm.evaluate.protocol import Case
from fit3dmm.evaluate.synthetic import Synthetic, make_set
from fit3dmm.evaluate.synthetic.scores import score_face
from fit3dmm.fitting import FitConfig, fit_observation
from fit3dmm.fitting.trust import CAUSES, WEIGHTS, Signs
from fit3dmm.geometry.camera import Camera
from fit3dmm.observe.ibug import ibug68_of_mediapipe
from fit3dmm.observe.photo import photo_from_array
from fit3dmm.scene import Lighting, Pose, Scene
from fit3dmm.synthetic.truth import read_truth
from harness import Metric, run
from paired import case_metric
from regressor_scores import face_numbers
from regressor_subjects import FIRST_SEED, open_render
from run_accuracy import add_set_arguments

_WHAT = "now_median_mm"
# Of the squares of the weights against the mean of the losses: a few hundred photos tell no more.
_RIDGE = 0.02
_MUCH_MM, _FAR_MM = 0.1, 1.2
_PARTIES = 8
"""Of people, each of which is left out once."""
_RENDERS_FROM = FIRST_SEED + 70_000
"""Others are for measuring the network."""
_TURNED, _RARELY = "yaw 60-90", 4
"""Bin of which only one in so many is taken: such photos are rare."""


@dataclass(frozen=True)
class Judged:
    """One fit, what it says of itself, and what is true."""

    signs: Signs
    chance: float
    verdict: str
    fit_mm: float
    mean_face_mm: float

    @property
    def is_worse(self) -> bool:
        """Than the mean face."""
        return self.fit_mm >= self.mean_face_mm

    @property
    def is_much_worse(self) -> bool:
        """By more than fits differ where a photo tells nothing."""
        return self.fit_mm >= self.mean_face_mm + _MUCH_MM

    @property
    def is_far_off(self) -> bool:
        """Whoever the person is."""
        return self.fit_mm > _FAR_MM


def measure(options: Namespace) -> Iterator[Metric]:
    """All photos, then the statistics."""
    half = "validation" if options.choose else "test"
    protocol = Synthetic(
        options.cases, options.seed, half, "held-out", options.photo_px, options.edition
    )
    jobs = options.jobs or available_cores()
    cases = protocol.list_cases(make_set(protocol, options.out / "held-out", jobs=jobs))
    found: dict[str, Judged] = {}
    for _, judged in run_in_parallel(judge_case, [(case,) for case in cases], jobs):
        found |= judged
    if options.choose:
        seeds = [(_RENDERS_FROM + k,) for k in range(options.renders)]
        for _, judged in run_in_parallel(judge_render, seeds, jobs):
            found |= judged
    found = dict(sorted(found.items()))
    if options.choose:
        _print_weights(found)
    lost = len(cases) * len(CHANGES) - len(found)
    yield Metric("photos without a face", lost, "photos", None, noise=0.0)
    yield from _statistics("all", found)
    for name in CHANGES:
        of_kind = {key: one for key, one in found.items() if key.endswith(f", {name}")}
        yield from _statistics(name, of_kind)


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--cases", type=int, default=24, help="default: %(default)s")
    parser.add_argument("--choose", action="store_true", help="find weights on the other half")
    parser.add_argument("--renders", type=int, default=200, help="for choosing; default: 200")
    add_set_arguments(parser)


def judge_case(case: Case) -> dict[str, Judged]:
    """One photo in all its changes; those in which no face is found are left out."""
    assert case.photo is not None
    truth = read_truth(case.truth[0])
    pixels = np.asarray(Image.open(case.photo).convert("RGB"))

    def error_mm(face: FittedFace) -> float:
        return float(score_face(truth, face)[0][_WHAT])

    judge = _Judge(pixels, truth.landmarks68_px, error_mm)
    found = {f"{case.name}, {name}": judge(f"{case.name}, {name}", name) for name in CHANGES}
    return {key: one for key, one in found.items() if one is not None}


def judge_render(seed: int) -> dict[str, Judged]:
    """A render in one of the changes; nothing where no face is found."""
    subject = open_render(seed)
    assert subject.head is not None
    assert subject.points_px is not None
    if _TURNED in subject.groups and seed % _RARELY:
        return {}
    name = list(CHANGES)[seed % len(CHANGES)]
    key = f"render {seed - _RENDERS_FROM}, {name}"
    points_px = ibug68_of_mediapipe(torch.from_numpy(subject.points_px)).numpy()

    def error_mm(face: FittedFace) -> float:
        return face_numbers(subject, face)[_WHAT]

    one = _Judge(subject.photo.pixels_srgb.numpy(), points_px, error_mm)(key, name)
    return {} if one is None else {key: one}


@dataclass(frozen=True)
class _Judge:
    """Fits of a photo in its changes."""

    pixels: UInt8[np.ndarray, "height width 3"]
    points_px: Float[np.ndarray, "68 2"]
    error_mm: Callable[[FittedFace], float]

    def __call__(self, key: str, name: str) -> Judged | None:
        """One change; None where no face is found."""
        config = FitConfig()
        prepared = prepared_model("commons", config.photometric.n_samples)
        generator = np.random.default_rng(zlib.crc32(key.encode()))
        changed = CHANGES[name](self.pixels, self.points_px, generator)
        seen = observe_largest(photo_from_array(changed), prepared, config)
        if seen is None:
            return None
        result = fit_observation(seen, prepared, config)
        fit_mm = self.error_mm(face_of_scene(result.scene, prepared.model, False))
        quality = result.quality
        assert quality.failure_chance is not None
        return Judged(quality, quality.failure_chance, quality.verdict, fit_mm, self._mean_face_mm)

    @cached_property
    def _mean_face_mm(self) -> float:
        """Of the mean face, wherever it is."""
        model = prepared_model("commons", FitConfig().photometric.n_samples).model
        camera = Camera.centred(1000.0, 640, 640)
        scene = Scene(model.zeros(), Pose.facing(), camera, Lighting.ambient_white())
        return self.error_mm(face_of_scene(scene, model, False))


def _statistics(group: str, found: Mapping[str, Judged]) -> Iterator[Metric]:
    yield Metric(f"{group}: fits", len(found), "fits", None, noise=0.0)
    yield _share(f"{group}: worse than the mean face", found, lambda one: one.is_worse)
    yield _share(f"{group}: called good", found, lambda one: one.verdict == "good")
    good = {key: one for key, one in found.items() if one.verdict == "good"}
    if good:
        yield _share(f"{group}: worse, of those called good", good, lambda one: one.is_worse, True)
    yield from _roc_auc(f"{group}: ROC AUC", found, lambda one: one.is_worse)
    yield from _roc_auc(f"{group}: ROC AUC, 0.1 mm worse", found, lambda one: one.is_much_worse)
    yield from _roc_auc(f"{group}: ROC AUC, 1.2 mm off", found, lambda one: one.is_far_off)
    told = [one.signs.mean_face_chance for one in found.values()]
    most = most_auc([chance for chance in told if chance is not None])
    yield Metric(f"{group}: ROC AUC if errors are as told", most, "share", None)


def _roc_auc(
    name: str, found: Mapping[str, Judged], is_so: Callable[[Judged], bool]
) -> Iterator[Metric]:
    """Of the chances, for what is so; nothing where all are alike."""
    so = {key: one for key, one in found.items() if is_so(one)}
    others = [one.chance for one in found.values() if not is_so(one)]
    if so and others:
        told = {key: shares_below([one.chance], others)[0] for key, one in so.items()}
        yield case_metric(name, "share", told, lower_is_better=False)


def _share(name: str, found: Mapping[str, Judged], holds, lower_is_better: bool | None = None):
    cases = {key: float(holds(one)) for key, one in found.items()}
    return case_metric(name, "share", cases, lower_is_better=lower_is_better)


def shares_below(chances: Sequence[float], others: Sequence[float]) -> Float[np.ndarray, "n"]:
    """Of each chance, the share of the others that are below; equal ones count half."""
    one, other = np.asarray(chances)[:, None], np.asarray(others)[None]
    return (other < one).mean(axis=1) + 0.5 * (other == one).mean(axis=1)


def most_auc(chances: Sequence[float]) -> float:
    """The area under the ROC curve that is to be expected if these chances are true. Whoever knows
    no more of the photos can't have a larger one."""
    chance = np.asarray(chances)
    # A pair tells something where the one is worse and the other is not.
    pairs = chance[:, None] * (1 - chance)[None]
    np.fill_diagonal(pairs, 0)
    right = (chance[:, None] > chance[None]) + 0.5 * (chance[:, None] == chance[None])
    return float((pairs * right).sum() / pairs.sum()) if pairs.any() else 0.5


def logistic_weights(
    amounts: Float[np.ndarray, "fits causes"], is_worse: Bool[np.ndarray, "fits"]
) -> tuple[float, Float[np.ndarray, "causes"]]:
    """Intercept and weights, none below zero, of the likeliest logistic model with a ridge.

    Args:
        amounts: of each cause, above the usual.
    """
    spread = amounts.std(axis=0) + 1e-9
    scaled = amounts / spread

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        odds = parameters[0] + scaled @ parameters[1:]
        off = 1 / (1 + np.exp(-odds)) - is_worse
        value = np.logaddexp(0, odds).mean() - odds[is_worse].sum() / len(odds)
        gradient = np.concatenate([[off.mean()], off @ scaled / len(odds)])
        value += _RIDGE * (parameters[1:] ** 2).sum()
        gradient[1:] += 2 * _RIDGE * parameters[1:]
        return float(value), gradient

    bounds = [(None, None)] + [(0, None)] * amounts.shape[1]
    found = minimize(loss, np.zeros(len(bounds)), jac=True, bounds=bounds, method="L-BFGS-B").x
    return float(found[0]), found[1:] / spread


def _print_weights(judged: Mapping[str, Judged]) -> None:
    """For `fitting.trust`. What is usual is the median; so is what is not known."""
    rows = [[CAUSES[name].amount(one.signs) for name in WEIGHTS] for one in judged.values()]
    amounts = np.array(rows, dtype=float)
    usual = np.nanmedian(amounts, axis=0)
    above = np.nan_to_num(amounts - usual)
    is_worse = np.array([one.is_worse for one in judged.values()])
    intercept, weights = logistic_weights(above, is_worse)
    print(f"INTERCEPT = {intercept:.3f}")
    for name, middle, weight in zip(WEIGHTS, usual, weights, strict=True):
        print(f'"{name}": Weight({middle:.3f}, {weight:.3f}),')
    # All changes of a person are left out together.
    people = [key.partition(",")[0] for key in judged]
    odds = np.zeros(len(people))
    party = np.array([zlib.crc32(person.encode()) % _PARTIES for person in people])
    for k in range(_PARTIES):
        out = party == k
        if not out.any() or not is_worse[~out].any():
            continue
        without, each = logistic_weights(above[~out], is_worse[~out])
        odds[out] = without + above[out] @ each
    area = shares_below(odds[is_worse].tolist(), odds[~is_worse].tolist()).mean()
    print(f"ROC AUC of people who were left out: {area:.3f}")


if __name__ == "__main__":
    sys.exit(run("quality", __doc__, measure, _options))
