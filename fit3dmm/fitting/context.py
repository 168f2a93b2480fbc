"""What evidence looks at when it makes its term: one face of one photo at the start of a stage."""

from dataclasses import dataclass

from fit3dmm.fitting.prepared import PreparedModel
from fit3dmm.fitting.stage import Stage
from fit3dmm.fitting.visibility import VisibleSurface, visible_surface
from fit3dmm.observe.observation import Observation
from fit3dmm.solve.problem import Values
from fit3dmm.unknowns import TRANSLATION, PhotoIntrinsics, scene_of


@dataclass(frozen=True)
class Context:
    """All that a term may be made from."""

    prepared: PreparedModel
    observation: Observation
    intrinsics: PhotoIntrinsics
    stage: Stage
    values: Values
    surface: VisibleSurface

    @property
    def px_per_mm(self) -> float:
        """Scale of the face in the photo."""
        return float(self.intrinsics.focal_px(self.values) / -self.values[TRANSLATION][..., 2])


def context_at(
    prepared: PreparedModel, observation: Observation, stage: Stage, values: Values
) -> Context:
    """Render the surface as it is now, to see what is seen.

    Args:
        prepared: the model.
        observation: the face.
        stage: the one that is about to run.
        values: of all unknowns, from where it starts.
    """
    intrinsics = PhotoIntrinsics.centred(
        observation.photo_width_px, observation.photo_height_px, prepared.model.mean_mm
    )
    surface = visible_surface(prepared.model, observation, scene_of(values, intrinsics))
    return Context(prepared, observation, intrinsics, stage, values, surface)
