"""What one photo shows of each vertex of a fitted face, and how well."""

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._settings import Settings
from fit3dmm.colour import LUMINANCE
from fit3dmm.export.alignment import AlignmentSettings, offsets_px
from fit3dmm.export.beard import Beard, BeardSettings, white_beard
from fit3dmm.export.covered import CoverSettings, beard_seen, below_nose, covered
from fit3dmm.export.delight import DelightSettings, creases, flattened
from fit3dmm.export.hair_colour import HairSettings, hair_colour
from fit3dmm.export.hair_cover import Sight
from fit3dmm.export.hair_layer import (
    HairLayerSettings,
    hair_factor,
    hair_thickness_mm,
    hidden_by_hair,
    shown_hair,
    sight_of_hair,
)
from fit3dmm.export.hair_light import light_on_hair
from fit3dmm.export.hair_map import hair_map
from fit3dmm.export.hair_outline import HairOutline
from fit3dmm.export.hair_top import hair_top
from fit3dmm.export.hair_volume import HairVolumeSettings
from fit3dmm.export.infill import InfillSettings, surroundings
from fit3dmm.export.iris import IrisSettings
from fit3dmm.export.lids import LidSettings
from fit3dmm.export.occlusion import OcclusionSettings, beside_lips, occluded
from fit3dmm.export.one_sided import ShadowSettings, shadow
from fit3dmm.export.organs import OrganSettings, organs
from fit3dmm.export.smoothing import feathered, ramp
from fit3dmm.export.tint import TintSettings, smooth_tint
from fit3dmm.export.traced import TraceSettings, rims, strands
from fit3dmm.export.view import PhotoView, view_of_face
from fit3dmm.geometry.harmonics import sh_basis
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.photo import Photo
from fit3dmm.observe.predicted import Predicted
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
    downward: tuple[float, float] = (0.5, 0.8)
    """Minus the vertical part of the normal: from the first on a chin is seen from below, in its
    own shadow and beside what is behind it, and from the second not taken at all."""
    feather_rounds: int = 6
    """The width over which weights fade, in edges."""
    occlusion: OcclusionSettings = field(default_factory=OcclusionSettings)
    """What stands before the face."""
    tint: TintSettings = field(default_factory=TintSettings)
    """How the photo's colours differ at large."""
    iris: IrisSettings = field(default_factory=IrisSettings)
    """What is looked at of the eyes."""
    cover: CoverSettings = field(default_factory=CoverSettings)
    """How far the network's map of what lies before the face is trusted."""
    trace: TraceSettings = field(default_factory=TraceSettings)
    """How strands and rims are followed from there."""
    delight: DelightSettings = field(default_factory=DelightSettings)
    """What of light and expression is taken out."""
    shadow: ShadowSettings = field(default_factory=ShadowSettings)
    """What of shadows that fall on one side is taken out."""
    infill: InfillSettings = field(default_factory=InfillSettings)
    """How far what lies about a place goes on in it, where it is not taken from the photo."""
    alignment: AlignmentSettings = field(default_factory=AlignmentSettings)
    """How far lips and lids may lie off."""
    organs: OrganSettings = field(default_factory=OrganSettings)
    """What clean eyes and teeth look like."""
    lids: LidSettings = field(default_factory=LidSettings)
    """What lids and lashes do to eyes."""
    beard: BeardSettings = field(default_factory=BeardSettings)
    """What a white beard is."""
    hair_layer: HairLayerSettings = field(default_factory=HairLayerSettings)
    """What of the hair is taken from a photo."""
    hair: HairSettings = field(default_factory=HairSettings)
    """What hair is and how it is drawn."""
    volume: HairVolumeSettings = field(default_factory=HairVolumeSettings)
    """How far it stands off."""


@dataclass(frozen=True)
class Shown:
    """A photo that a texture is made of."""

    scene: Scene
    """In the `photo` frame, without batch axes."""
    photo: Photo
    """The one that was fitted."""
    points_px: Float[Tensor, "478 2"] | None = None
    """MediaPipe's points in the photo; without them it says nothing of the irises, and lips lie
    where they were fitted."""
    predicted: Predicted | None = None
    """What the model's network saw; without it hair has the model's colour, and glasses stay."""


