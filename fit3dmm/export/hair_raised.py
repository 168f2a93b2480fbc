"""Where hair is raised to, and along which lines: here alone an avatar leaves the fitted head."""

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._kept import kept
from fit3dmm.model.morphable import MorphableModel

# Shares of the ellipsoid's gradient: forward over the forehead, and down below the middle.
_FORWARD, _HANGING = 0.4, 1.6


def raised(
    model: MorphableModel,
    points_mm: Float[Tensor, "vertices 3"],
    hair_mm: Float[Tensor, "vertices"] | None,
) -> Float[Tensor, "vertices 3"]:
    """A head with its hair standing off.

    Args:
        model: the one that was fitted.
        points_mm: its surface in the `model` frame, with any expression.
        hair_mm: how far hair stands off at each vertex (`export.hair_volume`); None where it lies
            flat.
    """
    return points_mm if hair_mm is None else points_mm + hair_mm[:, None] * outward(model)


@kept(most=1)
def outward(model: MorphableModel) -> Float[Tensor, "vertices 3"]:
    """Unit vectors along which hair is raised, in the `model` frame.

    They are gradients of the ellipsoid about the skull, turned up over the forehead, for hair grows
    away from it, and down below the middle, where it hangs: still gradients of a convex function,
    which never come nearer to each other, so that what is raised along them does not fold over.
    """
    middle, half = skull(model)
    x, y, z = ((model.shape_mm(model.zeros()) - middle) / half.square()).unbind(-1)
    y = y + (_HANGING - 1) * y.clamp_max(0)
    z = z + (_FORWARD - 1) * z.clamp_min(0)
    return torch.nn.functional.normalize(torch.stack([x, y, z], -1), dim=-1)


@kept(most=1)
def skull(model: MorphableModel) -> tuple[Float[Tensor, "3"], Float[Tensor, "3"]]:
    """Middle and half axes of an ellipsoid about the mean scalp, as high above its middle as it is
    long."""
    scalp = model.mean_mm[model.regions["scalp"][: model.surface.n_base] > 0.5]
    low, high = scalp.amin(0), scalp.amax(0)
    half_long = (high[2] - low[2]) / 2
    half = torch.stack([(high[0] - low[0]) / 2, half_long, half_long])
    middle = torch.stack([(high[0] + low[0]) / 2, high[1] - half_long, (high[2] + low[2]) / 2])
    return middle, half
