"""What one photo shows of each vertex of a fitted face, and how well."""

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.colour import LUMINANCE
from fit3dmm.export.alignment import offsets_px
from fit3dmm.export.beard import white_beard
from fit3dmm.export.covered import beard_seen, below_nose, covered
from fit3dmm.export.delight import creases, flattened
from fit3dmm.export.hair_layer import hidden_by_hair
from fit3dmm.export.infill import surroundings
from fit3dmm.export.occlusion import beside_lips, occluded
from fit3dmm.export.one_sided import shadow
from fit3dmm.export.organs import organs
from fit3dmm.export.regions import region
from fit3dmm.export.smoothing import feathered, ramp
from fit3dmm.export.texture_hair import place_of_hair, with_hair_seen
from fit3dmm.export.texture_seen import Layer, Seen, Shown
from fit3dmm.export.texture_settings import TextureSettings
from fit3dmm.export.tint import smooth_tint
from fit3dmm.export.traced import rims, strands
from fit3dmm.export.view import BLACK_LINEAR, view_of_face
from fit3dmm.geometry.harmonics import sh_basis
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.render.backend import choose_backend
from fit3dmm.render.depth import posed
from fit3dmm.scene import Scene


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
    nose = region(model, "nose", "lips")
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
    hair = place_of_hair(shown, view, photo_px, points, normals, facing, model, settings)
    by_hair = torch.zeros_like(seen)
    if hair is not None:
        by_hair = hidden_by_hair(hair.sight, model, settings.hair_layer) * (1 - below_nose(model))
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
    how = (shown, photo_px, model, settings)
    own, bearded = _own(log_ratio, albedo.log(), seen, by_hair, *how)
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
    found = Seen(view, points, light, tint, own_tint, layer, around, None, beard)
    if hair is None:
        return found
    return with_hair_seen(found, hair, shown, median, colour, inside[:, 0], model, settings)


def _own(
    log_ratio: Float[Tensor, "vertices 3"],
    log_albedo: Float[Tensor, "vertices 3"],
    seen: Float[Tensor, "vertices"],
    by_hair: Float[Tensor, "vertices"],
    shown: Shown,
    photo_px: Float[Tensor, "vertices 2"],
    model: MorphableModel,
    settings: TextureSettings,
) -> tuple[Float[Tensor, "vertices"], Float[Tensor, "vertices"]]:
    """How surely each vertex shows the face's own, and how surely a beard, by all but whiteness."""
    predicted, edges = shown.predicted, model.surface.topology.edges
    before = occluded(log_ratio, log_albedo, seen, model, edges, settings.occlusion)
    hair_there = before.maximum(by_hair)
    fringe = strands(log_ratio, log_albedo, seen, hair_there, model, edges, settings.trace)
    own = (1 - before) * (1 - fringe)
    own = own * (1 - beside_lips(log_ratio, seen, model, edges, settings.occlusion))
    bearded = torch.zeros_like(own)
    if predicted is not None:
        lightness = log_ratio @ log_ratio.new_tensor(LUMINANCE)
        hidden = covered(predicted, photo_px, lightness, model, edges, settings.cover)
        frames = rims(predicted, photo_px, log_ratio, seen, hidden, model, edges, settings.trace)
        own = own * (1 - hidden) * (1 - frames)
        bearded = beard_seen(predicted, photo_px, seen, model, edges, settings.cover)
    return own, bearded


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
