"""What the makers of terms look at: one face of one photo at the start of a stage."""

from dataclasses import dataclass

from fit3dmm.fitting.config import FitConfig, Stage
from fit3dmm.fitting.initialise import intrinsics_of
from fit3dmm.fitting.prepared import PreparedModel
from fit3dmm.fitting.visibility import VisibleSurface, visible_surface
from fit3dmm.observe.observation import Observation
from fit3dmm.solve.problem import Values
from fit3dmm.unknowns import LOG_FOCAL, TRANSLATION, PhotoIntrinsics, scene_of


@dataclass(frozen=True)
class Context:
    """All that a builder of terms may look at."""

    prepared: PreparedModel
    observation: Observation
    intrinsics: PhotoIntrinsics
    config: FitConfig
    stage: Stage
    values: Values
    surface: VisibleSurface

    @property
    def px_per_mm(self) -> float:
        """Scale of the face in the photo."""
        return float(self.values[LOG_FOCAL].exp() / -self.values[TRANSLATION][2])


def context_at(
    prepared: PreparedModel,
    observation: Observation,
    config: FitConfig,
    stage: Stage,
    values: Values,
) -> Context:
    """Render the surface as it is now, to see what is seen."""
    intrinsics = intrinsics_of(observation, prepared.model.mean_mm)
    surface = visible_surface(prepared.model, observation, scene_of(values, intrinsics))
    return Context(prepared, observation, intrinsics, config, stage, values, surface)
