"""What one photo shows of each vertex of a fitted face, and how well."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._settings import Settings
from fit3dmm.export.iris import IrisSettings
from fit3dmm.export.occlusion import OcclusionSettings, beside_lips, occluded
from fit3dmm.export.smoothing import feathered, ramp
from fit3dmm.export.tint import TintSettings, smooth_tint
from fit3dmm.export.view import PhotoView, view_of_face
from fit3dmm.geometry.harmonics import sh_basis
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.photo import Photo
from fit3dmm.render.backend import choose_backend
from fit3dmm.render.depth import posed
from fit3dmm.scene import Scene

BLACK_LINEAR = 0.003
"""Least linear light that is divided by or that a logarithm is taken of."""


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


@dataclass(frozen=True)
class Layer:
    """Vertex values from which one layer of the texture is made; see `mirrored`."""

    points_cam_mm: Float[Tensor, "vertices 3"]
    light_linear: Float[Tensor, "vertices 3"]
    """What a white surface would show."""
    tint: Float[Tensor, "vertices 3"]
    """Logarithm of the photo's colour over the fitted one, at large."""
    weight: Float[Tensor, "vertices"]
    """How well the photo shows the vertex, 0..1."""
    px_per_mm: Float[Tensor, "vertices"]
    """How fine the photo is there."""


def layer_of(
    model: MorphableModel,
    scene: Scene,
    photo: Photo,
    albedo: Tensor,
    size_px: int,
    settings: TextureSettings,
) -> tuple[PhotoView, Layer]:
    """The photo around the head, and what it shows of each vertex.

    Args:
        model: the one that was fitted.
        scene: in the `photo` frame, without batch axes.
        photo: the one that was fitted.
        albedo: that was fitted.
        size_px: side of the texture: the photo is not taken any finer.
        settings: what of the photo is taken.
    """
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
    median = light[face > 0.5].median(0).values.clamp_min(BLACK_LINEAR)
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
    log_ratio = ((colour / light).clamp_min(BLACK_LINEAR) / albedo).log()
    skin = seen * face * model.regions["skin"]
    tint = smooth_tint(log_ratio.cpu().numpy(), skin.cpu().numpy(), model.surface, settings.tint)
    tint = model.surface.lift(torch.from_numpy(tint).to(points))
    log_ratio = log_ratio - tint
    own = 1 - occluded(log_ratio, albedo.log(), seen, model, topology.edges, settings.occlusion)
    own = own * (1 - beside_lips(log_ratio, seen, model, topology.edges, settings.occlusion))
    matt = 1 - ramp(log_ratio.mean(-1), settings.glare)
    weight = feathered(seen * face * own * matt, topology.edges, settings.feather_rounds)
    # A slanted surface is seen as finely along one of its two directions only.
    px_per_mm = scene.camera.focal_px / -points[:, 2] * facing.clamp_min(0).sqrt()
    return view, Layer(points, light, tint, weight, px_per_mm)


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


def mirrored(layer: Layer, mirror: Tensor) -> Layer:
    """For each vertex what its counterpart on the other side shows."""
    return Layer(
        layer.points_cam_mm[mirror],
        layer.light_linear[mirror],
        layer.tint[mirror],
        layer.weight[mirror],
        layer.px_per_mm[mirror],
    )
