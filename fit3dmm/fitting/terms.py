"""Makes the terms of a stage. A new kind of evidence is a builder and a name in `BUILDERS`."""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from fit3dmm.energy.priors import correlated_prior, distance_prior, light_prior, normal_prior
from fit3dmm.fitting.colour_terms import build_photometric
from fit3dmm.fitting.context import Context
from fit3dmm.fitting.initialise import observed_expression
from fit3dmm.fitting.point_terms import build_gaps, build_iris, build_landmarks, build_silhouette
from fit3dmm.observe.observation import MEDIAPIPE
from fit3dmm.solve.problem import Term
from fit3dmm.unknowns import modes_of

Builder = Callable[[Context], Term | None]
"""Makes a term, or None where the photo or the model has nothing to say about it."""


def stage_terms(context: Context) -> dict[str, Term]:
    """The terms that the stage names, without those that have nothing to say."""
    made = {name: BUILDERS[name](context) for name in context.stage.terms}
    return {name: term for name, term in made.items() if term is not None}


def _blendshapes(context: Context) -> Term | None:
    score, known = observed_expression(context.prepared.model, context.observation)
    if not known.any():
        return None
    sigma = torch.where(known > 0, context.config.blendshape_sigma, torch.inf)
    return normal_prior("expression", score, sigma)


def _detector(context: Context) -> Term | None:
    return _coefficients(context, modes_of(MEDIAPIPE), 1.0)


def _identity(context: Context) -> Term | None:
    return _coefficients(context, "identity", context.config.identity_sigma)


def _detail(context: Context) -> Term | None:
    return _coefficients(context, "detail", context.config.detail_sigma)


def _albedo(context: Context) -> Term | None:
    return _coefficients(context, "albedo", context.config.albedo_sigma)


def _expression(context: Context) -> Term | None:
    factor = context.prepared.model.expression_covariance_factor
    if not len(factor):
        return None
    return correlated_prior("expression", factor * context.config.expression_sigma)


def _coefficients(context: Context, name: str, sigma: Tensor | float) -> Term | None:
    return normal_prior(name, 0.0, sigma) if context.values[name].numel() else None


def _distance(context: Context) -> Term:
    return distance_prior(context.config.distance_mm, context.config.distance_log_sigma)


def _focal(context: Context) -> Term:
    config, observation = context.config, context.observation
    if observation.exif_focal_px is not None:
        return normal_prior("log_focal", math.log(observation.exif_focal_px), config.exif_log_sigma)
    typical = config.focal_to_side * observation.longer_side_px
    return normal_prior("log_focal", math.log(typical), config.focal_log_sigma)


def _light(context: Context) -> Term:
    config = context.config
    return light_prior(
        config.light_level,
        config.light_level_sigma,
        config.light_direct_sigma,
        config.light_tint_sigma,
    )


BUILDERS: Mapping[str, Builder] = {
    "landmarks": build_landmarks,
    "detector": _detector,
    "gaps": build_gaps,
    "blendshapes": _blendshapes,
    "iris": build_iris,
    "silhouette": build_silhouette,
    "photometric": build_photometric,
    "identity": _identity,
    "detail": _detail,
    "expression": _expression,
    "albedo": _albedo,
    "distance": _distance,
    "focal": _focal,
    "light": _light,
}
