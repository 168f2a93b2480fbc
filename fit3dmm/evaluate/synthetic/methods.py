"""What a fit is compared with: the mean face, landmarks alone, and a first-order solver."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fit3dmm._errors import InputError
from fit3dmm.evaluate.fitter import FittedFace, Fitter, load_fitter
from fit3dmm.evaluate.preset_fitter import (
    fingerprint,
    fitted_face,
    observe_largest,
    prepared_model,
)
from fit3dmm.fitting.config import CAMERA, POSE, FitConfig, Stage
from fit3dmm.fitting.pipeline import fit_observation

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
        result = fit_observation(observation, prepared, _POSE_ONLY)
        at_rest = prepared.model.zeros().to(device=prepared.model.mean_mm.device)
        placed = result.scene.replace(coefficients=at_rest)
        return fitted_face(result.replace(scene=placed), prepared.model)


_POSE_ONLY = FitConfig(
    preset="mean face",
    stages=(Stage("pose", POSE + CAMERA, ("landmarks", "distance", "focal")),),
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
        elif name == "mean face":
            fitters[name] = MeanFaceFitter(model)
    return fitters
