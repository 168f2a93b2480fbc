"""What any system made of a benchmark's photos, refined: a fitter for `evaluate`."""

from dataclasses import dataclass, replace
from pathlib import Path

from fit3dmm._content import content_key
from fit3dmm._errors import InputError
from fit3dmm.evaluate.fitter import FittedFace
from fit3dmm.evaluate.preset_fitter import (
    fingerprint,
    fitted_face,
    keypoints85_of,
    observe_largest,
    prepared_model,
)
from fit3dmm.fitting.config import FitConfig
from fit3dmm.fitting.presets import preset
from fit3dmm.refining.read import find_start, read_start
from fit3dmm.refining.refine import refine_observation


@dataclass(frozen=True)
class RefineFitter:
    """Refines coefficients that lie in a folder, called like the photos; small, as it is sent to
    every worker."""

    folder: Path
    preset: str = "default"
    model: str = "commons"
    """The model of the coefficients: its name or file."""
    basis: Path | None = None
    """Of 3DDFA_V2, for its numbers."""

    @property
    def fingerprint(self) -> str:
        """Everything that decides a result, but for the photo: all of the folder's files.

        Raises:
            InputError: there is no such preset, model or folder.
        """
        if not self.folder.is_dir():
            raise InputError(f"There is no folder {self.folder}: give one of coefficients.")
        files = sorted(path for path in self.folder.rglob("*") if path.is_file())
        if self.basis is not None:
            files.append(self.basis)
        return f"refine {content_key('', *files)}; {fingerprint(self.model, str(self._config))}"

    def __call__(self, photo: Path) -> FittedFace | None:
        """Refine the largest face; None where the detector finds none.

        Raises:
            InputError: the photo, its coefficients, the preset or the model can't be used.
        """
        config = self._config
        prepared = prepared_model(self.model, config.photometric.n_samples)
        given = find_start(self.folder, photo)
        observation = observe_largest(photo, prepared, config)
        if observation is None:
            return None
        start = read_start(given, prepared.model, self.basis)
        result = refine_observation(observation, prepared, start, config)
        face = fitted_face(result, prepared.model)
        return replace(face, keypoints85=keypoints85_of(self.model))

    @property
    def _config(self) -> FitConfig:
        return preset(self.preset)
