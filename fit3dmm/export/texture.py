"""The texture of a fitted face: what the photo shows, without its light, on the model's UV map.

Where the photo shows the face well, its colour divided by the fitted light is taken; elsewhere the
colour of the mirrored side, where that is seen; elsewhere the fitted albedo. So that the layers
meet without seams their weights fade out along the surface, and their colours at large are brought
together first (`export.tint`).
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm.export.cover import covered
from fit3dmm.export.picture import srgb_bytes
from fit3dmm.export.smoothing import feathered, ramp
from fit3dmm.export.texels import in_texels, padded, texel_fragments
from fit3dmm.export.tint import smooth_tint
from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.harmonics import sh_basis
from fit3dmm.geometry.mesh import topology_of
from fit3dmm.geometry.transform import Similarity
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.crop import extract_crop
from fit3dmm.observe.photo import Photo
from fit3dmm.render.backend import choose_backend
from fit3dmm.scene import Scene

MIN_SIZE_PX, MAX_SIZE_PX = 64, 8192
# Cosines of the angle between normal and view: a surface is seen from the first, well from the
# second.
_GRAZING = (0.2, 0.6)
# Shares of the face's median light below which a colour is mostly noise when it is divided by it.
_DARK = (0.1, 0.3)
# Linear light at which the brightest channel of a photo is cut off.
_CLIPPED = (0.9, 0.99)
_DEPTH_TOLERANCE_MM = 3.0
# Logarithm of a colour over what the fitted one with its tint makes expected: highlights.
_GLARE = (0.3, 0.6)
# The width over which weights fade, in edges.
_FEATHER_ROUNDS = 6
_BLACK = 0.003


def check_texture_size(size_px: int) -> None:
    """Say so before a fit where its texture could not be made.

    Raises:
        InputError: the size is out of range.
    """
    if not MIN_SIZE_PX <= size_px <= MAX_SIZE_PX:
        raise InputError(
            f"The side of the texture must be {MIN_SIZE_PX}..{MAX_SIZE_PX} px, got {size_px}."
        )


@dataclass(frozen=True)
class PhotoView:
    """The part of the photo that shows the head, in linear light, and the surface's depth there."""

    image_linear: Float[Tensor, "height width 3"]
    inside: Float[Tensor, "height width"]
    """1 where the photo is, 0 beyond its border."""
    depth_mm: Float[Tensor, "height width"]
    """Infinite where no surface is."""
    camera: Camera
    """Of this picture."""

    def at(
        self, images: Float[Tensor, "height width c"], points_cam_mm: Float[Tensor, "*b 3"]
    ) -> Float[Tensor, "*b c"]:
        """Bilinear samples of a picture of this size where points appear."""
        px = self.camera.project(points_cam_mm.reshape(-1, 3))
        size = px.new_tensor([self.camera.width_px, self.camera.height_px])
        grid = (2 * px / size - 1).reshape(1, 1, -1, 2)
        picture = images.permute(2, 0, 1)[None]
        seen = torch.nn.functional.grid_sample(
            picture, grid, padding_mode="border", align_corners=False
        )
        return seen[0, :, 0].T.reshape(*points_cam_mm.shape[:-1], -1)


@dataclass(frozen=True)
class Layer:
    """Vertex values from which one layer of the texture is made; see `_mirrored`."""

    points_cam_mm: Float[Tensor, "vertices 3"]
    light_linear: Float[Tensor, "vertices 3"]
    """What a white surface would show."""
    tint: Float[Tensor, "vertices 3"]
    """Logarithm of the photo's colour over the fitted one, at large."""
    weight: Float[Tensor, "vertices"]
    """How well the photo shows the vertex, 0..1."""


def bake_texture(
    model: MorphableModel, scene: Scene, photo: Photo, size_px: int = 1024
) -> UInt8[np.ndarray, "size size 3"]:
    """Make the texture, in sRGB, row 0 at v = 1, filled beyond the borders of the UV islands.

    Args:
        scene: in the `photo` frame, without batch axes.
        size_px: side of the square.

    Raises:
        InputError: the size is out of range.
    """
    check_texture_size(size_px)
    albedo = model.albedo_linear(scene.coefficients).clamp_min(_BLACK)
    view, layer = _seen(model, scene, photo, albedo, size_px)
    mirrored = _mirrored(layer, model.surface.mirror)
    fragments = texel_fragments(model.surface, size_px)

    def flat(values: Tensor) -> Tensor:
        return in_texels(values, model.surface, fragments)

    tint = flat(layer.tint)
    texture = flat(albedo) * tint.exp()
    for one in (mirrored, layer):
        values = torch.cat([one.points_cam_mm, one.light_linear, one.tint, one.weight[:, None]], 1)
        points, light, own_tint, weight = flat(values).split([3, 3, 3, 1], -1)
        # Texels without surface have no depth to project with.
        points = torch.where(points[..., 2:] < 0, points, points.new_tensor([0.0, 0.0, -1.0]))
        colour = view.at(view.image_linear, points) / light.clamp_min(_BLACK)
        texture = texture + weight * (colour * (tint - own_tint).exp() - texture)
    covered = fragments.covered[0].cpu().numpy()
    filled = padded(texture.detach().cpu().numpy(), covered)
    return srgb_bytes(torch.from_numpy(filled))