@dataclass(frozen=True)
class Layer:
    """Vertex values from which one layer of the texture is made; see `mirrored`."""

    places_px: Float[Tensor, "vertices 2"]
    """Where the view shows each vertex."""
    log_factor: Float[Tensor, "vertices 3"]
    """Natural logarithm of what the photo's colour is multiplied with, but for the skin's tint."""
    weight: Float[Tensor, "vertices"]
    """How well the photo shows the vertex, 0..1."""
    px_per_mm: Float[Tensor, "vertices"]
    """How fine the photo is there."""


@dataclass(frozen=True)
class HairSeen:
    """Hair in one photo."""

    colour_linear: Float[Tensor, "3"] | None
    """Its albedo; None where too little is seen."""
    sight: Sight
    outline: HairOutline
    """Where it ends."""
    volume_mm: Float[Tensor, "vertices"] | None
    """How far it stands off, by this photo alone; None where that is not told."""


@dataclass(frozen=True)
class Seen:
    """What one photo shows of a head."""

    view: PhotoView
    points_cam_mm: Float[Tensor, "vertices 3"]
    light_linear: Float[Tensor, "vertices 3"]
    """What a white surface would show."""
    tint: Float[Tensor, "vertices 3"]
    """Logarithm of the photo's colour over the fitted one, at large."""
    own_tint: Float[Tensor, "vertices 3"]
    """What of it is the skin's own."""
    layer: Layer
    around: Float[Tensor, "vertices 3"]
    """Logarithm of what lies about each vertex over the fitted colour with its tint."""
    hair: HairSeen | None
    """What it shows of the hair."""
    beard: Beard | None
    """A white one."""


