"""From a photo to a fitted face: observe, run the stages, judge."""

import functools
import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fit3dmm._threads import torch_threads
from fit3dmm.fitting.config import FitConfig
from fit3dmm.fitting.context import Context, context_at
from fit3dmm.fitting.crop_camera import with_camera_of_crop
from fit3dmm.fitting.hardness import with_hardness
from fit3dmm.fitting.look import look
from fit3dmm.fitting.prepared import PreparedModel, prepare
from fit3dmm.fitting.presets import preset
from fit3dmm.fitting.quality import judge
from fit3dmm.fitting.result import FitResult
from fit3dmm.fitting.run import Run, run_stages, stage_problem
from fit3dmm.fitting.uncertainty import Uncertainty, posterior, sigma_by_energy
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.choice import FaceChoice
from fit3dmm.observe.detect import FaceDetector
from fit3dmm.observe.observation import Observation
from fit3dmm.observe.photo import Photo, as_photo
from fit3dmm.regress.files import read_regressor
from fit3dmm.regress.library import regressor_of
from fit3dmm.scene import Scene
from fit3dmm.solve.alike import with_alike
from fit3dmm.solve.noise import TermProduct, term_products
from fit3dmm.solve.problem import Evaluation, Problem
from fit3dmm.unknowns import TRANSLATION, scene_of

ModelLike = str | Path | MorphableModel | PreparedModel

_PACKAGES = ("fit3dmm", "torch", "numpy", "scipy", "mediapipe", "numba")


def fit_photo(
    photo: Photo | str | Path | Any,
    model: ModelLike = "commons",
    config: FitConfig | str = "default",
    face: FaceChoice = "only",
    detector: FaceDetector | None = None,
) -> tuple[FitResult, ...]:
    """Fit those faces of a photo that are meant, the largest first. `fit3dmm.fit` and
    `fit3dmm.fit_faces` give the same with model and photo at hand.

    Args:
        photo: a file, a `Photo`, or an array `(height, width, 3)` of sRGB.
        model: a name, a file, a model, or, for several photos, what `prepare` made of one.
        config: settings, or the name of a preset.
        face: which of several, or all: see `fit3dmm.fit`.
        detector: an open one, for several photos.

    Raises:
        InputError: the photo, the model or the settings can't be used.
    """
    config = preset(config) if isinstance(config, str) else config
    photo = as_photo(photo)
    prepared = as_prepared(model, config)
    with torch_threads(config.threads):
        observations = look(photo, prepared, config, face, detector)
    return tuple(fit_observation(seen, prepared, config) for seen in observations)


def as_prepared(
    model: ModelLike, config: FitConfig, regressor: str | Path | None = None
) -> PreparedModel:
    """Load and prepare as far as that is still to be done.

    Args:
        model: a name, a file, a model, or one that is prepared already.
        config: settings of the fits that it is for.
        regressor: the file of the network that looks at photos, too; the one that ships with the
            model if left out, where one does.

    Raises:
        InputError: there is no such model or regressor, or they do not belong together.
    """
    if isinstance(model, str | Path):
        model = load_model(model)
    if isinstance(model, MorphableModel):
        network = None
        if regressor is not None:
            network = read_regressor(regressor, model)
        elif config.uses_network:
            network = regressor_of(model)
        model = prepare(model, config.photometric.n_samples, regressor=network)
    return model


def fit_observation(
    observation: Observation,
    prepared: PreparedModel,
    config: FitConfig | None = None,
    start: Scene | None = None,
) -> FitResult:
    """Run the stages on one observed face.

    Args:
        observation: one face of a photo (`look`, or `observe` where no network looks).
        prepared: the model (`prepare`).
        config: settings; the default ones if left out.
        start: where to start, in the `photo` frame; else as the settings say: with the pose by the
            landmarks, the mean face and the detector's expression, or with what the network saw.

    Raises:
        InputError: nothing was seen that the model knows, or the network did not look and is to
            say the start.
    """
    config = config or FitConfig()
    with torch.no_grad(), torch_threads(config.threads):
        like = prepared.model.mean_mm
        observation = observation.to(device=like.device, dtype=like.dtype)
        observation, config = with_camera_of_crop(observation, config)
        run = run_stages(prepared, observation, config, config.stages, start)
        return result_of(ending_of(prepared, observation, config, run), config, run)


@dataclass(frozen=True)
class Ending:
    """What is seen where a fit ended, for all who judge it."""

    context: Context
    problem: Problem
    at: Evaluation
    products: Mapping[str, TermProduct]
    """Of the terms there."""


def ending_of(
    prepared: PreparedModel, observation: Observation, config: FitConfig, run: Run
) -> Ending:
    """The end as it is judged: by the last stage of the settings, with what is seen there.

    Args:
        prepared: the model.
        observation: of the face.
        config: settings.
        run: what the stages found.
    """
    assert run.last is not None
    (context, problem), stage = run.last, config.stages[-1]
    moved = any(not torch.equal(run.values[name], before) for name, before in problem.start.items())
    # A last stage that moved nothing saw what is judged.
    at = run.at
    if moved or context.stage != stage:
        context = context_at(prepared, observation, stage, run.values, context)
        problem, at = stage_problem(context, config), None
    if at is None:
        at = problem.evaluate(problem.flat_start())
    products = with_hardness(term_products(problem, at), config, observation)
    return Ending(context, problem, at, with_alike(problem, at, products))


def result_of(
    ending: Ending, config: FitConfig, run: Run, uncertainty: Uncertainty | None = None
) -> FitResult:
    """Judge where the stages of the settings ended.

    Args:
        ending: what is seen there.
        config: settings.
        run: what the stages found.
        uncertainty: of it, where more is known than this photo says.
    """
    values, reports, context = run.values, run.reports, ending.context
    depth_mm = float(values[TRANSLATION][..., 2])
    # Told beside the rest: the doubt that the energy itself has.
    by_energy_mm = float(sigma_by_energy(ending.problem, ending.products, TRANSLATION)[-1])
    distance_log_sigma = abs(by_energy_mm / depth_mm)
    uncertainty = uncertainty or posterior(ending.problem, ending.products)
    quality = judge(context, config, ending.at, reports[-1].reason, distance_log_sigma, uncertainty)
    return FitResult(
        scene=scene_of(values, context.intrinsics),
        observation=context.observation,
        model=context.prepared.model.info,
        level=context.prepared.model.surface.level,
        config=config,
        energies=ending.at.energies(),
        stages=reports,
        quality=quality,
        uncertainty=uncertainty,
        versions=package_versions(),
        start=run.start,
    )


@functools.cache
def package_versions() -> Mapping[str, str]:
    """Of fit3dmm and the packages that matter to the numbers."""
    return {name: importlib.metadata.version(name) for name in _PACKAGES}
