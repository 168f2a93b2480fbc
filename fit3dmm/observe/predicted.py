"""What a network says of a face beyond its points."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.geometry.transform import Similarity


@dataclass(frozen=True)
class Predicted(TensorRecord):
    """A face as a network tells it from one crop; the first eight are the scene's unknowns, by
    their names, in the camera of the photo."""

    identity: Float[Tensor, "identity"]
    detail: Float[Tensor, "detail"]
    expression: Float[Tensor, "expression"]
    albedo: Float[Tensor, "albedo"]
    rotation_rad: Float[Tensor, "3"]
    translation_mm: Float[Tensor, "3"]
    log_focal: Float[Tensor, "1"]
    irradiance_sh: Float[Tensor, "9 3"]
    log_sigmas: Float[Tensor, "ten"]
    """Natural logarithms of the sigmas that it states, in the order of `regress.network.SIGMAS`."""
    tone: Float[Tensor, ""]
    """Mean luminance of the face's albedo, linear."""
    cover: Float[Tensor, "kinds cells cells"]
    """Probability of what each cell of the crop shows: `synthetic.fast.COVERS`."""
    T_crop_photo: Similarity
    """From `photo` to the crop that was looked at."""
    crop_size_px: int
