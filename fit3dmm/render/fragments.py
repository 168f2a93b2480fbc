"""What a rasteriser takes and gives: the contract that every backend keeps.

**In.** Vertices in clip space, (batch, vertices, 4), as `Camera.to_clip` makes them, and triangles.
x_px = (x/w + 1) width / 2 and y_px = (y/w + 1) height / 2 with y down: row 0 is the top row, and
the centre of the pixel in column c and row r lies at (c + 0.5, r + 0.5).

**Which triangle a pixel shows.** Of the triangles that cover the pixel's centre, the one with the
smallest z/w there, within -1..1. Exactly equal depths have no right answer: it is one of the tied
triangles, and the same one whenever the same backend draws the same input again. Corners are
rounded to 1/256 px before the test (1/16 px in nvdiffrast), and a centre on a shared edge belongs
to exactly one of the two triangles. Both sides of a triangle are drawn: nothing is culled.

**What is left out.** A triangle is dropped whole where one of its corners is at or behind the
camera (w <= 0), is not finite, or falls further than 2^22 px from the picture; there is no clipping
at a near plane. A face that reaches behind the camera is no face to fit.

**Derivatives.** Visibility is frozen: the triangle and the depth have none. Barycentrics have
derivatives with respect to x, y and w of the three corners. What moving silhouettes change is the
matter of `render.silhouette`.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fit3dmm._tensors import TensorRecord

# Corners beyond this many pixels would overflow the integer coverage test.
PIXEL_LIMIT = 2**22


@dataclass(frozen=True)
class Fragments(TensorRecord):
    """What each pixel shows."""

    triangle: Int[Tensor, "batch height width"]
    """Index of the triangle, -1 where the pixel shows none."""
    barycentric: Float[Tensor, "batch height width 3"]
    """Perspective-correct weights of the triangle's corners at the pixel's centre. They sum to 1,
    and lie in 0..1; all are 0 where the pixel shows no triangle."""
    depth: Float[Tensor, "batch height width"]
    """z/w at the centre, 1 where the pixel shows no triangle. Without derivative."""

    @property
    def covered(self) -> Bool[Tensor, "batch height width"]:
        """Where a triangle is seen."""
        return self.triangle >= 0

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the picture."""
        height, width = self.triangle.shape[-2:]
        return height, width

    def of_pixels(self, pixels: Int[Tensor, "pixels"]) -> "Fragments":
        """Some pixels of a picture (or of a flattened batch) as one that is one pixel wide, so that
        values are interpolated there alone."""
        return self.map(lambda all: all.flatten(0, 2).index_select(0, pixels)[None, :, None])

    def samples(
        self,
        image: Int[Tensor, "pixels"],
        row: Int[Tensor, "pixels"],
        column: Int[Tensor, "pixels"],
        triangles: Int[Tensor, "triangles 3"],
    ) -> "SurfaceSamples":
        """The surface points behind some covered pixels, for closed-form Jacobians.

        Args:
            image: of each pixel, its place in the batch.
            row: of each pixel.
            column: of each pixel.
            triangles: that were drawn.

        Raises:
            ValueError: a pixel shows no triangle.
        """
        triangle = self.triangle[image, row, column].long()
        if bool((triangle < 0).any()):
            raise ValueError(
                f"Samples need pixels that show the surface, {int((triangle < 0).sum())} of "
                f"{len(triangle)} do not: choose them where `covered` is true."
            )
        barycentric = self.barycentric[image, row, column]
        return SurfaceSamples(image, row, column, triangles[triangle].long(), barycentric)


@dataclass(frozen=True)
class SurfaceSamples(TensorRecord):
    """Points of the surface that pixels show."""

    image: Int[Tensor, "pixels"]
    """Index in the batch."""
    row: Int[Tensor, "pixels"]
    column: Int[Tensor, "pixels"]
    vertices: Int[Tensor, "pixels 3"]
    """Corners of the triangle that is seen."""
    barycentric: Float[Tensor, "pixels 3"]
    """Their perspective-correct weights."""

    @property
    def centres_px(self) -> Float[Tensor, "pixels 2"]:
        """(x, y) of the pixels' centres."""
        return torch.stack([self.column, self.row], -1).to(self.barycentric.dtype) + 0.5

    def interpolate(self, values: Float[Tensor, "batch vertices c"]) -> Float[Tensor, "pixels c"]:
        """Vertex values at the points."""
        corners = values[self.image[:, None], self.vertices]
        return torch.einsum("pkc,pk->pc", corners, self.barycentric.to(values.dtype))


def pixels_from_clip(
    clip: Float[Tensor, "*batch vertices 4"], height: int, width: int
) -> Float[Tensor, "*batch vertices 2"]:
    """(x, y) in the picture, in px. Has no meaning where w <= 0."""
    half = clip.new_tensor([width / 2, height / 2])
    return (clip[..., :2] / clip[..., 3:] + 1) * half


def drawable(
    clip: Float[Tensor, "*batch vertices 4"], height: int, width: int
) -> Bool[Tensor, "*batch vertices"]:
    """Vertices that the contract lets a triangle have."""
    px = pixels_from_clip(clip, height, width)
    near = (px.abs() < PIXEL_LIMIT).all(-1)
    return near & (clip[..., 3] > 0) & clip.isfinite().all(-1)
