"""What one photo shows of a head's hair, as a part of what it shows of the head."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.export.hair_beside import hair_beside
from fit3dmm.export.hair_colour import hair_colour
from fit3dmm.export.hair_cover import Sight
from fit3dmm.export.hair_fringe import fringe_seen
from fit3dmm.export.hair_layer import hair_factor, hair_thickness_mm, shown_hair, sight_of_hair
from fit3dmm.export.hair_light import light_on_hair
from fit3dmm.export.hair_map import HairMap, hair_map
from fit3dmm.export.hair_top import hair_top
from fit3dmm.export.texture_seen import HairSeen, Seen, Shown
from fit3dmm.export.texture_settings import TextureSettings
from fit3dmm.export.view import PhotoView
from fit3dmm.model.morphable import MorphableModel


@dataclass(frozen=True)
class HairPlace:
    """Where hair is, as far as that is known without a volume."""

    map: HairMap
    sight: Sight
    """Of the scalp, and of the face before which it hangs."""
    outside_cam_mm: Float[Tensor, "vertices 3"]
    """The surface with the least of hair that the photo needs."""


def place_of_hair(
    shown: Shown,
    view: PhotoView,
    photo_px: Float[Tensor, "vertices 2"],
    points_cam_mm: Float[Tensor, "vertices 3"],
    normals: Float[Tensor, "vertices 3"],
    facing: Float[Tensor, "vertices"],
    model: MorphableModel,
    settings: TextureSettings,
) -> HairPlace | None:
    """Where the photo shows hair; None where it can't be told.

    Args:
        shown: the photo with its fit.
        view: the photo around the face.
        photo_px: where the photo shows the vertices.
        points_cam_mm: the fitted surface.
        normals: its own, in `cam`.
        facing: cosine between these and the view.
        model: the one that was fitted.
        settings: what of the photo is taken.
    """
    camera = shown.scene.camera
    mm_per_px = float((-points_cam_mm[:, 2]).mean() / camera.focal_px)
    how = (photo_px, facing, mm_per_px, settings.hair.map)
    found = hair_map(shown.photo, shown.predicted, model, *how)
    if found is None:
        return None
    thick_mm = hair_thickness_mm(found, points_cam_mm, normals, camera, model, settings.hair_layer)
    outside = points_cam_mm + thick_mm[:, None] * normals
    front = view.in_front(points_cam_mm)
    grazing = settings.hair.cover.grazing
    sight = sight_of_hair(found, camera.project(outside), facing, front, grazing)
    return HairPlace(found, sight, outside)


def with_hair_seen(
    seen: Seen,
    there: HairPlace,
    shown: Shown,
    face_light_linear: Float[Tensor, "3"],
    colour_linear: Float[Tensor, "vertices 3"],
    inside: Float[Tensor, "vertices"],
    model: MorphableModel,
    settings: TextureSettings,
) -> Seen:
    """What the photo shows of the head and of its hair.

    Args:
        seen: what it shows of the head.
        there: where its hair is.
        shown: the photo with its fit.
        face_light_linear: what white would show on the face.
        colour_linear: of the photo at each vertex.
        inside: 1 for what lies within it.
        model: the one that was fitted.
        settings: what of the photo is taken.
    """
    view, layer, topology = seen.view, seen.layer, model.surface.topology
    how = (model, settings.hair, settings.volume)
    top = hair_top(
        there.map, shown.predicted, there.sight, shown.scene, view, there.outside_cam_mm,
        seen.light_linear, *how,
    )  # fmt: skip
    share = shown_hair(top.sight, model, topology.edges, settings.hair_layer)
    share = share * (inside > 0.99)
    on_scalp = light_on_hair(top.light_linear, face_light_linear, settings.hair.light)
    hair = hair_colour(there.map, on_scalp, settings.hair)
    on_hair = view.camera.project(top.points_cam_mm)
    shows = share > 0
    colour = colour_linear.clone()
    colour[shows] = view.at(view.image_linear, on_hair[shows])
    factor = hair_factor(colour, on_scalp, share, hair, model, settings.hair_layer) - seen.own_tint
    mixed = (share / (share + layer.weight + 1e-6))[:, None]
    layer = replace(
        layer,
        places_px=torch.lerp(layer.places_px, on_hair, mixed),
        log_factor=torch.lerp(layer.log_factor, factor, mixed),
        weight=(layer.weight + share).clamp_max(1),
    )
    shape_mm = model.shape_mm(shown.scene.coefficients).cpu()
    ears = model.regions.get("ears", torch.zeros(model.n_vertices)).cpu() > 0.5
    skin_mm, ears_mm = (shape_mm[rows].numpy() for rows in (model.in_parts("skin").cpu(), ears))
    how = (shown.scene, skin_mm, ears_mm, settings.below.beside)
    beside = hair_beside(there.map, shown.predicted, *how)
    how = (shown.scene, view, seen.light_linear, model, settings.fringe)
    fringe = fringe_seen(there.map, shown.predicted, *how)
    hangs = (beside, fringe, face_light_linear)
    hair_seen = HairSeen(hair, there.sight, top.outline, top.volume_mm, there.map, *hangs)
    return replace(seen, layer=layer, hair=hair_seen)
