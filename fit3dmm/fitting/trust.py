"""How likely a fit is to be no nearer to the truth than the mean face, and what speaks for that.

A logistic model of a few signs that can be seen without the truth. Each of them can only make a
fit worse, so that what is blamed is to blame. Its weights come from generated photos of the half
that is for choosing and from renders, as they are and made small, dark, blurred or partly covered:
`python benchmarks/run_quality.py --choose`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True, kw_only=True)
class Signs:
    """What is known of a fit without the truth; None where nothing was looked at, and in results of
    versions that did not look."""

    face_px: float
    """Longer side of the points' box in the photo."""
    landmark_error_mm: float | None = None
    """Root mean square distance of the detector's points from where it should see the model's, on
    the face; None where no detector was asked."""
    raw_error_mm: float | None = None
    """Root mean square distance of seen lips and lids from where MediaPipe saw them, taken at its
    word; None where it saw none."""
    photometric_error: float | None = None
    """Mean colour difference on the seen face as a share of its mean light; None without the
    photometric term."""
    explained_share: float | None = None
    """Share of the seen face that looks like the model there; the rest is hair, glasses, a hand or
    a hard shadow. None without the photometric term."""
    colour_evidence: float | None = None
    """Independent observations of colour that look like the face (`Photometric.correlation_mm`);
    None without the photometric term."""
    turn_deg: float | None = None
    """Angle between the head's axis and the camera's."""
    sharpness: float | None = None
    """Finest contrasts of the picture about the face, over those four times as wide."""
    distance_log_sigma: float | None = None
    """The fit's own doubt about the distance of the camera, as a natural logarithm."""
    departure: float | None = None
    """From the mean face: root mean square of the identity coefficients, in the model's sigmas."""
    point_doubt: float | None = None
    """The network's own sigma of a point of the face, as a share of the face; None where no network
    looked."""
    mean_face_chance: float | None = None
    """Chance that the mean face is as near to the truth, if the fit errs as it says
    (`fitting.nearer`)."""
    likeness: float | None = None
    """Whether the fit and the network's own face differ from the mean face in the same way: a
    correlation; None where no network looked."""
    network_looked: bool = False
    """Whether the model's own network saw the photo, which then knows the distance better."""


@dataclass(frozen=True)
class Cause:
    """Something that spoils fits."""

    amount: Callable[[Signs], float | None]
    """Rises as a fit gets worse; None where it is not known."""
    remark: Callable[[Signs], str]
    """What to say of it."""


CAUSES: Mapping[str, Cause] = {
    "points": Cause(
        lambda signs: _logarithm(signs.landmark_error_mm),
        lambda signs: (
            f"The detector's points lie {signs.landmark_error_mm:.1f} mm off what a face explains: "
            "is part of it hidden?"
        ),
    ),
    "lips and lids": Cause(
        lambda signs: _logarithm(signs.raw_error_mm),
        lambda signs: (
            f"Lips and lids lie {signs.raw_error_mm:.1f} mm off where the detector saw them: "
            "is the expression an unusual one?"
        ),
    ),
    "colours": Cause(
        lambda signs: _logarithm(signs.photometric_error),
        lambda signs: "The colours differ much from the photo's: strong shadows or a false colour?",
    ),
    "cover": Cause(
        lambda signs: None if signs.explained_share is None else 1 - signs.explained_share,
        lambda signs: (
            f"Only {100 * (signs.explained_share or 0):.0f} % of the seen face looks like one: "
            "is something before it?"
        ),
    ),
    "turn": Cause(
        lambda signs: None if signs.turn_deg is None else (signs.turn_deg / 30) ** 2,
        lambda signs: (
            f"The head is turned by {signs.turn_deg:.0f} degrees: much of the face is a guess."
        ),
    ),
    "size": Cause(
        lambda signs: -math.log(max(signs.face_px, 1.0) / 224),
        lambda signs: f"The face is {signs.face_px:.0f} px large: little of its shape can be seen.",
    ),
    "unsure": Cause(
        lambda signs: _logarithm(signs.point_doubt),
        lambda signs: _because(
            signs,
            "The network is hardly sure where the face's points are",
            "is something before it, or the light odd?",
        ),
    ),
    "mean face": Cause(
        lambda signs: _normal_score(signs.mean_face_chance),
        lambda signs: _because(
            signs,
            "The shape differs from the mean face by hardly more than it may be off",
            "the photo told little of it.",
        ),
    ),
    "two faces": Cause(
        lambda signs: None if signs.likeness is None else -signs.likeness,
        lambda signs: _because(
            signs,
            "The network and the fit see different faces in this photo",
            "the shape is uncertain.",
        ),
    ),
}
"""By name. Those without a weight below speak only where they are beyond doubt
(`fitting.quality`)."""


