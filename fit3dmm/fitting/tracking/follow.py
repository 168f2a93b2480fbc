"""One frame after another: a few steps from where the last one ended."""

from dataclasses import dataclass, replace
from functools import cached_property

from jaxtyping import Float
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.fitting.context import Context, context_at
from fit3dmm.fitting.evidence.blendshapes import observed_expression
from fit3dmm.fitting.initialise import solve_weak_perspective
from fit3dmm.fitting.prepared import PreparedModel
from fit3dmm.fitting.run import stage_problem
from fit3dmm.fitting.stage import Stage
from fit3dmm.fitting.tracking.config import TrackConfig
from fit3dmm.fitting.tracking.layout import Layout
from fit3dmm.fitting.tracking.motion import Belief, belief_term
from fit3dmm.geometry.rotation import rotation_vector
from fit3dmm.observe.detection import MEDIAPIPE
from fit3dmm.observe.observation import Observation
from fit3dmm.solve.problem import Problem, Values
from fit3dmm.solve.solvers import solve
from fit3dmm.unknowns import (
    EXPRESSION,
    IRRADIANCE,
    LOG_FOCAL,
    ROTATION,
    TRANSLATION,
    modes_of,
    starts,
)

_MOTION = "motion"


@dataclass(frozen=True)
class Followed(TensorRecord):
    """A frame as far as it and those before it tell."""

    time_s: float
    x: Float[Tensor, "n"]
    """Its unknowns as a flat vector (`Layout`), in float64."""
    curvature: Float[Tensor, "n n"]
    """Of its own energy there, without what is believed from elsewhere."""
    gradient: Float[Tensor, "n"]
    before: Belief | None
    """What earlier frames say of it; None where the face was found anew."""
    landmark_error_mm: float
    """Root mean square distance of the detector's points from where it should see the model's."""

    def belief(self) -> Belief:
        """What it says of itself, and all before it."""
        earlier = 0 if self.before is None else self.before.information
        return Belief(self.x, self.curvature + earlier)


@dataclass(frozen=True)
class Follower:
    """What all frames of a video are fitted with."""

    prepared: PreparedModel
    """Of the one person (`prepare_person`)."""
    config: TrackConfig
    log_focal: Float[Tensor, "1"]
    irradiance_sh: Float[Tensor, "9 3"]
    """Light where a face is found anew."""

    @cached_property
    def layout(self) -> Layout:
        """Of the flat vectors of frames."""
        model = self.prepared.model
        rest = {**starts(model), LOG_FOCAL: self.log_focal, IRRADIANCE: self.irradiance_sh}
        for name, one in self.prepared.detectors.items():
            rest[modes_of(name)] = model.mean_mm.new_zeros(one.errors.n_modes)
        families = [family for stage in self.config.following for family in stage.free]
        return Layout.of(rest, families, model)

    def follow(self, observation: Observation, time_s: float, last: Followed | None) -> Followed:
        """Fit one frame.

        Args:
            observation: of the face in it.
            time_s: of the frame.
            last: the frame before in which the same face was followed; None finds it anew, by all
                stages of the settings.
        """
        if last is None:
            values: Values = self._start(observation)
            for stage in self.config.frame.stages[: -self.config.n_following]:
                values = solve(self._problem(observation, stage, values)[1], stage.solver).values
            return self._solved(observation, values, None, time_s)
        walked = self.layout.variance(self.config.motion, time_s - last.time_s)
        values = self.layout.values(last.x)
        return self._solved(observation, values, last.belief().after(walked), time_s)

    def _start(self, observation: Observation) -> dict[str, Tensor]:
        """Pose in closed form, the expression that was scored."""
        prepared, rest = self.prepared, dict(self.layout.rest)
        detection = observation.detection(MEDIAPIPE)
        rest[EXPRESSION] = observed_expression(prepared.model, observation)[0]
        rotation, px_per_mm, origin_px = solve_weak_perspective(
            prepared.points[detection.point_set].at(rest).mm, detection.points_px
        )
        size_px = origin_px.new_tensor([observation.photo_width_px, observation.photo_height_px])
        x_mm, y_mm = ((origin_px - size_px / 2) / px_per_mm).tolist()
        distance_mm = float(self.log_focal.exp()) / px_per_mm
        rest[ROTATION] = rotation_vector(rotation)
        rest[TRANSLATION] = origin_px.new_tensor([x_mm, -y_mm, -distance_mm])
        return rest

    def _problem(
        self, observation: Observation, stage: Stage, values: Values
    ) -> tuple[Context, Problem]:
        context = context_at(self.prepared, observation, stage, values)
        return context, stage_problem(context, self.config.frame)

    def _solved(
        self, observation: Observation, values: Values, before: Belief | None, time_s: float
    ) -> Followed:
        """One stage after another; what one finds stands when the next begins."""
        n = len(self.layout.low)
        like = self.layout.low
        x, gradient, curvature = like.new_zeros(n), like.new_zeros(n), like.new_zeros(n, n)
        for stage in self.config.following:
            context, own = self._problem(observation, stage, values)
            rows = self.layout.rows(own.free)
            whole = own
            if before is not None:
                motion = belief_term(before.of(rows), own.free, own.flat_start())
                whole = replace(own, terms={**own.terms, _MOTION: motion})
            solution = solve(whole, stage.solver)
            values = solution.values
            at = solution.at or whole.evaluate(replace(whole, start=values).flat_start())
            # What is believed from elsewhere is no evidence of the frame's own.
            at = replace(at, terms={name: at.terms[name] for name in own.terms})
            known, slope = own.normal_equations(at)
            curvature[rows[:, None], rows], gradient[rows] = known.head, slope
            x[rows] = at.x.double()
        off_px = self.config.frame.landmarks.unexplained_px(replace(context, values=values))
        error_mm = float(off_px.square().sum(-1).mean().sqrt()) / context.px_per_mm
        return Followed(time_s, x, curvature, gradient, before, error_mm)
