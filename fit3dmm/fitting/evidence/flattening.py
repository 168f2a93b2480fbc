"""That skin has about one colour."""

from dataclasses import dataclass
from typing import ClassVar

from fit3dmm.energy.flattening import flattening_term
from fit3dmm.fitting.context import Context
from fit3dmm.fitting.evidence.evidence import Evidence
from fit3dmm.solve.problem import Term
from fit3dmm.unknowns import ALBEDO, Per

_REGION = "skin"


@dataclass(frozen=True)
class Flattening(Evidence):
    """The variance of albedo over the even part of the skin is small: texture flattening.

    The region is the model's `skin`: in Commons cheeks, nose, forehead, temples and jaw, without
    brows, lips, nostrils and what surrounds the eyes. Light and shade that the harmonics can't
    follow must not become colour.
    """

    per: ClassVar[Per] = "person"
    about: ClassVar[tuple[str, ...]] = (ALBEDO,)
    sigma_linear: float = 0.03
    """Root of the variance that is as likely as one sigma, in linear RGB."""

    def term(self, context: Context) -> Term | None:
        """None where a model has no such region or no colours that vary."""
        model, samples = context.prepared.model, context.prepared.samples
        if _REGION not in model.regions or not model.n_albedo:
            return None
        even = samples.places.locate(model.regions[_REGION][:, None], model.surface.triangles)
        weight = samples.area_mm2 * even[:, 0]
        if not weight.any():
            return None
        return flattening_term(
            samples.albedo_mean_linear, samples.albedo_basis_linear, weight, self.sigma_linear
        )
