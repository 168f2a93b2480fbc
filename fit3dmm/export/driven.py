"""How far an expression is on its way from rest to the fitted one.

Folds come and go with the expression that makes them. A texture that keeps those of the photo
(`texture.with_folds`) is worn by this share, and that of rest by what is left.
"""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from fit3dmm._kept import kept
from fit3dmm.model.morphable import MorphableModel

# Root mean square movement of the face (mm) below which an expression makes no folds.
_STILL_MM = 0.1


def share_driven(
    model: MorphableModel,
    shown: Float[Tensor, "given"],
    fitted: Float[Tensor, "given"],
    rest: Float[Tensor, "expression"],
) -> float:
    """0 at rest and for expressions that have nothing of the fitted one, 1 for it itself.

    It is the part of the fitted movement that is made, times the cosine between what is made and
    what was fitted, both as movements of the face.

    Args:
        model: whose blendshapes they are.
        shown: activations; they may be shorter than the basis.
        fitted: those of the photo.
        rest: those at rest.
    """
    gram = movement_products_mm2(model)
    made, whole = (_padded(one, len(rest)) - rest for one in (shown, fitted))
    along, length2 = float(made @ gram @ whole), float(whole @ gram @ whole)
    own2 = float(made @ gram @ made)
    if min(length2, own2) < _STILL_MM**2:
        return 0.0
    return min(max(along / length2, 0.0), 1.0) * max(along / (length2 * own2) ** 0.5, 0.0)


@kept(most=1)
def movement_products_mm2(model: MorphableModel) -> Float[Tensor, "expression expression"]:
    """Mean scalar products of what two blendshapes do to the vertices of the face."""
    face = model.regions["face"][: model.surface.n_base]
    moved = (model.expression_basis_mm * face[:, None].sqrt()).flatten(1)
    return moved @ moved.mT / face.sum()


def blended(
    rest: UInt8[np.ndarray, "size size 3"], folded: UInt8[np.ndarray, "size size 3"], share: float
) -> UInt8[np.ndarray, "size size 3"]:
    """Two textures, so much of the second.

    Args:
        rest: without folds.
        folded: with them.
        share: 0..1.
    """
    if share <= 0:
        return rest
    mixed = rest + share * (folded.astype(np.float32) - rest)
    return np.round(mixed).astype(np.uint8)


def _padded(values: Tensor, n: int) -> Tensor:
    return torch.nn.functional.pad(values, (0, n - values.shape[-1]))
