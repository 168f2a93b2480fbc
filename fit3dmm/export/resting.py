"""What a person looks like at rest, which is not with all blendshapes at zero.

Blendshapes pull one way only, so that whatever fits make of a calm face is above zero: on neutral
photos of 26 people lids were 0.8 mm less open than with all at zero, mouths 2 mm wider and shut
(`data/resting.csv`, the mean activations). With zeros an avatar stares and pouts. So a person rests
as people do on average; and as their own photo shows them, where it shows them calm.
"""

import csv
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm._files import data_path
from fit3dmm._kept import kept
from fit3dmm._settings import Settings, ranged
from fit3dmm.energy.model_points import point_values
from fit3dmm.export.alignment import BROWS, LIDS, LIPS
from fit3dmm.export.smoothing import ramp
from fit3dmm.model.morphable import Coefficients, MorphableModel
from fit3dmm.observe.detection import MEDIAPIPE_POINTS

_TABLE, _FAMILY = "resting.csv", "commons"
# Blendshapes by the beginning of their names, and the points that they are to move; the last are
# all others.
_GROUPS = (("eye", LIDS), ("brow", BROWS), ("", LIPS))
_EYES, _MOUTH = 0, 2
_SMILE = "mouthSmile"


@dataclass(frozen=True)
class RestSettings(Settings):
    """How far from the usual rest a calm face may be.

    Root mean square lengths in mm by which an expression moves lids, brows and lips from where they
    usually rest: up to the first it is the person's own rest, from the second on it tells nothing
    of it. Chosen by 26 people's neutral and smiling photos.
    """

    lids_mm: tuple[float, float] = ranged((1.0, 2.0), 0.0)
    brows_mm: tuple[float, float] = ranged((1.5, 3.0), 0.0)
    lips_mm: tuple[float, float] = ranged((0.7, 1.5), 0.0)
    smile_left: float = ranged(0.03, 0.0, 1.0)
    """Activation of a smile, at most, that fits take for the person's shape where a photo does not
    show the rest: so much less of it is added. It is no more after broad smiles: over the middle of
    the lips the corners of 51 mouths came out 0.4 mm too high without, whatever the smile, and 0.6
    mm too low at the broadest ones by a share of it, which looks sour."""


def resting(
    model: MorphableModel, *shown: Coefficients, settings: RestSettings | None = None
) -> Float[Tensor, "expression"]:
    """Activations at rest; zeros for a model of which it is not known.

    Args:
        model: the one that was fitted.
        shown: the person in each photo.
        settings: how calm is calm.
    """
    usual = usual_rest(model)
    if not usual.any():
        return usual
    settings = settings or RestSettings()
    calm, own, smile = (torch.zeros_like(usual) for _ in range(3))
    for one in shown:
        missing = len(usual) - one.expression.shape[-1]
        away = torch.nn.functional.pad(one.expression.to(usual), (0, missing)) - usual
        trust = _calm(model, away, settings)
        calm, own = calm + trust, own + trust * away
        smile = smile + away.clamp_min(0) / len(shown)
    smiles = usual.new_tensor([name.startswith(_SMILE) for name in model.expression_names])
    in_shape = smiles * (1 - calm).clamp_min(0) * smile.clamp_max(settings.smile_left)
    low, high = model.expression_bounds.unbind(-1)
    rest = usual + own / calm.clamp_min(1) - in_shape
    return torch.minimum(torch.maximum(rest, low), high)


@kept(most=1)
def usual_rest(model: MorphableModel) -> Float[Tensor, "expression"]:
    """Activations of resting people on average, by fits of their photos."""
    known: dict[str, float] = {}
    if model.info.family == _FAMILY:
        with data_path(_TABLE).open(encoding="ascii", newline="") as file:
            known = {row["blendshape"]: float(row["activation"]) for row in csv.DictReader(file)}
    if not known.keys() <= set(model.expression_names) or MEDIAPIPE_POINTS not in model.landmarks:
        known = {}
    return model.expression_sigma.new_tensor([known.get(n, 0.0) for n in model.expression_names])


def from_rest(
    expression: Float[Tensor, "given"], rest: Float[Tensor, "expression"]
) -> Float[Tensor, "expression"]:
    """Activations as shares of what is left of each movement from rest: 0 at rest, 1 at the full
    movement, below 0 for less than there is at rest.

    Args:
        expression: activations; it may be shorter than the basis.
        rest: those at rest.
    """
    given = torch.nn.functional.pad(expression, (0, len(rest) - expression.shape[-1]))
    return (given - rest) / (1 - rest)


def _calm(
    model: MorphableModel, away: Float[Tensor, "expression"], settings: RestSettings
) -> Float[Tensor, "expression"]:
    """How surely each blendshape is as at rest, 0..1."""
    group, moved = _groups(model)
    limits = (settings.lids_mm, settings.brows_mm, settings.lips_mm)
    trust = []
    for k, (points, limit) in enumerate(zip(moved, limits, strict=True)):
        shift_mm = torch.einsum("pkx,k->px", points, away * (group == k))
        trust.append(1 - ramp(shift_mm.square().sum(-1).mean().sqrt(), limit))
    # A smile narrows the eyes, by little, and alike to lids that hang a little by nature.
    trust[_EYES] = trust[_EYES] * trust[_MOUTH]
    return torch.stack(trust)[group]


@kept(most=1)
def _groups(
    model: MorphableModel,
) -> tuple[Int[Tensor, "expression"], tuple[Float[Tensor, "points expression 3"], ...]]:
    """Which group each blendshape belongs to, and by how much each moves each group's points."""
    starts = [start for start, _ in _GROUPS]
    group = [
        next(k for k, start in enumerate(starts) if name.startswith(start))
        for name in model.expression_names
    ]
    places = model.landmarks[MEDIAPIPE_POINTS]
    moved = tuple(
        point_values(model, places.take(points), model.expression_basis_mm) for _, points in _GROUPS
    )
    return torch.tensor(group, device=model.mean_mm.device), moved
