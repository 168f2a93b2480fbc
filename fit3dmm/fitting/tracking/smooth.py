"""What frames say of those before them."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.fitting.tracking.config import Motion
from fit3dmm.fitting.tracking.follow import Followed
from fit3dmm.fitting.tracking.layout import Layout
from fit3dmm.solve.block_chain import BlockChain
from fit3dmm.solve.levenberg_marquardt import bounded_step

# Rounding alone is damped: the energies of frames are about quadratic where they were left.
_DAMPING = 1e-9


def smoothed(
    frames: Sequence[Followed], layout: Layout, motion: Motion
) -> tuple[Float[Tensor, "n"], ...]:
    """The flat vectors of frames that follow each other, by all that any of them says.

    One Gauss-Newton step within bounds, from where each frame was left, on the energy of all of
    them and of the random walk between them. What came before them stands in the first one's
    `before`.

    Args:
        frames: in their order, each with the next one's start of the walk.
        layout: of their unknowns.
        motion: how far these walk.
    """
    blocks = [one.curvature for one in frames]
    gradients = [one.gradient for one in frames]
    first = frames[0].before
    if first is not None:
        blocks[0] = blocks[0] + first.information
        gradients[0] = gradients[0] + first.information @ (frames[0].x - first.mean)
    links = []
    for k, (this, following) in enumerate(pairwise(frames)):
        precision = torch.zeros_like(this.x)
        if following.before is not None:
            seconds = following.time_s - this.time_s
            precision = 1 / layout.variance(motion, seconds)
        pull = precision * (following.x - this.x)
        blocks[k] = blocks[k] + torch.diag(precision)
        blocks[k + 1] = blocks[k + 1] + torch.diag(precision)
        gradients[k] = gradients[k] - pull
        gradients[k + 1] = gradients[k + 1] + pull
        links.append(-torch.diag(precision))
    n, x = len(frames), torch.cat([one.x for one in frames])
    step = bounded_step(
        BlockChain(tuple(blocks), tuple(links)),
        torch.cat(gradients),
        x,
        (layout.low.repeat(n), layout.high.repeat(n)),
        _DAMPING,
    )
    return (x + step).split(len(frames[0].x))
