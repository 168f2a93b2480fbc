"""Whether the verdict tells fits that are worse than the mean face.

    python benchmarks/run_quality.py [--cases 24] [--choose]

Each photo of the report half of the synthetic set (docs/evaluation.md) is fitted as it is and made
small, dark, blurred and partly covered. A fit is worse where the mean face's median distance of NoW
is smaller than its own. --choose takes the other half instead and prints the weights of
`fitting.trust` that it finds there.
"""

import sys
import zlib
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image
from scipy.optimize import minimize

from degraded import CHANGES
from fit3dmm._parallel import available_cores, run_in_parallel
from fit3dmm.evaluate.preset_fitter import face_of_scene, observe_largest, prepared_model
from fit3dmm.evaluate.protocol import Case
from fit3dmm.evaluate.synthetic import Synthetic, make_set
from fit3dmm.evaluate.synthetic.scores import score_face
from fit3dmm.fitting import FitConfig, FitResult, fit_observation
from fit3dmm.fitting.trust import CAUSES, WEIGHTS, Signs
from fit3dmm.observe.photo import photo_from_array
from fit3dmm.synthetic.truth import read_truth
from harness import Metric, run
from paired import case_metric
from run_accuracy import add_set_arguments

_WHAT = "now_median_mm"
# Of the squares of the weights against the mean of the losses: a few hundred photos tell no more.
_RIDGE = 0.02


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
    found = dict(sorted(found.items()))
    if options.choose:
        _print_weights(list(found.values()))
    lost = len(cases) * len(CHANGES) - len(found)
    yield Metric("photos without a face", lost, "photos", None, noise=0.0)
    yield from _statistics("all", found)
    for name in CHANGES:
        of_kind = {key: one for key, one in found.items() if key.endswith(f", {name}")}
        yield from _statistics(name, of_kind)


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--cases", type=int, default=24, help="default: %(default)s")
    parser.add_argument("--choose", action="store_true", help="find weights on the other half")
    add_set_arguments(parser)


def judge_case(case: Case) -> dict[str, Judged]:
    """One photo in all its changes; those in which no face is found are left out."""
    assert case.photo is not None
    truth, config = read_truth(case.truth[0]), FitConfig()
    prepared = prepared_model("commons", config.photometric.n_samples)
    pixels = np.asarray(Image.open(case.photo).convert("RGB"))
    found = {}
    for name, change in CHANGES.items():
        key = f"{case.name}, {name}"
        generator = np.random.default_rng(zlib.crc32(key.encode()))
        photo = photo_from_array(change(pixels, truth.landmarks68_px, generator))
        seen = observe_largest(photo, prepared, config)
        if seen is None:
            continue
        result = fit_observation(seen, prepared, config)
        mean_face = result.scene.replace(coefficients=prepared.model.zeros())
        fit_mm, mean_face_mm = (
            float(score_face(truth, face_of_scene(scene, prepared.model, False))[0][_WHAT])
            for scene in (result.scene, mean_face)
        )
        found[key] = _judged(result, fit_mm, mean_face_mm)
    return found


def _judged(result: FitResult, fit_mm: float, mean_face_mm: float) -> Judged:
    quality = result.quality
    assert quality.failure_chance is not None
    return Judged(quality, quality.failure_chance, quality.verdict, fit_mm, mean_face_mm)


def _statistics(group: str, found: Mapping[str, Judged]) -> Iterator[Metric]:
    worse = {key: one for key, one in found.items() if one.is_worse}
    better = [one.chance for one in found.values() if not one.is_worse]
    yield Metric(f"{group}: fits", len(found), "fits", None, noise=0.0)
    yield _share(f"{group}: worse than the mean face", found, lambda one: one.is_worse)
    yield _share(f"{group}: called good", found, lambda one: one.verdict == "good")
    good = {key: one for key, one in found.items() if one.verdict == "good"}
    if good:
        yield _share(f"{group}: worse, of those called good", good, lambda one: one.is_worse, True)
    if worse and better:
        told = {key: shares_below([one.chance], better)[0] for key, one in worse.items()}
        yield case_metric(f"{group}: ROC AUC", "share", told, lower_is_better=False)


def _share(name: str, found: Mapping[str, Judged], holds, lower_is_better: bool | None = None):
    cases = {key: float(holds(one)) for key, one in found.items()}
    return case_metric(name, "share", cases, lower_is_better=lower_is_better)


def shares_below(chances: Sequence[float], others: Sequence[float]) -> Float[np.ndarray, "n"]:
    """Of each chance, the share of the others that are below; equal ones count half."""
    one, other = np.asarray(chances)[:, None], np.asarray(others)[None]
    return (other < one).mean(axis=1) + 0.5 * (other == one).mean(axis=1)


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


def _print_weights(judged: Sequence[Judged]) -> None:
    """For `fitting.trust`. What is usual is the median."""
    names = list(WEIGHTS)
    rows = [[CAUSES[name].amount(one.signs) for name in names] for one in judged]
    amounts = np.array(rows, dtype=float)
    usual = np.median(amounts, axis=0)
    intercept, weights = logistic_weights(
        amounts - usual, np.array([one.is_worse for one in judged])
    )
    print(f"INTERCEPT = {intercept:.3f}")
    for name, middle, weight in zip(names, usual, weights, strict=True):
        print(f'"{name}": Weight(usual={middle:.3f}, log_odds={weight:.3f}),')


if __name__ == "__main__":
    sys.exit(run("quality", __doc__, measure, _options))
