"""What the detector says of a face: 478 named points, expression scores and a first head pose."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.observe.box import Box, area_px2, box_overlap, shared_px2

N_POINTS = 478
FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""MediaPipe's points of the face's contour, from the forehead towards the subject's left."""

Turn = Literal[0, 90, 180, 270]
TURNS: tuple[Turn, ...] = (0, 90, 180, 270)

_FOREHEAD, _CHIN = 10, 152
_SAME_FACE_OVERLAP, _PART_OF_FACE = 0.3, 0.7


@dataclass(frozen=True)
class DetectedFace(TensorRecord):
    """One face, in the `photo` frame."""

    points_px: Float[Tensor, "478 2"]
    """MediaPipe's points in its own order; 468..472 and 473..477 are centre and rim of the irises
    (the subject's right one first)."""
    depth_px: Float[Tensor, "478"]
    """Depth of the points relative to the head's centre, away from the viewer, in the same scale;
    rough."""
    blendshapes: Float[Tensor, "scores"]
    """Scores 0..1 of `blendshape_names`."""
    blendshape_names: tuple[str, ...]
    """ARKit's names."""
    T_cam_canonical: Float[Tensor, "4 4"]
    """MediaPipe's pose of its canonical head (cm, axes as in `cam`) for a camera of 63 degrees."""

    @property
    def box_px(self) -> Box:
        """Left, top, right and bottom of the points."""
        low, high = self.points_px.amin(dim=0).tolist(), self.points_px.amax(dim=0).tolist()
        return low[0], low[1], high[0], high[1]

    @property
    def size_px(self) -> float:
        """Longer side of the box."""
        left, top, right, bottom = self.box_px
        return max(right - left, bottom - top)

    @property
    def upright_turn_deg(self) -> Turn:
        """The quarter turn of the photo, clockwise, that brings the face nearest to upright."""
        return turn_to_upright(self.points_px)

    def placed(self, scale: float, x_px: float, y_px: float) -> "DetectedFace":
        """The same face in a picture that is `scale` as large and starts elsewhere."""
        offset = self.points_px.new_tensor([x_px, y_px])
        return self.replace(
            points_px=scale * self.points_px + offset, depth_px=scale * self.depth_px
        )

    def unturned(self, turn_deg: Turn, width_px: int, height_px: int) -> "DetectedFace":
        """The same face before its picture was turned.

        Args:
            turn_deg: by how much it was turned, clockwise.
            width_px, height_px: of the picture that was turned.
        """
        if turn_deg == 0:
            return self
        x, y = self.points_px.unbind(1)
        back = {90: (y, height_px - x), 180: (width_px - x, height_px - y), 270: (width_px - y, x)}
        # Turning a picture back turns the head anticlockwise, which in `cam` is from x to y.
        cos, sin = {90: (0.0, 1.0), 180: (-1.0, 0.0), 270: (0.0, -1.0)}[turn_deg]
        turn = torch.eye(4)
        turn[:2, :2] = torch.tensor([[cos, -sin], [sin, cos]])
        return self.replace(
            points_px=torch.stack(back[turn_deg], 1),
            T_cam_canonical=turn.to(self.T_cam_canonical) @ self.T_cam_canonical,
        )


def turn_to_upright(points_px: Float[Tensor, "478 2"]) -> Turn:
    """The quarter turn, clockwise, of a picture after which a face is nearest to upright in it."""
    x, y = (points_px[_FOREHEAD] - points_px[_CHIN]).tolist()
    # Zero for a face that points up (y is down), 90 for one whose forehead points to the left.
    anticlockwise_deg = math.degrees(math.atan2(-x, -y))
    return TURNS[round(anticlockwise_deg / 90) % 4]


def without_repetitions(faces: list[DetectedFace]) -> list[DetectedFace]:
    """Largest first; of faces that overlap much the largest stays."""
    kept: list[DetectedFace] = []
    for face in sorted(faces, key=lambda face: -face.size_px):
        if not any(_is_same(face, other) for other in kept):
            kept.append(face)
    return kept


def overlap(a: DetectedFace, b: DetectedFace) -> float:
    """Intersection over union of two faces' boxes."""
    return box_overlap(a.box_px, b.box_px)


def same_place(a: DetectedFace, b: DetectedFace) -> bool:
    """Whether two answers are about one face."""
    return overlap(a, b) >= _SAME_FACE_OVERLAP


def _is_same(small: DetectedFace, large: DetectedFace) -> bool:
    """Whether one face is another again, or a piece of it that was taken for a face."""
    inside = shared_px2(small.box_px, large.box_px) / area_px2(small.box_px)
    return same_place(small, large) or inside >= _PART_OF_FACE
