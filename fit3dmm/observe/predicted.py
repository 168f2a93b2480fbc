"""What a network says of a face beyond its points."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.geometry.transform import Similarity

COVERS = ("background", "skin", "hair", "glasses", "hand", "other")
"""What a place of a picture shows, in the order of the numbers that stand for it."""
BACKGROUND, SKIN, HAIR, GLASSES, HAND, OTHER = range(len(COVERS))


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
    """Natural logarithms of the sigmas that it states, in the order of `regress.outputs.SIGMAS`."""
    distance_mm: Float[Tensor, ""]
    """Of the head's origin from the camera, as the perspective of the face alone tells it."""
    distance_log_sigma: Float[Tensor, ""]
    """Sigma of its natural logarithm, as the network states it."""
    tone: Float[Tensor, ""]
    """Mean luminance of the face's albedo, linear."""
    cover: Float[Tensor, "kinds cells cells"]
    """Probability of what each cell of the crop shows: `COVERS`."""
    T_crop_photo: Similarity
    """From `photo` to the crop that was looked at."""
    crop_size_px: int

    def cover_at(self, points_px: Float[Tensor, "points 2"]) -> Float[Tensor, "kinds points"]:
        """Probability of what is seen at points of the photo. Points beyond the crop are as its
        border."""
        places = (self.T_crop_photo @ points_px) / self.crop_size_px
        # Bilinear between the cells' middles.
        found = torch.nn.functional.grid_sample(
            self.cover[None],
            (2 * places - 1)[None, None],
            align_corners=False,
            padding_mode="border",
        )
        return found[0, :, 0]

    def looked_at(self, points_px: Float[Tensor, "points 2"]) -> Bool[Tensor, "points"]:
        """Which points of the photo lie in the crop."""
        places = (self.T_crop_photo @ points_px) / self.crop_size_px
        return ((places > 0) & (places < 1)).all(-1)

    def skin_at(self, points_px: Float[Tensor, "points 2"]) -> Float[Tensor, "points"]:
        """Probability that the face itself is seen at points of the photo: no hair, glasses or
        hand. Points beyond the crop are as its border."""
        return self.cover_at(points_px)[SKIN]
