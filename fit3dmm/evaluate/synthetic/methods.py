"""What a fit is compared with: the mean face, landmarks alone, and a first-order solver."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fit3dmm._errors import InputError
from fit3dmm.evaluate.fitter import FittedFace, Fitter
from fit3dmm.evaluate.load_fitter import load_fitter
from fit3dmm.evaluate.preset_fitter import (
    PresetFitter,
    face_of_scene,
    fingerprint,
    observe_largest,
    prepared_model,
)
from fit3dmm.fitting.config import CAMERA, DETECTOR, POSE, FitConfig, Stage
from fit3dmm.fitting.pipeline import fit_observation
from fit3dmm.solve.first_order import Adam

METHODS = ("fit", "landmarks", "adam", "mean face")
"""`fit` is the preset or function that is examined; the others are the baselines."""


@dataclass(frozen=True)
class MeanFaceFitter:
    """The mean face at rest where the landmarks put it."""

    model: str = "commons"

    @property
    def fingerprint(self) -> str:
        """Everything that decides a result, but for the photo."""
        return fingerprint(self.model, f"mean face; {POSE_ONLY}")

    def __call__(self, photo: Path) -> FittedFace | None:
        """Place it by the largest face; None where the detector finds none.

        Raises:
            InputError: the photo or the model can't be used.
        """
        prepared = prepared_model(self.model, POSE_ONLY.photometric.n_samples)
        observation = observe_largest(photo, prepared, POSE_ONLY)
        if observation is None:
            return None
        scene = fit_observation(observation, prepared, POSE_ONLY).scene
        placed = scene.replace(coefficients=prepared.model.zeros())
        return face_of_scene(placed, prepared.model, has_light=False)


# Of the rates 0.03, 0.1 and 0.3 the best compromise between the stages; with twice the steps the
# last energies differ by a few percent, up or down.
_ADAM = Adam(max_steps=150, learning_rate=0.1)
POSE_ONLY = FitConfig(
    preset="mean face",
    stages=(
        Stage(
            "pose",
            POSE + CAMERA + DETECTOR,
            ("landmarks", "network", "detector_modes", "distance", "focal"),
        ),
    ),
)
"""Where the detectors' points put a face, and nothing about the face itself."""


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
            fitters[name] = PresetFitter("default" if ":" in fit else fit, model, _ADAM)
        else:
            fitters[name] = MeanFaceFitter(model)
    return fitters
