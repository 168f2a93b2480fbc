"""A face by itself, and in its photo."""

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from fit3dmm._errors import InputError
from fit3dmm.colour import srgb_to_linear
from fit3dmm.export.drawing import draw, framed, in_photo, photo_linear, sight
from fit3dmm.export.hair_hanging import HairShape
from fit3dmm.export.picture import srgb_bytes
from fit3dmm.face.make_up import parse_colour
from fit3dmm.geometry.rotation import rotation_from_angles, rotation_vector
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.photo import Photo
from fit3dmm.scene import Scene

MAX_PX = 8192
Angles = tuple[float, float, float]
"""Pitch, yaw and roll in degrees."""


def check_size(size_px: int) -> None:
    """Say so before anything is drawn where a picture has no sensible size.

    Raises:
        InputError: it is out of range.
    """
    if not 1 <= size_px <= MAX_PX:
        raise InputError(f"A picture has 1 to {MAX_PX} px on a side, got {size_px}.")


def alone(
    model: MorphableModel,
    scene: Scene,
    texture: UInt8[np.ndarray, "size size 3"] | None,
    size_px: int,
    angles_deg: Angles,
    background: str,
    hair_shape: HairShape | None = None,
) -> Image.Image:
    """The whole head before a colour.

    Args:
        model: whose head it is.
        scene: its face and light.
        texture: of the head; without one it is clay.
        size_px: side of the picture.
        angles_deg: how it is turned.
        background: a colour as CSS writes it.
        hair_shape: where hair stands off and hangs; it lies flat if left out.
    """
    behind = srgb_to_linear(torch.tensor(parse_colour(background)) / 255)
    scene = framed(model, scene, size_px, angles_deg, hair_shape)
    drawn = draw(model, scene, texture, sight(model, scene, hair_shape))
    return Image.fromarray(srgb_bytes(drawn.over(behind)))


def in_its_photo(
    model: MorphableModel,
    scene: Scene,
    texture: UInt8[np.ndarray, "size size 3"] | None,
    photo: Photo,
    size_px: int,
    angles_deg: Angles | None,
    hair_shape: HairShape | None = None,
) -> Image.Image:
    """The face over the photo; or, where it is turned otherwise, the whole head.

    Args:
        model: whose head it is.
        scene: in the frame of the photo.
        texture: of the head; without one it is clay.
        photo: the one that was fitted.
        size_px: longer side of the picture.
        angles_deg: how it is turned; None for as it was fitted.
        hair_shape: as for `alone`, of the whole head.
    """
    scene = in_photo(scene, size_px)
    behind = photo_linear(photo, scene.camera)
    if angles_deg is None:
        return Image.fromarray(srgb_bytes(draw(model, scene, texture).face_over(behind)))
    rotation = rotation_vector(torch.from_numpy(rotation_from_angles(*angles_deg)))
    turned = scene.pose.replace(rotation_rad=rotation.to(scene.pose.rotation_rad))
    scene = scene.replace(pose=turned)
    drawn = draw(model, scene, texture, sight(model, scene, hair_shape))
    return Image.fromarray(srgb_bytes(drawn.over(behind)))
