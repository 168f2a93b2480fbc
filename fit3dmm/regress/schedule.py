"""What learns in a training, at which rate, and at which resolution."""

import math

from fit3dmm.regress.network import FaceNetwork
from fit3dmm.regress.training_settings import Phase, TrainingSettings

_NO_DECAY_BELOW = 2
"""Vectors (norms and biases) are not pulled to zero."""


def parameter_groups(network: FaceNetwork, settings: TrainingSettings) -> list[dict[str, object]]:
    """Of what learns. Trunk and head learn at rates of their own; norms and biases do not decay."""
    trunk = {id(parameter) for parameter in network.trunk.parameters()}
    groups = []
    for in_trunk, rate in ((True, settings.trunk_rate), (False, settings.learning_rate)):
        for decays in (True, False):
            chosen = [
                p for p in network.parameters()
                if p.requires_grad
                and (id(p) in trunk) == in_trunk
                and (p.ndim >= _NO_DECAY_BELOW) == decays
            ]  # fmt: skip
            decay = settings.weight_decay if decays else 0.0
            groups.append({"params": chosen, "lr": rate, "initial_lr": rate, "weight_decay": decay})
    return groups


def rate_factor(step: int, done: float, settings: TrainingSettings) -> float:
    """Linear warm-up, then half a cosine to nearly zero."""
    rise = min(1.0, (step + 1) / max(settings.warm_up, 1))
    return rise * (0.5 * (1 + math.cos(math.pi * min(done, 1.0))) + 0.002)


def phase_at(settings: TrainingSettings, done: float) -> Phase:
    """The stretch of a training that it is in.

    Args:
        done: share of the whole training that is over.
    """
    total_share = sum(phase.share for phase in settings.phases)
    until = 0.0
    for phase in settings.phases:
        until += phase.share / total_share
        if done < until - 1e-9:
            return phase
    return settings.phases[-1]
