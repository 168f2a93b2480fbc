"""Which of the photos that are said to show one person do not."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._settings import Settings, ranged
from fit3dmm.fitting.shape_evidence import PersonEvidence, summed

_MOST_ROUNDS = 10


@dataclass(frozen=True)
class Strangers(Settings):
    """When a photo counts as one of somebody else."""

    spread: float = 0.4
    """How different people look to a fit, in the spread of the prior: detectors and priors make
    everybody likelier than they are, so that two people are nearer than the model has them, and
    photos of one person agree better than their independent noise would let them. Chosen on four
    people of the validation half: with 1 the shapes of half of the strangers speak for them."""
    log_odds: float = ranged(-1.0, -1e6, 1e6)
    """Natural logarithm of the odds that a photo shows the same person as the others, below which
    it is left out."""


@dataclass(frozen=True)
class Verification:
    """What the shapes in the photos say of who is in them."""

    log_odds: tuple[float, ...]
    """Of each photo: natural logarithm of how much more likely it is if it shows the same person as
    the others that count, than if it shows anybody."""
    strangers: tuple[int, ...]
    """Photos that do not count: never one of two, as nothing says which of them is wrong."""
    contradict: bool
    """Whether the photos that count, of which there are two then, do not go together."""


def verify(
    evidence: Sequence[PersonEvidence],
    prior: Float[Tensor, "n n"],
    settings: Strangers,
    recognised: Float[Tensor, "photos photos"] | None = None,
) -> Verification:
    """Find the largest party of photos that go together, and who is not of it.

    Args:
        evidence: of each photo, on shape.
        prior: precision of the prior of shape.
        settings: when a photo counts as somebody else's.
        recognised: by another witness (a network that recognises people), for each pair of photos
            the natural logarithm of how much more likely they are of one person than of two.
    """
    parts, n = list(evidence), len(evidence)
    prior = prior / settings.spread**2
    alone = [one.log_evidence(prior) for one in parts]
    said = torch.zeros(n, n) if recognised is None else recognised

    def log_odds(k: int, others: Sequence[int]) -> float:
        rest = summed([parts[j] for j in others])
        together = (rest + parts[k]).log_evidence(prior)
        by_shape = together - rest.log_evidence(prior) - alone[k]
        return by_shape + float(torch.stack([said[k, j] for j in others]).mean())

    pairs = torch.zeros(n, n)
    for i in range(n):
        for j in range(i):
            pairs[i, j] = pairs[j, i] = log_odds(i, [j])
    # The photo that most others go with says who is meant; of equals, that which goes best.
    going = pairs > settings.log_odds
    going.fill_diagonal_(True)
    best = max(range(n), key=lambda k: (int(going[k].sum()), float(pairs[k].sum())))
    party = {k for k in range(n) if going[best, k]}
    odds = [0.0] * n
    for _ in range(_MOST_ROUNDS):
        odds = [
            log_odds(k, sorted(party - {k}) or [j for j in range(n) if j != k]) for k in range(n)
        ]
        found = {k for k in range(n) if odds[k] > settings.log_odds}
        if found == party or len(found) < 2:
            break
        party = found
    if n == 2 or len(party) < 2:
        party = set(range(n))
    strangers = tuple(k for k in range(n) if k not in party)
    contradict = len(party) == 2 and min(odds[k] for k in party) <= settings.log_odds
    return Verification(tuple(odds), strangers, contradict)
