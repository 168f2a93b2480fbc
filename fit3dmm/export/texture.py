"""The texture of a fitted face: what the photo shows, without its light, on the model's UV map.

Where the photo shows the face well, its colour divided by the fitted light is taken; elsewhere the
colour of the mirrored side, where that is seen; elsewhere the fitted albedo. So that the layers
meet without seams their weights fade out along the surface, and their colours at large are brought
together first (`export.tint`). What stands before the face is left out (`export.occlusion`). The
eyes are the model's, with irises of the photo's colour (`export.iris`).
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm._settings import Settings
from fit3dmm.export.iris import IrisSettings, iris_change
from fit3dmm.export.occlusion import OcclusionSettings, beside_lips, occluded
from fit3dmm.export.picture import srgb_bytes
from fit3dmm.export.smoothing import feathered, ramp
from fit3dmm.export.texels import in_texels, padded, texel_bands
from fit3dmm.export.tint import TintSettings, smooth_tint
from fit3dmm.export.view import PhotoView, view_of_face
from fit3dmm.geometry.harmonics import sh_basis
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.model.surface import Surface
from fit3dmm.observe.photo import Photo
from fit3dmm.render.backend import choose_backend
from fit3dmm.render.depth import posed
from fit3dmm.render.fragments import Fragments
from fit3dmm.scene import Scene

MIN_SIZE_PX, MAX_SIZE_PX = 64, 8192
# Least linear light that is divided by or that a logarithm is taken of.
_BLACK_LINEAR = 0.003


@dataclass(frozen=True)
class TextureSettings(Settings):
    """What of a photo is taken into a texture.

    Pairs are where a weight begins to rise and where it is 1 (or to fall, and is 0). The
    numbers are judgements for the reasons given, not measurements.
    """

    grazing: tuple[float, float] = (0.2, 0.6)
    """Cosine of the angle between normal and view: a surface is seen from the first, well from the
    second."""
    folded: tuple[float, float] = (0.3, 0.6)
    """Share of a place's area with shut eyes: the lid of an open eye is folded, and the little that
    is seen of it would be drawn out when it shuts."""
    dark: tuple[float, float] = (0.1, 0.3)
    """Share of the face's median light, channel by channel, below which a colour is mostly noise
    when it is divided by it."""
    clipped: tuple[float, float] = (0.9, 0.99)
    """Linear light at which the brightest channel of a photo is cut off."""
    glare: tuple[float, float] = (0.3, 0.6)
    """Natural logarithm of a colour over what the fitted one with its tint makes expected:
    highlights."""
    feather_rounds: int = 6
    """The width over which weights fade, in edges."""
    occlusion: OcclusionSettings = field(default_factory=OcclusionSettings)
    """What stands before the face."""
    tint: TintSettings = field(default_factory=TintSettings)
    """How the photo's colours differ at large."""
    iris: IrisSettings = field(default_factory=IrisSettings)
    """What is looked at of the eyes."""


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
    model: MorphableModel,
    scene: Scene,
    photo: Photo,
    size_px: int = 1024,
    points_px: Float[Tensor, "478 2"] | None = None,
    settings: TextureSettings | None = None,
) -> UInt8[np.ndarray, "size size 3"]:
    """Make the texture, in sRGB, row 0 at v = 1, filled beyond the borders of the UV islands.

    Args:
        model: the one that was fitted.
        scene: in the `photo` frame, without batch axes.
        photo: the one that was fitted.
        size_px: side of the square.
        points_px: MediaPipe's points in the photo; without them the irises keep the fitted colour.
        settings: what of the photo is taken; the default ones if left out.

    Raises:
        InputError: the size is out of range.
    """
    check_texture_size(size_px)
    settings = settings or TextureSettings()
    albedo = model.albedo_linear(scene.coefficients).clamp_min(_BLACK_LINEAR)
    view, layer = _seen(model, scene, photo, albedo, size_px, settings)
    if points_px is not None:
        expected = albedo * layer.tint.exp() * layer.light_linear
        change = iris_change(model, view, points_px, layer.points_cam_mm, expected, settings.iris)
        albedo = albedo * change.exp()
    layers = (_mirrored(layer, model.surface.mirror), layer)
    pixels = np.zeros((size_px, size_px, 3), np.uint8)
    covered = np.zeros((size_px, size_px), bool)
    for band in texel_bands(model.surface, size_px):
        colours = _texels(band.fragments, model.surface, view, albedo, layers)
        pixels[band.rows] = srgb_bytes(colours)
        covered[band.rows] = band.fragments.covered[0].cpu().numpy()
    return padded(pixels, covered)


