"""How well several photos of one person determine each of their fits."""

from collections.abc import Sequence

import torch

from fit3dmm.fitting.uncertainty import Uncertainty
from fit3dmm.solve.join import member
from fit3dmm.solve.problem import Problem


def joint_uncertainties(joined: Problem, problems: Sequence[Problem]) -> list[Uncertainty]:
    """Laplace's approximation at the start of a joint problem, for the unknowns of each photo.

    Schur's complement onto what the photos share: the cost grows with their number and no faster.

    Args:
        joined: the photos' problems as one.
        problems: of each photo, by themselves.
    """
    arrow, _ = joined.normal_equations(joined.evaluate(joined.flat_start()))
    # Scaled to a unit diagonal the matrix is well conditioned whatever the units.
    scale = arrow.diagonal().clamp_min(1e-30).rsqrt()
    scaled = arrow.scaled(scale).with_added(torch.full_like(scale, 1e-9))
    head_scale, *own_scales = scale.split(arrow.sizes)
    places = joined.slices()
    found = []
    for k, (head, between, own) in enumerate(scaled.marginals()):
        rows = torch.cat([head_scale, own_scales[k]])
        whole = torch.cat([torch.cat([head, between], 1), torch.cat([between.mT, own], 1)])
        whole = whole * rows[:, None] * rows
        start = sum(arrow.sizes[: k + 1]) - len(head_scale)
        at = {name: place for name, place in member(places, k).items()}
        every = []
        for name in problems[k].free:
            place = at[name]
            shift = 0 if place.stop <= len(head_scale) else start
            every.append(torch.arange(place.start - shift, place.stop - shift))
        chosen = torch.cat(every).to(whole.device)
        covariance = whole[chosen][:, chosen]
        like = problems[k].start[problems[k].free[0]]
        found.append(Uncertainty(problems[k].free, problems[k].sizes, covariance.to(like)))
    return found
