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
    it is left out if it tells nothing of the person."""
    share_expected: float = ranged(1.5, 0.0)
    """What comes to that where another witness speaks, too: so many times the logarithm that is to
    be expected of shapes that are the same, which is the information that they have in common. On
    eight people of the validation half, each in five photos, the logarithm was 2.3 times that and
    more of the person's own photos, and 0.9 times and less of 112 strangers'."""


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
    said = torch.zeros(n, n) if recognised is None else recognised

    alone = [one.log_evidence_parts(prior) for one in parts]

    def odds_and_limit(k: int, others: Sequence[int]) -> tuple[float, float]:
        rest = summed([parts[j] for j in others])
        of_rest = alone[others[0]] if len(others) == 1 else rest.log_evidence_parts(prior)
        together = (rest + parts[k]).log_evidence_parts(prior)
        by_pull, in_common = (
            one - other - own for one, other, own in zip(together, of_rest, alone[k], strict=True)
        )
        by_witness = torch.stack([said[k, j] for j in others])
        share = settings.share_expected if by_witness.any() else 0.0
        odds = by_pull + in_common + float(by_witness.mean())
        return odds, settings.log_odds + share * in_common

    pairs, going = torch.zeros(n, n), torch.eye(n, dtype=torch.bool)
    for i in range(n):
        for j in range(i):
            pair, limit = odds_and_limit(i, [j])
            pairs[i, j] = pairs[j, i] = pair
            going[i, j] = going[j, i] = pair > limit
    # The photo that most others go with says who is meant; of equals, that which goes best.
    best = max(range(n), key=lambda k: (int(going[k].sum()), float(pairs[k].sum())))
    party = {k for k in range(n) if going[best, k]}
    odds, limits = [0.0] * n, [settings.log_odds] * n
    for _ in range(_MOST_ROUNDS):
        others = [sorted(party - {k}) or [j for j in range(n) if j != k] for k in range(n)]
        told = [odds_and_limit(k, of) for k, of in enumerate(others)]
        odds, limits = [one for one, _ in told], [limit for _, limit in told]
        found = {k for k in range(n) if odds[k] > limits[k]}
        if found == party or len(found) < 2:
            break
        party = found
    if n == 2 or len(party) < 2:
        party = set(range(n))
    strangers = tuple(k for k in range(n) if k not in party)
    contradict = len(party) == 2 and any(odds[k] <= limits[k] for k in party)
    return Verification(tuple(odds), strangers, contradict)
