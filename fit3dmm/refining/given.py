"""A given identity as evidence: how far a fit may leave it."""

import math
from dataclasses import dataclass, field, fields, replace

import torch
from torch import Tensor

from fit3dmm._settings import ranged
from fit3dmm.fitting.config import FitConfig
from fit3dmm.fitting.context import Context
from fit3dmm.fitting.evidence import Evidence
from fit3dmm.fitting.stage import Stage
from fit3dmm.model.morphable import Coefficients
from fit3dmm.solve import Residuals, Term, Values, sum_of_squares
from fit3dmm.unknowns import DETAIL, IDENTITY

_PRIORS = {IDENTITY: "identity", DETAIL: "detail"}
"""Evidence of what is known of people, by what it is about."""


@dataclass(frozen=True)
class GivenIdentity(Evidence):
    """Somebody says whose face it is."""

    identity: tuple[float, ...] = ranged((), -math.inf)
    detail: tuple[float, ...] = ranged((), -math.inf)
    """In the model's sigmas; empty where nothing was said."""
    sigma: float = 1.0
    """Of what was said, in the same."""

    def term(self, context: Context) -> Term | None:
        """None where nothing was said."""
        said = {IDENTITY: self.identity, DETAIL: self.detail}
        like = context.prepared.model.mean_mm
        wanted = {name: like.new_tensor(given) for name, given in said.items() if len(given)}
        if not wanted:
            return None

        def term(values: Values) -> Residuals:
            off = [(values[name] - given) / self.sigma for name, given in wanted.items()]

            def jacobian(free: tuple[str, ...]) -> dict[str, Tensor]:
                residual = torch.cat(off, -1)
                eye = torch.eye(residual.shape[-1]).to(residual) / self.sigma
                parts = eye.split([len(given) for given in wanted.values()], -1)
                return {n: part for n, part in zip(wanted, parts, strict=True) if n in free}

            return sum_of_squares(torch.cat(off, -1), jacobian)

        return term


@dataclass(frozen=True)
class RefineConfig(FitConfig):
    """Settings of a fit that was told whose face it is."""

    given: GivenIdentity = field(default_factory=GivenIdentity)
    """Whose face it is said to be."""


def told(config: FitConfig, coefficients: Coefficients, sigma: float | None) -> FitConfig:
    """The settings with an identity as evidence wherever a stage finds the identity.

    It takes the place of what is known of people: whoever said it knew that, too, and what the
    photo does not say stays as it was said.

    Args:
        config: of the fit.
        coefficients: what was given; where all of a kind is zero, nothing was said.
        sigma: of it; 0 leaves it as it is, None says nothing.
    """
    if sigma is None:
        return config
    if sigma == 0:
        still = tuple(
            replace(one, free=tuple(name for name in one.free if name not in (IDENTITY, DETAIL)))
            for one in config.stages
        )
        return replace(config, stages=still)
    said = {name: _said(getattr(coefficients, name)) for name in (IDENTITY, DETAIL)}
    of_people = {_PRIORS[name] for name, values in said.items() if values}

    def with_it(stage: Stage) -> Stage:
        if IDENTITY not in stage.free or not of_people:
            return stage
        kept = tuple(name for name in stage.terms if name not in of_people)
        return replace(stage, terms=(*kept, "given"))

    stages = tuple(map(with_it, config.stages))
    settings = {one.name: getattr(config, one.name) for one in fields(FitConfig)}
    given = GivenIdentity(**said, sigma=sigma)
    return RefineConfig(**{**settings, "stages": stages}, given=given)


def _said(values: Tensor) -> tuple[float, ...]:
    return tuple(values.tolist()) if bool((values != 0).any()) else ()
