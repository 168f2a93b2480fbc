"""Scores of an expression that a detector gives by name."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.energy.priors import normal_prior
from fit3dmm.fitting.context import Context
from fit3dmm.fitting.evidence.evidence import Evidence
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.observation import Observation
from fit3dmm.solve.problem import Term
from fit3dmm.unknowns import EXPRESSION

SMILES = ("mouthSmileLeft", "mouthSmileRight")
"""Blendshapes whose scores count with a sigma of their own."""
# Blendshapes that MediaPipe has names for and never scores (exactly 0 on some 300 portraits, with
# and without a smile): its silence is no observation.
_NEVER_SCORED = (
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight",
)  # fmt: skip


@dataclass(frozen=True)
class Blendshapes(Evidence):
    """The detector's scores, where the model has blendshapes of the same name."""

    unit: ClassVar[str] = "of an activation"
    sigma: float = 0.35
    """Error of a score."""
    smile_sigma: float = 0.15
    """The same of the scores of a smile, which MediaPipe tells better than others. With 0.35, real
    smiles were fitted half as strong as scored, and the person's own face took the rest."""

    def term(self, context: Context) -> Term | None:
        """None where no name is the same."""
        score, known = observed_expression(context.prepared.model, context.observation)
        if not known.any():
            return None
        names = context.prepared.model.expression_names
        smiles = torch.tensor([name in SMILES for name in names], device=known.device)
        sigma = torch.where(smiles, self.smile_sigma, self.sigma)
        return normal_prior(EXPRESSION, score, torch.where(known, sigma, torch.inf))


def observed_expression(
    model: MorphableModel, observation: Observation
) -> tuple[Float[Tensor, "expression"], Tensor]:
    """The detector's score of each of the model's blendshapes, 0 where there is none, and whether
    there is one."""
    found = zip(observation.blendshape_names, observation.blendshapes.tolist(), strict=True)
    scores = {name: score for name, score in found if name not in _NEVER_SCORED}
    names, like = model.expression_names, model.expression_sigma
    value = like.new_tensor([scores.get(name, 0.0) for name in names])
    known = torch.tensor([name in scores for name in names], device=like.device)
    low, high = model.expression_bounds.unbind(-1)
    return torch.minimum(torch.maximum(value, low), high), known
