"""What a system made of a photo, before we know where in the photo that is."""

from dataclasses import dataclass

from fit3dmm._tensors import TensorRecord
from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.transform import Similarity
from fit3dmm.model.morphable import Coefficients
from fit3dmm.scene import Lighting, Pose


@dataclass(frozen=True)
class Start(TensorRecord):
    """Coefficients of the model that is to be fitted, and what their system says besides."""

    source: str
    """Whose numbers they are, in words."""
    coefficients: Coefficients
    pose: Pose | None = None
    """In the camera of the picture that the system saw; of an orthographic one the rotation alone
    means anything. None: the landmarks say it."""
    camera: Camera | None = None
    """Of that picture; None for an orthographic one."""
    T_picture_photo: Similarity | None = None
    """From the photo to that picture; None: a crop, which the landmarks tell."""
    lighting: Lighting | None = None
    photo_size_px: tuple[int, int] | None = None
    """Width and height of the photo that it is of, where that is known."""
    remarks: tuple[str, ...] = ()
    """What of the numbers could not be taken over, in sentences."""