# Of generated photos, made worse in known ways: nine of ten that are blurred lie below the first
# number, nine of ten that are not above it; two of three that are dark lie above the second, and
# one of ten that are not.
_BLURRED, _GRAINY = 0.12, 0.4
_SMALL_PX, _FAR_TURNED_DEG = 100.0, 45.0


def _because(signs: Signs, what: str, otherwise: str) -> str:
    """What is doubtful, and what makes it so, as far as that is seen."""
    if signs.sharpness is not None and signs.sharpness < _BLURRED:
        why = "the face is blurred."
    elif signs.face_px < _SMALL_PX:
        why = f"the face is {signs.face_px:.0f} px large."
    elif signs.turn_deg is not None and signs.turn_deg > _FAR_TURNED_DEG:
        why = f"the head is turned by {signs.turn_deg:.0f} degrees."
    elif signs.sharpness is not None and signs.sharpness > _GRAINY:
        why = "the photo is grainy, as in the dark."
    else:
        why = otherwise
    return f"{what}: {why}"


# Fits whose chance is smaller are as good as certain to be nearer.
_LEAST_SCORE = -4.0


def _normal_score(chance: float | None) -> float | None:
    """The value below which a standard normal number lies with a probability."""
    if chance is None:
        return None
    least = NormalDist().cdf(_LEAST_SCORE)
    return NormalDist().inv_cdf(min(max(chance, least), 1 - least))


def _logarithm(value: float | None) -> float | None:
    return None if value is None else math.log(max(value, 1e-3))


@dataclass(frozen=True)
class Weight:
    """What a cause counts."""

    usual: float
    """Its amount on the median photo."""
    log_odds: float
    """By which a unit more raises the logarithm of the odds."""


INTERCEPT = -2.366
WEIGHTS: Mapping[str, Weight] = {
    "unsure": Weight(-4.751, 0.774),
    "mean face": Weight(-1.644, 0.481),
    "two faces": Weight(-0.785, 1.509),
}
DOUBTFUL_CHANCE = 0.2
"""Above it a fit is doubtful. Of left-out people's fits to the pictures that the weights come from
one in six was: one in three of these was worse than the mean face, of the others one in eleven."""
NOTHING_KNOWN = 1.0
"""Chance where nothing was compared with the photo."""


def failure_chance(signs: Signs) -> float:
    """Probability that the mean face would have been as near to the truth or nearer."""
    if signs.landmark_error_mm is None and signs.photometric_error is None:
        return NOTHING_KNOWN
    return 1 / (1 + math.exp(-(INTERCEPT + sum(_raised(signs).values()))))


def main_cause(signs: Signs) -> str:
    """What raises the chance of failure most over that of the median photo, in a sentence."""
    raised = _raised(signs)
    return CAUSES[max(raised, key=lambda name: raised[name])].remark(signs)


def _raised(signs: Signs) -> dict[str, float]:
    """By each cause, of the logarithm of the odds. What is not known counts as usual."""
    raised = {}
    for name, weight in WEIGHTS.items():
        amount = CAUSES[name].amount(signs)
        raised[name] = 0.0 if amount is None else weight.log_odds * (amount - weight.usual)
    return raised
