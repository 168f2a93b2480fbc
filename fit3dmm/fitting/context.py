"""What evidence looks at when it makes its term: one face of one photo at the start of a stage."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.fitting.prepared import PreparedModel
from fit3dmm.fitting.stage import Stage
from fit3dmm.fitting.visibility import VisibleSurface, visible_surface
from fit3dmm.observe.observation import Observation
from fit3dmm.solve.problem import Values
from fit3dmm.unknowns import ALBEDO, IRRADIANCE, TRANSLATION, PhotoIntrinsics, scene_of


@dataclass(frozen=True)
class Context:
    """All that a term may be made from."""

    prepared: PreparedModel
    observation: Observation
    intrinsics: PhotoIntrinsics
    stage: Stage
    values: Values
    _before: "Context | None" = field(default=None, compare=False, repr=False)
    _last: dict[Any, tuple[Values, bool, Any]] = field(
        default_factory=dict, compare=False, repr=False
    )

    @cached_property
    def surface(self) -> VisibleSurface:
        """What is seen, rendered when it is first asked for; that of the context before, where
        nothing has moved since."""
        scene = scene_of(self.values, self.intrinsics)
        before = self._before
        if before is not None and before._shows_the_same_shape(self):
            return replace(before.surface, scene=scene)
        return visible_surface(self.prepared.model, self.observation, scene)

    def _shows_the_same_shape(self, other: "Context") -> bool:
        """Whether all but the colours is equal."""
        same = self.observation is other.observation and self.prepared is other.prepared
        return same and all(
            torch.equal(value, other.values[name])
            for name, value in self.values.items()
            if name not in (ALBEDO, IRRADIANCE)
        )

    @property
    def px_per_mm(self) -> float:
        """Scale of the face in the photo."""
        return float(self.intrinsics.focal_px(self.values) / -self.values[TRANSLATION][..., 2])

    def once(self, what: Any, values: Values, make: Callable[[], Any]) -> Any:
        """What several terms need at the same values: made by the first of them that asks.

        Args:
            what: its name.
            values: of an evaluation; all terms of one are given the same mapping.
            make: how it is made.
        """
        grad = torch.is_grad_enabled()
        last = self._last.get(what)
        # By identity: equal values of another evaluation have another graph.
        if last is None or last[0] is not values or last[1] != grad:
            last = self._last[what] = (values, grad, make())
        return last[2]


def context_at(
    prepared: PreparedModel,
    observation: Observation,
    stage: Stage,
    values: Values,
    before: Context | None = None,
) -> Context:
    """What evidence looks at as it is now.

    Args:
        prepared: the model.
        observation: the face.
        stage: the one that is about to run.
        values: of all unknowns, from where it starts.
        before: of the stage before, whose surface serves again where it has not moved.
    """
    intrinsics = PhotoIntrinsics.centred(
        observation.photo_width_px, observation.photo_height_px, prepared.model.mean_mm
    )
    if observation.axis_px is not None:
        intrinsics = intrinsics.replace(principal_point_px=observation.axis_px)
    if stage.white_light:
        values = {**values, IRRADIANCE: white(values[IRRADIANCE])}
    return Context(prepared, observation, intrinsics, stage, values, before)


def white(irradiance_sh: Float[Tensor, "9 3"]) -> Float[Tensor, "9 3"]:
    """The same light without its colour."""
    return irradiance_sh.mean(-1, keepdim=True).expand_as(irradiance_sh)
