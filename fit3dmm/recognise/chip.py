"""The square that the recognition network sees: a face turned, sized and shifted by five points.

Every step is differentiable, with respect to the picture and to the points.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from fit3dmm.geometry.transform import Similarity

CHIP_PX = 150
FIVE_OF_MEDIAPIPE = (263, 362, 33, 133, 2)
"""Of MediaPipe's points: outer and inner corner of the left eye, of the right eye, and the base of
the nose."""

# Where dlib puts them: in units of a square that a margin of a quarter of its side surrounds.
_WHERE = (
    (0.8595674595992, 0.2134981538014),
    (0.6460604764104, 0.2289674387677),
    (0.1205750620789, 0.2137274526848),
    (0.3340850613712, 0.2290642403242),
    (0.4901123135679, 0.6277975316475),
)
_MARGIN = 0.25
# dlib counts pixels from the centre of the first.
_HALF = 0.5


def chip_points_px() -> Float[Tensor, "5 2"]:
    """Where the five points lie in the chip."""
    where = torch.tensor(_WHERE, dtype=torch.float64)
    return (where + _MARGIN) / (1 + 2 * _MARGIN) * CHIP_PX + _HALF


def chip_from_points(points_px: Float[Tensor, "5 2"]) -> Similarity:
    """The least-squares similarity from a picture into the chip, `T_chip_image`.

    S. Umeyama, PAMI 13(4), 1991; of two dimensions, where a turn and a size are one complex number.

    Args:
        points_px: in the picture, in the order of `FIVE_OF_MEDIAPIPE`.
    """
    to = chip_points_px().to(points_px)
    here, there = points_px - points_px.mean(0), to - to.mean(0)
    spread = here.square().sum().clamp_min(1e-12)
    along = (here * there).sum() / spread
    across = (here[:, 0] * there[:, 1] - here[:, 1] * there[:, 0]).sum() / spread
    scale = torch.hypot(along, across).clamp_min(1e-12)
    cosine, sine = along / scale, across / scale
    rotation = torch.stack([torch.stack([cosine, -sine]), torch.stack([sine, cosine])])
    shift = to.mean(0) - scale * (rotation @ points_px.mean(0))
    return Similarity(rotation, shift, scale)


def extract_chip(
    image: Float[Tensor, "height width c"], T_chip_image: Similarity
) -> Float[Tensor, "150 150 c"]:
    """Resample a picture, smoothly where it is reduced; beyond its border it repeats the last
    pixel."""
    height, width = image.shape[:2]
    # As many samples along a pixel's side as about pixels of the picture lie there.
    fine = max(1, round(1 / float(T_chip_image.scale.detach())))
    at = (torch.arange(CHIP_PX * fine).to(image) + 0.5) / fine
    rows, columns = torch.meshgrid(at, at, indexing="ij")
    image_px = T_chip_image.inverse() @ torch.stack([columns, rows], -1).reshape(-1, 2)
    size = image.new_tensor([width, height])
    grid = (2 * image_px / size - 1).reshape(1, *rows.shape, 2)
    planes = image.movedim(-1, 0)[None]
    chip = F.grid_sample(planes, grid, padding_mode="border", align_corners=False)
    return F.avg_pool2d(chip, fine)[0].movedim(0, -1)