def seen_by(
    model: MorphableModel, shown: Shown, albedo: Tensor, size_px: int, settings: TextureSettings
) -> Seen:
    """The photo around the head, and what it shows of each vertex.

    Args:
        model: the one that was fitted.
        shown: the photo with its fit.
        albedo: that was fitted.
        size_px: side of the texture: the photo is not taken any finer.
        settings: what of the photo is taken.
    """
    scene, points_px, predicted = shown.scene, shown.points_px, shown.predicted
    points = posed(model, scene)
    topology = model.surface.topology
    backend = choose_backend("auto", points.device)
    normals = backend.vertex_normals(points, topology)
    light = sh_basis(normals) @ scene.lighting.irradiance_sh
    face = model.regions["face"]
    view = view_of_face(model, scene, shown.photo, points, size_px)
    places_px = view.camera.project(points)
    if points_px is not None:
        places_px = places_px + offsets_px(model, view, points_px, points, settings.alignment)

    samples = torch.cat([view.image_linear, view.inside[..., None]], -1)
    colour, inside = view.at(samples, places_px).split([3, 1], -1)
    facing = -(normals * torch.nn.functional.normalize(points, dim=-1)).sum(-1)
    # Channel by channel: a place that has no red light tells nothing of its red, however green.
    median = light[face > 0.5].median(0).values.clamp_min(BLACK_LINEAR)
    bright = (light / median).amin(-1)
    nose = model.regions.get("nose", torch.zeros_like(face)).maximum(model.regions["lips"])
    upright = scene.pose.T_cam_model.inverse().turn(normals)
    below = ramp(-upright[:, 1], settings.downward) * (1 - nose)
    unfolded = ramp(_unfolded(model, scene, points), settings.folded)
    seen = (
        (1 - below)
        * (1 - model.regions["mouth_interior"])
        * (1 - organs(model))
        * ramp(facing, settings.grazing)
        * unfolded
        * ramp(bright, settings.dark)
        * (1 - ramp(colour.amax(-1), settings.clipped))
        * (inside[:, 0] > 0.99)
        * view.in_front(points)
    )
    light = torch.maximum(light, settings.dark[0] * median)
    log_ratio = ((colour / light).clamp_min(BLACK_LINEAR) / albedo).log()
    photo_px = view.T_view_photo.inverse() @ places_px
    mm_per_px = float((-points[:, 2]).mean() / scene.camera.focal_px)
    hair_map_ = hair_map(
        shown.photo, predicted, model, photo_px, facing, mm_per_px, settings.hair.map
    )
    by_hair, sight, outside = torch.zeros_like(seen), None, points
    if hair_map_ is not None:
        thick_mm = hair_thickness_mm(
            hair_map_, points, normals, scene.camera, model, settings.hair_layer
        )
        outside = points + thick_mm[:, None] * normals
        outside_px, front = scene.camera.project(outside), view.in_front(points)
        grazing = settings.hair.cover.grazing
        sight = sight_of_hair(hair_map_, outside_px, facing, front, grazing)
        by_hair = hidden_by_hair(sight, model, settings.hair_layer) * (1 - below_nose(model))
    skin = seen * face * model.regions["skin"] * (1 - by_hair)
    if predicted is not None:
        skin = skin * predicted.skin_at(photo_px.cpu()).to(skin)
    tint = smooth_tint(log_ratio.cpu().numpy(), skin.cpu().numpy(), model.surface, settings.tint)
    tint = model.surface.lift(torch.from_numpy(tint).to(points))
    log_ratio = log_ratio - tint
    beard = white_beard(
        log_ratio, colour / light, seen / (1 - below).clamp_min(0.2), model, settings.beard
    )
    white = torch.zeros_like(seen) if beard is None else beard.cover
    before = occluded(log_ratio, albedo.log(), seen, model, topology.edges, settings.occlusion)
    hair_there = before.maximum(by_hair)
    fringe = strands(
        log_ratio, albedo.log(), seen, hair_there, model, topology.edges, settings.trace
    )
    own = (1 - before) * (1 - fringe)
    own = own * (1 - beside_lips(log_ratio, seen, model, topology.edges, settings.occlusion))
    bearded = torch.zeros_like(own)
    if predicted is not None:
        lightness = log_ratio @ log_ratio.new_tensor(LUMINANCE)
        hidden = covered(predicted, photo_px, lightness, model, topology.edges, settings.cover)
        frames = rims(
            predicted, photo_px, log_ratio, seen, hidden, model, topology.edges, settings.trace
        )
        own = own * (1 - hidden) * (1 - frames)
        bearded = beard_seen(predicted, photo_px, seen, model, topology.edges, settings.cover)
    own, bearded = own.maximum(white), bearded.maximum(white)
    folds, deep = creases(
        log_ratio, seen * own, bearded, model, scene, topology.edges, settings.delight
    )
    matt = (1 - ramp(log_ratio.mean(-1), settings.glare)).maximum(white)
    weight = seen * face * own * matt * (1 - deep) * (1 - by_hair)
    weight = feathered(weight, topology.edges, settings.feather_rounds)
    folds = folds + shadow(log_ratio - folds, weight, model, topology.edges, settings.shadow)
    around = surroundings(log_ratio - folds, weight, model, topology.edges, settings.infill)
    # A lid that is folded away does not lie in the shade of the socket that is seen about it.
    around = unfolded[:, None] * around
    own_tint = flattened(tint, skin, settings.delight)
    log_factor = -light.clamp_min(BLACK_LINEAR).log() - tint - folds
    # A slanted surface is seen as finely along one of its two directions only.
    px_per_mm = scene.camera.focal_px / -points[:, 2] * facing.clamp_min(0).sqrt()
    layer = Layer(places_px, log_factor, weight, px_per_mm)
    if hair_map_ is None or sight is None:
        return Seen(view, points, light, tint, own_tint, layer, around, None, beard)
    how = (model, settings.hair, settings.volume)
    top = hair_top(hair_map_, predicted, sight, scene, view, outside, light, *how)
    outside = top.points_cam_mm
    share = shown_hair(top.sight, model, topology.edges, settings.hair_layer)
    share = share * (inside[:, 0] > 0.99)
    on_scalp = light_on_hair(top.light_linear, median, settings.hair.light)
    hair = hair_colour(hair_map_, on_scalp, settings.hair)
    on_hair = view.camera.project(outside)
    shows = share > 0
    colour = colour.clone()
    colour[shows] = view.at(view.image_linear, on_hair[shows])
    factor = hair_factor(colour, on_scalp, share, hair, model, settings.hair_layer) - own_tint
    mixed = (share / (share + weight + 1e-6))[:, None]
    layer = replace(
        layer,
        places_px=torch.lerp(places_px, on_hair, mixed),
        log_factor=torch.lerp(log_factor, factor, mixed),
        weight=(weight + share).clamp_max(1),
    )
    hair_seen = HairSeen(hair, sight, top.outline, top.volume_mm)
    return Seen(view, points, light, tint, own_tint, layer, around, hair_seen, beard)


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
        layer.places_px[mirror],
        layer.log_factor[mirror],
        layer.weight[mirror],
        layer.px_per_mm[mirror],
    )
