"""What a photo shows: MediaPipe finds the face, and the model's own network looks at it again."""

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm.fitting.config import FitConfig
from fit3dmm.fitting.crop_camera import by_five_points
from fit3dmm.fitting.prepared import PreparedModel
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.choice import FaceChoice, NoFaceError
from fit3dmm.observe.detect import FaceDetector
from fit3dmm.observe.detection import GIVEN_BOX, MEDIAPIPE, NETWORK, Detection
from fit3dmm.observe.observation import Observation, observe, observe_face
from fit3dmm.observe.photo import Photo
from fit3dmm.observe.predicted import Predicted
from fit3dmm.regress.outputs import BLOCKS, SIGMAS
from fit3dmm.regress.prediction import FACE_POINTS, Prediction, predict
from fit3dmm.regress.search import MOST_DOUBT, face_box, face_doubt, find_face
from fit3dmm.unknowns import JOINTS, values_of

_USUAL_ERROR = 0.015
"""Of MediaPipe's points, in units of the face's longer side."""
_THE_FIRST: tuple[FaceChoice, ...] = ("only", "largest", "all", 1)
_MOST_APART = 3.0
"""Mean squared distance of two detectors' points, in sigmas of both, beyond which one is wrong."""


def look(
    photo: Photo,
    prepared: PreparedModel,
    config: FitConfig,
    face: FaceChoice = "only",
    detector: FaceDetector | None = None,
) -> tuple[Observation, ...]:
    """Find faces in a photo, as `observe` does, and show them to the network if there is one.

    Where MediaPipe sees no face the network looks for one, too: it knows profiles.

    Args:
        photo: where to look.
        prepared: the model, with its network.
        config: settings of the fit.
        face: which of several faces, or `all`, or the box where it is: there the network looks
            even where MediaPipe sees none.
        detector: one that is open already.

    Raises:
        InputError: no face, no such face, or several where one was meant.
    """
    regressor = prepared.regressor if config.uses_network else None
    try:
        found = observe(photo, config.size_px, face, detector)
    except NoFaceError:
        if regressor is None or face not in _THE_FIRST:
            raise
        box = find_face(regressor.network, photo, regressor.info.size_px)
        if box is None:
            raise
        found = (observe_face(photo, box, config.size_px),)
    if regressor is None and any(MEDIAPIPE not in one.detections for one in found):
        raise InputError(
            f"MediaPipe sees no face in the given box of {photo.name}, and no network looks there: "
            f"the model {prepared.model.info.name} has none or the settings leave it out. Give the "
            "box of the face from brows to chin, or a model with a network."
        )
    return tuple(seen_by_network(one, photo, prepared, config) for one in found)


def seen_by_network(
    observation: Observation,
    photo: Photo,
    prepared: PreparedModel,
    config: FitConfig,
    passes: int = 2,
) -> Observation:
    """The observation with what the model's network sees; as it is where there is none.

    Where MediaPipe saw no face, or sees it clearly elsewhere, the network alone counts, and the
    crop is taken anew around its points.

    Args:
        observation: of a face that was found.
        photo: where it was found.
        prepared: the model, with its network.
        config: settings of the fit.
        passes: looks of the network (`regress.prediction.predict`).
    """
    if config.crop == "five points":
        observation = by_five_points(observation, photo, prepared.model)
    regressor = prepared.regressor
    if regressor is None or not config.uses_network:
        return observation
    prediction = predict(
        regressor.network,
        photo,
        observation.face_points_px,
        regressor.info.size_px,
        config.focal_px or observation.exif_focal_px,
        passes,
    )
    if not observation.detections.keys() - {GIVEN_BOX[0]} and face_doubt(prediction) > MOST_DOUBT:
        raise NoFaceError(
            f"No face was found in the given box of {photo.name}: give the left, top, right and "
            "bottom of a face from brows to chin in px of the upright photo."
        )
    point_set = "+".join(regressor.info.point_sets)
    seen = Detection(NETWORK, point_set, prediction.points_px, prediction.covariance_px2)
    known = NETWORK in prepared.detectors and seen.has_mediapipe_points
    if known and not _agree(observation.detections.get(MEDIAPIPE), seen):
        observation = observe_face(photo, face_box(prediction), observation.size_px)
    predicted = _predicted(prediction)
    if not regressor.knows_coefficients:
        predicted = _without_coefficients(predicted, prepared.model)
    return observation.seen_by(seen).replace(predicted=predicted)


def _agree(other: Detection | None, network: Detection) -> bool:
    """Whether another detector sees the face about where the network does.

    In near profiles, and where a cheek looks like a face to it, MediaPipe's points lie anywhere.
    The mean squared distance in sigmas tells: on 232 upright portraits it was 2.1 at most, and in
    the five photos beyond 3 that were looked at, turned by 50 degrees and more, the network was
    right.
    """
    if other is None:
        return False
    face_px = _face_of(network)
    apart_px = other.points_px[: len(face_px)] - face_px
    size_px = (face_px.amax(0) - face_px.amin(0)).max()
    usual_px2 = (_USUAL_ERROR * size_px) ** 2 * torch.eye(2).to(face_px)
    assert network.covariance_px2 is not None
    covariance_px2 = network.covariance_px2[: len(face_px)] + usual_px2
    weighed = torch.linalg.solve(covariance_px2, apart_px[..., None])[..., 0]
    return bool((apart_px * weighed).sum(-1).mean() < _MOST_APART)


def _face_of(network: Detection) -> Float[Tensor, "468 2"]:
    return network.points_px[:FACE_POINTS]


def _predicted(prediction: Prediction) -> Predicted:
    # A network knows nothing of joints.
    values = {name: one for name, one in values_of(prediction.scene).items() if name != JOINTS}
    return Predicted(
        **values,
        log_sigmas=torch.stack([prediction.log_sigmas[name] for name in SIGMAS]),
        distance_mm=prediction.distance_mm,
        distance_log_sigma=prediction.log_sigmas["log_distance"].exp(),
        tone=prediction.tone,
        cover=prediction.cover,
        T_crop_photo=prediction.T_crop_photo,
        crop_size_px=prediction.crop_size_px,
    )


def _without_coefficients(predicted: Predicted, model: MorphableModel) -> Predicted:
    """The same of the mean face of another model than the network's, of whom it knows nothing."""
    rest = model.zeros()
    log_sigmas = predicted.log_sigmas.clone()
    log_sigmas[[SIGMAS.index(name) for name in BLOCKS]] = 0.0
    of_rest = {name: getattr(rest, name) for name in BLOCKS}
    return predicted.replace(**of_rest, log_sigmas=log_sigmas)
