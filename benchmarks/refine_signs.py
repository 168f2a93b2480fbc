"""What could tell whether a step of refining helps, and the most that any rule by it could reach.

A rule takes a step where a sign lies above a bound. Its area under the ROC curve is the chance that
the sign is larger where the step helps than where it does not: one half tells nothing. The best
bound is found on the very cases that it is counted on, so that no rule by this sign does better on
them; a real one does worse.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from fit3dmm.refining.held_out import gain
from fit3dmm.refining.refine import Judge, Tried
from report import Metric

LOOKED_AT = {"expression": (2, "face with its expression"), "identity": (3, "face at rest")}
"""Steps: their place in `attempts`, behind the input, and the measure that they should improve."""
SIGNS = ("gain", "gain in its noise", "gain of points", "gain of colours", "points explained")


@dataclass(frozen=True)
class Looked:
    """A step, by what is seen without the truth."""

    signs: Mapping[str, float]
    helped_mm: float
    """How much nearer its face is to the true one."""
    taken: bool


def look(judge: Judge, before: Tried, after: Tried, helped_mm: float) -> Looked:
    """All signs of one step.

    Args:
        judge: of the photo.
        before: the step before it.
        after: what it made.
        helped_mm: how much nearer that is to the truth.
    """
    scores = judge.scores(before, after)
    difference = gain(*scores)
    points = scores[0].n_points * (scores[0].point - scores[1].point)
    signs = {
        "gain": difference.value,
        "gain in its noise": difference.value / max(difference.noise, 1e-9),
        "gain of points": points,
        "gain of colours": difference.value - points,
        "points explained": -scores[0].point,
    }
    return Looked(signs, helped_mm, judge.prefers(after, before))


def sign_metrics(step: str, looked: Mapping[str, Looked], group: str) -> Iterator[Metric]:
    """What each sign could tell of a step, beside always, never, our own rule and one that knows.

    Args:
        step: what it is called.
        looked: by case.
        group: of the metrics.
    """
    helped = np.array([one.helped_mm for one in looked.values()])
    ours = np.array([one.taken for one in looked.values()])
    for name, taken in (
        ("always", np.ones(len(helped), bool)),
        ("our rule", ours),
        ("knowing the truth", helped > 0),
    ):
        yield from _rule(f"{step} {name}", helped, taken, group)
    for name in SIGNS:
        sign = np.array([one.signs[name] for one in looked.values()])
        yield Metric(f"{step} by {name}: area", area(sign, helped > 0), "", None, 0.0, group)
        yield from _rule(f"{step} by {name}", helped, best_rule(sign, helped), group)


def area(sign: np.ndarray, is_better: np.ndarray) -> float:
    """Under the ROC curve; one half where there is nothing to tell apart."""
    better, other = sign[is_better], sign[~is_better]
    if not len(better) or not len(other):
        return 0.5
    larger = (better[:, None] > other).mean() + 0.5 * (better[:, None] == other).mean()
    return float(larger)


def best_rule(sign: np.ndarray, helped: np.ndarray) -> np.ndarray:
    """Which cases lie above the bound that gains most with none made worse."""
    highest_worse = np.max(sign[helped < 0], initial=-np.inf)
    return sign > highest_worse


def _rule(name: str, helped: np.ndarray, taken: np.ndarray, group: str) -> Iterator[Metric]:
    yield Metric(f"{name}: taken", float(taken.mean()), "share", None, 0.0, group)
    worse = float((taken & (helped < 0)).mean())
    yield Metric(f"{name}: worse", worse, "share", None, 0.0, group)
    yield Metric(f"{name}: gain", float((taken * helped).mean()), "mm", None, 0.0, group)
