"""That no part of the face is lit by less than nothing."""

from dataclasses import dataclass
from typing import ClassVar

from fit3dmm.energy.light import positive_light_term
from fit3dmm.fitting.context import Context
from fit3dmm.fitting.evidence.evidence import Evidence
from fit3dmm.geometry.harmonics import sh_basis
from fit3dmm.solve.problem import Term
from fit3dmm.unknowns import IRRADIANCE

# A patch of this side counts once, as for the colours.
_PATCH_MM = 15.0


@dataclass(frozen=True)
class PositiveLight(Evidence):
    """Irradiance is above zero wherever the face is seen.

    A constraint of the light alone: normals stay as they are at the start of a stage, for a shape
    must not give way to keep a dark side out of the dark.
    """

    about: ClassVar[tuple[str, ...]] = (IRRADIANCE,)
    sigma_linear: float = 0.01
    """How far below zero is as much as one sigma, in linear RGB of white."""

    def term(self, context: Context) -> Term | None:
        """None where nothing of the face is seen."""
        samples = context.prepared.samples
        seen = context.surface.at(samples.places)
        shown = seen.in_front & seen.inside & (seen.facing > 0)
        if not shown.any():
            return None
        weight = samples.area_mm2[shown] / _PATCH_MM**2
        harmonics = sh_basis(seen.normal_cam[shown]).to(weight)
        return positive_light_term(harmonics, weight, self.sigma_linear)
