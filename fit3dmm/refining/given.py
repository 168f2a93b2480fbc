"""A given face as evidence: how far a fit may leave it."""

import math
from dataclasses import dataclass, field, fields, replace

import torch
from torch import Tensor

from fit3dmm._settings import ranged
from fit3dmm.fitting.config import FitConfig
from fit3dmm.fitting.context import Context
from fit3dmm.fitting.evidence import Evidence
from fit3dmm.fitting.stage import Stage
from fit3dmm.model.morphable import Coefficients, MorphableModel
from fit3dmm.solve import Residuals, Term, Values, sum_of_squares
from fit3dmm.unknowns import DETAIL, EXPRESSION, IDENTITY, JOINTS

_PRIORS = {IDENTITY: "identity", DETAIL: "detail", EXPRESSION: "expression", JOINTS: "joints"}
"""Evidence of what is known of people, by what it is about."""
_OF_PERSON = (IDENTITY, DETAIL)
_OF_MOMENT = (EXPRESSION, JOINTS)
_LEAST_SPREAD = 0.05
"""Of an activation: what people hardly ever do may still be what was given."""


@dataclass(frozen=True)
class Given(Evidence):
    """Somebody says what a face is. Each is empty where nothing was said, or is left out."""

    identity: tuple[float, ...] = ranged((), -math.inf)
    detail: tuple[float, ...] = ranged((), -math.inf)
    """In the model's sigmas."""
    expression: tuple[float, ...] = ranged((), -math.inf)
    """Activations, or the model's sigmas."""
    joints: tuple[float, ...] = ranged((), -math.inf)
    """In radians."""
    sigma: float = 1.0
    """Of identity and detail, in the model's sigmas."""
    moment_sigma: float = 1.0
    """Of expression and joints, in those of the model's spread of each."""

    def term(self, context: Context) -> Term | None:
        """None where nothing was said."""
        model = context.prepared.model
        wanted: dict[str, tuple[Tensor, Tensor]] = {}
        for name, values in self._said().items():
            if len(values):
                given = model.mean_mm.new_tensor(values)
                wanted[name] = given, self._sigma(name, model).expand_as(given)
        if not wanted:
            return None

        def term(values: Values) -> Residuals:
            off = [(values[name] - given) / sigma for name, (given, sigma) in wanted.items()]

            def jacobian(free: tuple[str, ...]) -> dict[str, Tensor]:
                rows = torch.diag(torch.cat([1 / sigma for _, sigma in wanted.values()]))
                parts = rows.split([len(given) for given, _ in wanted.values()], -1)
                return {n: part for n, part in zip(wanted, parts, strict=True) if n in free}

            return sum_of_squares(torch.cat(off, -1), jacobian)

        return term

    def _said(self) -> dict[str, tuple[float, ...]]:
        parts = (self.identity, self.detail, self.expression, self.joints)
        return dict(zip((*_OF_PERSON, *_OF_MOMENT), parts, strict=True))

    def _sigma(self, name: str, model: MorphableModel) -> Tensor:
        if name in _OF_PERSON:
            return model.mean_mm.new_tensor(self.sigma)
        if name == EXPRESSION:
            return self.moment_sigma * model.expression_sigma.clamp_min(_LEAST_SPREAD)
        assert model.rig is not None
        return self.moment_sigma * model.rig.sigma_rad


@dataclass(frozen=True)
class RefineConfig(FitConfig):
    """Settings of a fit that was told what the face is."""

    given: Given = field(default_factory=Given)
    """What it is said to be."""


def told(
    config: FitConfig, coefficients: Coefficients, trust: float | None, moment_trust: float | None
) -> FitConfig:
    """The settings with a face as evidence wherever a stage finds it.

    It takes the place of what is known of people: whoever said it knew that, too, and what the
    photo does not say stays as it was said.

    Args:
        config: of the fit.
        coefficients: what was given; where all of a kind is zero, nothing was said.
        trust: sigma of identity and detail; 0 leaves them as they are, None says nothing.
        moment_trust: the same of expression and joints, in those of the model's spread.
    """
    asked = {**dict.fromkeys(_OF_PERSON, trust), **dict.fromkeys(_OF_MOMENT, moment_trust)}
    given = {IDENTITY: coefficients.identity, DETAIL: coefficients.detail}
    given |= {EXPRESSION: coefficients.expression, JOINTS: coefficients.joints_rad}
    still = {name for name, sigma in asked.items() if sigma == 0}
    said = {name: _said(given[name]) if sigma else () for name, sigma in asked.items()}
    replaced = {_PRIORS[name] for name, values in said.items() if values}

    def with_it(stage: Stage) -> Stage:
        free = tuple(name for name in stage.free if name not in still)
        if not any(said[name] for name in free if name in said):
            return replace(stage, free=free)
        kept = tuple(name for name in stage.terms if name not in replaced)
        return replace(stage, free=free, terms=(*kept, "given"))

    stages = tuple(map(with_it, config.stages))
    if not replaced:
        return replace(config, stages=stages)
    settings = {one.name: getattr(config, one.name) for one in fields(FitConfig)}
    face = Given(
        identity=said[IDENTITY],
        detail=said[DETAIL],
        expression=said[EXPRESSION],
        joints=said[JOINTS],
        sigma=trust or 1.0,
        moment_sigma=moment_trust or 1.0,
    )
    return RefineConfig(**{**settings, "stages": stages}, given=face)


def _said(values: Tensor) -> tuple[float, ...]:
    return tuple(values.tolist()) if bool((values != 0).any()) else ()
