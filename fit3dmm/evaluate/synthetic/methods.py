"""What a fit is compared with: the mean face, landmarks alone, and a first-order solver."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from fit3dmm._errors import InputError
from fit3dmm.evaluate.fitter import FittedFace, Fitter
from fit3dmm.evaluate.load_fitter import load_fitter
from fit3dmm.evaluate.preset_fitter import (
    face_of_scene,
    fingerprint,
    observe_largest,
    prepared_model,
)
from fit3dmm.fitting.config import CAMERA, DETECTOR, POSE, FitConfig, Stage, preset
from fit3dmm.fitting.context import context_at
from fit3dmm.fitting.initialise import initial_values
from fit3dmm.fitting.pipeline import fit_observation, stage_problem, torch_threads
from fit3dmm.fitting.unknowns import photo_frame, scene_of
from fit3dmm.solve.first_order import Adam, solve_adam
from fit3dmm.solve.problem import Values

METHODS = ("fit", "landmarks", "adam", "mean face")
"""`fit` is the preset or function that is examined; the others are its company."""


@dataclass(frozen=True)
class MeanFaceFitter:
    """The mean face at rest where the landmarks put it."""

    model: str = "commons"

    @property
    def fingerprint(self) -> str:
        """Everything that decides a result, but for the photo."""
        return fingerprint(self.model, f"mean face; {_POSE_ONLY}")

    def __call__(self, photo: Path) -> FittedFace | None:
        """Place it by the largest face; None where the detector finds none.

        Raises:
            InputError: the photo or the model can't be used.
        """
        observation = observe_largest(photo, _POSE_ONLY.size_px)
        if observation is None:
            return None
        prepared = prepared_model(self.model, _POSE_ONLY.skin_points)
        scene = fit_observation(observation, prepared, _POSE_ONLY).scene
        placed = scene.replace(coefficients=prepared.model.zeros())
        return face_of_scene(placed, prepared.model, has_light=False)


@dataclass(frozen=True)
class AdamFitter:
    """The same energies and stages, each solved by a fixed number of steps of Adam."""

    preset: str = "default"
    model: str = "commons"

    @property
    def fingerprint(self) -> str:
        """Everything that decides a result, but for the photo."""
        return fingerprint(self.model, f"{_ADAM}; {preset(self.preset)}")

    def __call__(self, photo: Path) -> FittedFace | None:
        """Fit the largest face; None where the detector finds none.

        Raises:
            InputError: the photo, the preset or the model can't be used.
        """
        config = preset(self.preset)
        observation = observe_largest(photo, config.size_px)
        if observation is None:
            return None
        prepared = prepared_model(self.model, config.skin_points)
        frame = photo_frame(observation, prepared.model.mean_mm)
        with torch.no_grad(), torch_threads(config.threads):
            values: Values = initial_values(prepared, observation, frame, config)
            for stage in config.stages:
                context = context_at(prepared, observation, frame, config, stage, values)
                values = solve_adam(stage_problem(context), _ADAM).values
        return face_of_scene(scene_of(values, frame), prepared.model, has_light=True)


# Of the rates 0.03, 0.1 and 0.3 the best compromise between the stages; with twice the steps the
# last energies differ by a few percent, up or down.
_ADAM = Adam(max_steps=150, rate=0.1)
_POSE_ONLY = FitConfig(
    preset="mean face",
    stages=(
        Stage("pose", POSE + CAMERA + DETECTOR, ("landmarks", "detector", "distance", "focal")),
    ),
)


def make_fitters(methods: Sequence[str], fit: str, model: str) -> dict[str, Fitter]:
    """The fitters by what the table calls them.

    Args:
        methods: of METHODS.
        fit: what `fit` stands for: a preset, or a function as `package.module:factory`.
        model: the face model that they fit.

    Raises:
        InputError: there is no such method, preset, function or model.
    """
    unknown = [name for name in methods if name not in METHODS]
    if unknown or not methods:
        raise InputError(
            f"Expected --methods of {', '.join(repr(name) for name in METHODS)}, "
            f"got {', '.join(unknown) or 'none'}."
        )
    fitters: dict[str, Fitter] = {}
    for name in dict.fromkeys(methods):
        if name == "fit":
            fitters[fit.replace(":", ".")] = load_fitter(fit, model)
        elif name == "landmarks":
            fitters[name] = load_fitter(name, model)
        elif name == "adam":
            # A function of somebody's own has no energy for another solver.
            fitters[name] = AdamFitter("default" if ":" in fit else fit, model)
        else:
            fitters[name] = MeanFaceFitter(model)
    return fitters
