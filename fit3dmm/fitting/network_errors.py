"""How a model's own network errs: it looks at rendered people whose points are known."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm.fitting.detector_errors import upright_axes
from fit3dmm.fitting.learn_errors import Seen, learn_errors, mirror_of
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.detector_errors import DetectorErrors
from fit3dmm.regress.batch import Batch, batch_of, resized, rolled
from fit3dmm.regress.network import AT_ONCE, FaceNetwork
from fit3dmm.regress.outputs import Outputs
from fit3dmm.regress.prediction import CROP_MARGIN, FACE_POINTS
from fit3dmm.synthetic.fast.example import Example

NETWORK_VIEWS_DEG = (-80.0, -60.0, -40.0, -20.0, 0.0, 20.0, 40.0, 60.0, 80.0)
FEWEST_PICTURES = 1000
"""Every view needs more faces than it has modes."""


def learn_network_errors(
    network: FaceNetwork,
    examples: Iterable[Example],
    model: MorphableModel,
    point_sets: Sequence[str],
    size_px: int,
) -> DetectorErrors:
    """Learn the table of a network's errors, in the sigmas that it tells.

    Args:
        network: a trained one.
        examples: pictures that it was not trained on, `FEWEST_PICTURES` or more.
        model: whose points they are.
        point_sets: of the model, that the network sees.
        size_px: side of the crops that it looks at.

    Raises:
        InputError: there are too few pictures.
    """
    parts = list(looks(network, examples, size_px))
    n_pictures = sum(len(part.distance_mm) for part in parts)
    if n_pictures < FEWEST_PICTURES:
        raise InputError(
            f"The errors of a network are learned from {FEWEST_PICTURES} pictures or more, got "
            f"{n_pictures}."
        )
    seen = joined(parts)
    zeros = model.zeros()
    mean_mm = np.concatenate(
        [model.landmarks_mm(name, zeros).double().numpy() for name in point_sets]
    )
    errors, _ = learn_errors(
        seen, mean_mm, mirror_of(mean_mm), "+".join(point_sets), NETWORK_VIEWS_DEG
    )
    return errors


@torch.no_grad()
def looks(network: FaceNetwork, examples: Iterable[Example], size_px: int) -> Iterator[Seen]:
    """What the network sees of pictures beside what is true, some pictures at a time.

    It looks twice, as `regress.prediction.predict` does: at the picture, then around what it saw.
    """
    chunk: list[Example] = []
    for example in examples:
        chunk.append(example)
        if len(chunk) == AT_ONCE:
            yield _look(network, chunk, size_px)
            chunk = []
    if chunk:
        yield _look(network, chunk, size_px)


def joined(parts: Sequence[Seen]) -> Seen:
    """One record of several."""

    def together(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts])

    names = ("error_mm", "points_mm", "forward", "distance_mm", "told_mm")
    return Seen(*(together(name) for name in names))


def _look(network: FaceNetwork, examples: list[Example], size_px: int) -> Seen:
    batch = resized(batch_of(examples), size_px)
    centred = around(batch, network(batch.image_srgb).points)
    points_mm = torch.from_numpy(np.stack([example.points_mm for example in examples]))
    return compare(network(centred.image_srgb), centred, points_mm)


def around(batch: Batch, points: Float[Tensor, "batch points 2"]) -> Batch:
    """The crops that `predict` would take around points.

    Args:
        batch: pictures with their labels.
        points: where a face was seen, in crops' sides.
    """
    face = points[:, :FACE_POINTS]
    low, high = face.amin(1), face.amax(1)
    zoom = 1 / (CROP_MARGIN * (high - low).amax(1)).clamp(0.2, 2.0)
    shift = -zoom[:, None] * ((low + high) / 2 - 0.5)
    return rolled(batch, torch.zeros_like(zoom), zoom, shift)


def compare(outputs: Outputs, batch: Batch, points_mm: Float[Tensor, "batch points 3"]) -> Seen:
    """What the network says beside what is true.

    Args:
        outputs: of the pictures.
        batch: with their labels.
        points_mm: the true points in `model`.
    """
    side = batch.size_px
    upright = upright_axes(batch.rotation[:, :2, 1])
    mm_per_px = -batch.translation_mm[:, 2] / batch.focal_px
    # The picture's y is down.
    to_mm = mm_per_px[:, None, None] * upright * upright.new_tensor([1.0, -1.0])
    error_px = side * outputs.points - batch.points_px
    covariance_px2 = side**2 * outputs.covariance
    turn = to_mm[:, None]
    told_mm = torch.linalg.cholesky(turn @ covariance_px2 @ turn.mT)
    across = (upright @ batch.rotation[:, :2, 2:])[..., 0]
    forward = torch.cat([across, batch.rotation[:, 2:, 2]], -1)
    arrays = (
        error_px @ to_mm.mT,
        points_mm,
        forward,
        -batch.translation_mm[:, 2],
        told_mm,
    )
    return Seen(*(array.double().numpy() for array in arrays))