def _seen(
    model: MorphableModel, scene: Scene, photo: Photo, albedo: Tensor, size_px: int
) -> tuple[PhotoView, Layer]:
    """The photo around the head, and what it shows of each vertex."""
    points = scene.pose.T_cam_model @ model.shape_mm(scene.coefficients)
    topology = topology_of(model.surface.triangles, model.n_vertices)
    backend = choose_backend("auto", points.device)
    normals = backend.vertex_normals(points, topology)
    light = sh_basis(normals) @ scene.lighting.irradiance_sh
    face = model.regions["face"]
    view = _photo_view(model, scene, photo, points, size_px)

    samples = torch.cat([view.image_linear, view.inside[..., None]], -1)
    colour, inside = view.at(samples, points).split([3, 1], -1)
    facing = -(normals * torch.nn.functional.normalize(points, dim=-1)).sum(-1)
    bright = light.mean(-1)
    median = bright[face > 0.5].median().clamp_min(_BLACK)
    seen = (
        (1 - model.regions["mouth_interior"])
        * ramp(facing, _GRAZING)
        * ramp(bright / median, _DARK)
        * (1 - ramp(colour.amax(-1), _CLIPPED))
        * (inside[:, 0] > 0.99)
        * _in_front(view, points)
    )
    light = torch.maximum(light, _DARK[0] * median)
    log_ratio = ((colour / light).clamp_min(_BLACK) / albedo).log()
    skin = seen * face * model.regions["skin"]
    tint = smooth_tint(log_ratio.cpu().numpy(), skin.cpu().numpy(), model.surface)
    tint = model.surface.lift(torch.from_numpy(tint).to(points))
    log_ratio = log_ratio - tint
    own = 1 - covered(log_ratio, albedo.log(), seen, model, topology.edges)
    matt = 1 - ramp(log_ratio.mean(-1), _GLARE)
    weight = feathered(seen * face * own * matt, topology.edges, _FEATHER_ROUNDS)
    return view, Layer(points, light, tint, weight)


def _photo_view(
    model: MorphableModel, scene: Scene, photo: Photo, points: Tensor, size_px: int
) -> PhotoView:
    """The square of the photo around the face, no finer than the texture can hold."""
    face_px = scene.camera.project(points[model.regions["face"] > 0])
    low, high = face_px.amin(0) - 2, face_px.amax(0) + 2
    side_px = float((high - low).max())
    view_px = int(min(max(side_px, 64), size_px))
    scale = view_px / side_px
    left, top = ((low + high - side_px) / 2).tolist()
    T_view_photo = Similarity.in_plane(scale, (-scale * left, -scale * top)).to(points.device)
    crop = extract_crop(photo, T_view_photo.to("cpu"), view_px)
    camera = scene.camera.cropped(T_view_photo, view_px, view_px)
    backend = choose_backend("auto", points.device)
    triangles = topology_of(model.surface.triangles, model.n_vertices).triangles
    fragments = backend.rasterise(camera.to_clip(points)[None], triangles, view_px, view_px)
    depth = backend.interpolate(-points[None, :, 2:], triangles, fragments)[0, ..., 0]
    depth = torch.where(fragments.covered[0], depth, torch.inf)
    return PhotoView(crop.image_linear.to(points), crop.inside.to(points), depth, camera)


def _in_front(view: PhotoView, points: Float[Tensor, "vertices 3"]) -> Float[Tensor, "vertices"]:
    """1 for what no other part of the surface hides."""
    column, row = view.camera.project(points).floor().long().unbind(-1)
    column = column.clamp(0, view.camera.width_px - 1)
    row = row.clamp(0, view.camera.height_px - 1)
    return (-points[:, 2] < view.depth_mm[row, column] + _DEPTH_TOLERANCE_MM).to(points)


def _mirrored(layer: Layer, mirror: Tensor) -> Layer:
    """For each vertex what its counterpart on the other side shows."""
    return Layer(
        layer.points_cam_mm[mirror],
        layer.light_linear[mirror],
        layer.tint[mirror],
        layer.weight[mirror],
    )
