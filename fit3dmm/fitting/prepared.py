"""What a fit needs of a model, worked out once for all photos."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm._tensors import TensorRecord
from fit3dmm.energy.model_points import model_points
from fit3dmm.energy.points import LinearPoints, Points
from fit3dmm.energy.skinned_points import SkinnedPoints
from fit3dmm.energy.surface_samples import SurfaceSamples
from fit3dmm.fitting.detector_errors import LandmarkErrorModel, landmark_error_model
from fit3dmm.fitting.sample_cache import kept_samples
from fit3dmm.geometry.surface_points import SurfacePoints
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.model.tone import Tone
from fit3dmm.observe.detection import MEDIAPIPE, MEDIAPIPE_POINTS, NETWORK
from fit3dmm.observe.detector_errors import DetectorErrors, detector_errors
from fit3dmm.observe.face import FACE_OVAL
from fit3dmm.regress.files import Regressor
from fit3dmm.unknowns import starts

CONTOUR_LINES = "oval36"
_BROWS, _MOUTH_CORNERS = (105, 334), (61, 291)
_COVERED_WEIGHT = 0.1
# About half the width of a strand of hair or a finger: what covers a face is as wide as this.
_NEIGHBOURHOOD_MM = 10.0


@dataclass(frozen=True)
class PreparedModel(TensorRecord):
    """A model with the points at which it meets photos."""

    model: MorphableModel
    points: Mapping[str, LinearPoints | SkinnedPoints]
    """The model's point sets that detectors see, by name; MediaPipe's is always among them."""
    contour: Points
    """MediaPipe's points of the contour, and behind them, line by line, the candidates on the lines
    along which they slide, where the model has such lines."""
    detectors: Mapping[str, LandmarkErrorModel]
    """How each detector errs on its points, by its name."""
    samples: SurfaceSamples
    """Where colours are compared."""
    neighbours: Int[Tensor, "points near"]
    """The samples around each, itself among them."""
    hairless: Float[Tensor, "points"]
    """1 for samples between brows and mouth, which neither fringe nor beard covers; little for the
    others."""
    regressor: Regressor | None = None
    """The network that looks at photos, too, where the model has one."""

    @property
    def tone(self) -> Tone:
        """How light the model's faces are."""
        return self.model.tone


def prepare(
    model: MorphableModel,
    n_colour_samples: int = 2000,
    errors: Mapping[str, DetectorErrors] | None = None,
    regressor: Regressor | None = None,
) -> PreparedModel:
    """Takes some tenths of a second and 50 MB.

    Args:
        n_colour_samples: points on the face at which colours are compared.
        errors: of each detector that photos will be seen by; those of MediaPipe and of the network
            if left out.
        regressor: the network that looks at photos, too (`regress.library.regressor_of`).

    Raises:
        InputError: the model lacks a detector's points or the face region.
    """
    if errors is None:
        errors = {MEDIAPIPE: detector_errors()}
        if regressor is not None and regressor.errors is not None:
            errors[NETWORK] = regressor.errors
    point_sets = dict.fromkeys([MEDIAPIPE_POINTS, *(one.point_set for one in errors.values())])
    parts = dict.fromkeys(part for name in point_sets for part in name.split("+"))
    lacking = [name for name in parts if name not in model.landmarks]
    if lacking or "face" not in model.regions:
        raise InputError(
            f"The model {model.info.name} has no {' or '.join(lacking) or 'face'} landmarks or no "
            "face region, without which it can't be fitted: convert it again with "
            "`fit3dmm model convert`."
        )
    points = {name: _joined_points(model, name) for name in point_sets}
    samples = kept_samples(model, n_colour_samples)
    rest_mm = samples.points.at(starts(model)).mm
    return PreparedModel(
        model,
        points,
        _contour(model),
        {name: landmark_error_model(one, points[one.point_set]) for name, one in errors.items()},
        samples,
        _neighbours(samples, rest_mm),
        _hairless(rest_mm, points[MEDIAPIPE_POINTS].mean),
        regressor,
    )


def _joined_points(model: MorphableModel, point_set: str) -> LinearPoints | SkinnedPoints:
    """Points of one set, or of several that are joined by `+`, one after another."""
    return _together([model.landmarks[name] for name in point_set.split("+")], model)


def _contour(model: MorphableModel) -> LinearPoints | SkinnedPoints:
    contour = [model.landmarks[MEDIAPIPE_POINTS].take(FACE_OVAL)]
    if CONTOUR_LINES in model.contours:
        contour.append(model.contours[CONTOUR_LINES].flat())
    return _together(contour, model)


def _together(
    sets: list[SurfacePoints[Tensor]], model: MorphableModel
) -> LinearPoints | SkinnedPoints:
    places = SurfacePoints(
        torch.cat([one.triangle for one in sets]), torch.cat([one.barycentric for one in sets])
    )
    return model_points(model, places)


def _neighbours(
    samples: SurfaceSamples, points_mm: Float[Tensor, "points 3"]
) -> Int[Tensor, "points near"]:
    """As many nearest points of the mean face as stand for a disc of `_NEIGHBOURHOOD_MM`."""
    # Imported here, because settings are read and help is given without it.
    from scipy.spatial import KDTree

    disc_mm2 = math.pi * _NEIGHBOURHOOD_MM**2
    n_near = max(2, round(disc_mm2 / float(samples.area_mm2.mean())))
    places = points_mm.cpu().numpy()
    _, near = KDTree(places).query(places, k=min(n_near, len(places)))
    return torch.from_numpy(near).to(samples.area_mm2.device)


def _hairless(
    points_mm: Float[Tensor, "points 3"], landmarks_mm: Float[Tensor, "478 3"]
) -> Float[Tensor, "points"]:
    high_mm = landmarks_mm[list(_BROWS), 1].mean()
    low_mm = landmarks_mm[list(_MOUTH_CORNERS), 1].mean()
    y_mm = points_mm[:, 1]
    between = (y_mm > low_mm) & (y_mm < high_mm)
    return torch.where(between, 1.0, _COVERED_WEIGHT)
