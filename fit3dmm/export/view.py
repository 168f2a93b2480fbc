"""The part of a photo that a texture is made from, and what of the surface it shows."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.transform import Similarity
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.crop import extract_crop
from fit3dmm.observe.photo import Photo
from fit3dmm.render.depth import depth
from fit3dmm.scene import Scene

BLACK_LINEAR = 0.003
"""Least linear light that is divided by or that a logarithm is taken of: a byte of sRGB has steps
of 0.0003 there."""
# Side of the picture of depths, fine enough to tell a lid from the fold that hides behind it.
_DEPTH_PX = 768
# Stricter than the fit's (`fitting.visibility`), whose pixels are several times wider: the slope of
# the surface within a pixel is what the tolerance is for.
_DEPTH_TOLERANCE_MM = 1.0
# Of the square's side: above the face hair is seen.
_MARGIN = 0.25


@dataclass(frozen=True)
class PhotoView:
    """The square of the photo around the face, in linear light, and the surface's depth there."""

    image_linear: Float[Tensor, "wide wide 3"]
    """Of the square and a margin about it, which shows hair."""
    inside: Float[Tensor, "wide wide"]
    """1 where the photo is, 0 beyond its border."""
    margin_px: int
    depth_mm: Float[Tensor, "fine fine"]
    """Of the same square in its own pixels; infinite where no surface is."""
    camera: Camera
    """Of this picture."""
    T_view_photo: Similarity

    def at(
        self, images: Float[Tensor, "height width c"], px: Float[Tensor, "*b 2"]
    ) -> Float[Tensor, "*b c"]:
        """Bilinear samples, at places of the square, of a picture that has the margin, too."""
        height, width, channels = images.shape
        grid = (2 * (px + self.margin_px) / px.new_tensor([width, height]) - 1).reshape(1, 1, -1, 2)
        seen = torch.nn.functional.grid_sample(
            images.permute(2, 0, 1)[None], grid, padding_mode="border", align_corners=False
        )
        return seen[0, :, 0].T.reshape(*px.shape[:-1], channels)

    def in_front(self, points_cam_mm: Float[Tensor, "points 3"]) -> Float[Tensor, "points"]:
        """1 for what no other part of the surface hides, and for what lies beyond the square."""
        fine_px = len(self.depth_mm)
        at = self.camera.project(points_cam_mm) * (fine_px / self.camera.width_px)
        column, row = at.long().clamp(0, fine_px - 1).unbind(-1)
        nearest_mm = self.depth_mm[row, column]
        beyond = ((at < 0) | (at >= fine_px)).any(-1)
        shown = (-points_cam_mm[:, 2] < nearest_mm + _DEPTH_TOLERANCE_MM) | beyond
        return shown.to(points_cam_mm)


def view_of_face(
    model: MorphableModel,
    scene: Scene,
    photo: Photo,
    points_cam_mm: Float[Tensor, "vertices 3"],
    max_px: int,
) -> PhotoView:
    """The square of the photo around the face, as fine as the photo is.

    Args:
        model: the one that was fitted.
        scene: in the `photo` frame, without batch axes.
        photo: the one that was fitted.
        points_cam_mm: the scene's surface.
        max_px: side that it has at most.
    """
    face_px = scene.camera.project(points_cam_mm[model.regions["face"] > 0])
    low, high = face_px.amin(0) - 2, face_px.amax(0) + 2
    side_px = float((high - low).max())
    view_px = int(min(max(side_px, 64), max_px))
    scale = view_px / side_px
    left, top = ((low + high - side_px) / 2).tolist()
    T_view_photo = Similarity.in_plane(scale, (-scale * left, -scale * top)).to(
        points_cam_mm.device
    )
    margin_px = int(_MARGIN * view_px)
    T_wide_view = Similarity.in_plane(1.0, (float(margin_px), float(margin_px)))
    T_wide_photo = T_wide_view @ T_view_photo.to("cpu")
    crop = extract_crop(photo, T_wide_photo, view_px + 2 * margin_px)
    camera = scene.camera.cropped(T_view_photo, view_px, view_px)
    depth_mm = _depth_mm(model, points_cam_mm, camera)
    picture, inside = crop.image_linear.to(points_cam_mm), crop.inside.to(points_cam_mm)
    return PhotoView(picture, inside, margin_px, depth_mm, camera, T_view_photo)


def _depth_mm(
    model: MorphableModel, points_cam_mm: Float[Tensor, "vertices 3"], camera: Camera
) -> Float[Tensor, "fine fine"]:
    """Depth of the surface in the camera's square."""
    T_fine_view = Similarity.in_plane(_DEPTH_PX / camera.width_px, (0.0, 0.0))
    fine = camera.cropped(T_fine_view.to(points_cam_mm.device), _DEPTH_PX, _DEPTH_PX)
    return depth(points_cam_mm, model.surface.topology, fine)[0]