def _texels(
    fragments: Fragments,
    surface: Surface,
    view: PhotoView,
    albedo: Float[Tensor, "vertices 3"],
    layers: tuple[Layer, Layer],
) -> Float[Tensor, "rows columns 3"]:
    """Linear colours of the texels that show the fragments; the last layer lies on top."""

    def flat(values: Tensor) -> Tensor:
        return in_texels(values, surface, fragments)

    tint = flat(layers[-1].tint)
    texture = flat(albedo) * tint.exp()
    for one in layers:
        values = torch.cat([one.points_cam_mm, one.light_linear, one.tint, one.weight[:, None]], 1)
        points, light, own_tint, weight = flat(values).split([3, 3, 3, 1], -1)
        # Texels without surface have no depth to project with.
        points = torch.where(points[..., 2:] < 0, points, points.new_tensor([0.0, 0.0, -1.0]))
        colour = view.at(view.image_linear, view.camera.project(points)) / light.clamp_min(
            _BLACK_LINEAR
        )
        texture = texture + weight * (colour * (tint - own_tint).exp() - texture)
    return texture


def _seen(
    model: MorphableModel,
    scene: Scene,
    photo: Photo,
    albedo: Tensor,
    size_px: int,
    settings: TextureSettings,
) -> tuple[PhotoView, Layer]:
    """The photo around the head, and what it shows of each vertex."""
    points = posed(model, scene)
    topology = model.surface.topology
    backend = choose_backend("auto", points.device)
    normals = backend.vertex_normals(points, topology)
    light = sh_basis(normals) @ scene.lighting.irradiance_sh
    face = model.regions["face"]
    view = view_of_face(model, scene, photo, points, size_px)

    samples = torch.cat([view.image_linear, view.inside[..., None]], -1)
    colour, inside = view.at(samples, view.camera.project(points)).split([3, 1], -1)
    facing = -(normals * torch.nn.functional.normalize(points, dim=-1)).sum(-1)
    # Channel by channel: a place that has no red light tells nothing of its red, however green.
    median = light[face > 0.5].median(0).values.clamp_min(_BLACK_LINEAR)
    bright = (light / median).amin(-1)
    seen = (
        (1 - model.regions["mouth_interior"])
        * ramp(facing, settings.grazing)
        * ramp(_unfolded(model, scene, points), settings.folded)
        * ramp(bright, settings.dark)
        * (1 - ramp(colour.amax(-1), settings.clipped))
        * (inside[:, 0] > 0.99)
        * view.in_front(points)
    )
    light = torch.maximum(light, settings.dark[0] * median)
    log_ratio = ((colour / light).clamp_min(_BLACK_LINEAR) / albedo).log()
    skin = seen * face * model.regions["skin"]
    tint = smooth_tint(log_ratio.cpu().numpy(), skin.cpu().numpy(), model.surface, settings.tint)
    tint = model.surface.lift(torch.from_numpy(tint).to(points))
    log_ratio = log_ratio - tint
    own = 1 - occluded(log_ratio, albedo.log(), seen, model, topology.edges, settings.occlusion)
    own = own * (1 - beside_lips(log_ratio, seen, model, topology.edges, settings.occlusion))
    matt = 1 - ramp(log_ratio.mean(-1), settings.glare)
    weight = feathered(seen * face * own * matt, topology.edges, settings.feather_rounds)
    return view, Layer(points, light, tint, weight)


def _unfolded(
    model: MorphableModel, scene: Scene, points_cam_mm: Float[Tensor, "vertices 3"]
) -> Float[Tensor, "vertices"]:
    """Area of the triangles around each vertex, as a share of that of a face with shut eyes."""
    triangles = model.surface.triangles.long()
    shut = scene.coefficients.neutral().expression
    shut = shut + shut.new_tensor([n.startswith("eyeBlink") for n in model.expression_names])
    shut_mm = model.shape_mm(scene.coefficients.replace(expression=shut))

    def doubled_areas(points: Tensor) -> Tensor:
        a, b, c = points[triangles].unbind(1)
        return torch.linalg.cross(b - a, c - a).norm(dim=-1)

    areas = torch.stack([doubled_areas(points_cam_mm), doubled_areas(shut_mm)], 1)
    corners = areas.repeat_interleave(3, 0)
    sums = areas.new_zeros(len(points_cam_mm), 2).index_add(0, triangles.flatten(), corners)
    return sums[:, 0] / sums[:, 1].clamp_min(1e-6)


def _mirrored(layer: Layer, mirror: Tensor) -> Layer:
    """For each vertex what its counterpart on the other side shows."""
    return Layer(
        layer.points_cam_mm[mirror],
        layer.light_linear[mirror],
        layer.tint[mirror],
        layer.weight[mirror],
    )
