"""What a photo shows of hair that stands off the head: the surface of the hair, not the scalp."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.export.hair_colour import HairSettings, grown
from fit3dmm.export.hair_cover import Sight, hair_cover
from fit3dmm.export.hair_layer import sight_of_hair
from fit3dmm.export.hair_map import HairMap
from fit3dmm.export.hair_outline import HairOutline, hair_outline, within_outline_mm
from fit3dmm.export.hair_raised import raised
from fit3dmm.export.hair_volume import HairVolumeSettings, hair_volume_mm, standing
from fit3dmm.export.regions import to_region_mm
from fit3dmm.export.smoothing import ramp
from fit3dmm.export.view import PhotoView
from fit3dmm.geometry.harmonics import sh_basis
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.predicted import Predicted
from fit3dmm.render.backend import choose_backend
from fit3dmm.scene import Scene


@dataclass(frozen=True)
class HairTop:
    """The surface of a head with its hair, in one photo."""

    outline: HairOutline
    volume_mm: Float[Tensor, "vertices"] | None
    """How far hair stands off, by this photo alone; None where that is not told."""
    points_cam_mm: Float[Tensor, "vertices 3"]
    sight: Sight
    light_linear: Float[Tensor, "vertices 3"]
    """What a white surface would show there."""


def hair_top(
    seen: HairMap,
    predicted: Predicted | None,
    sight: Sight,
    scene: Scene,
    view: PhotoView,
    outside_cam_mm: Float[Tensor, "vertices 3"],
    light_linear: Float[Tensor, "vertices 3"],
    model: MorphableModel,
    hair: HairSettings,
    volume: HairVolumeSettings,
) -> HairTop:
    """Where hair stands off, and what is seen there.

    Args:
        seen: where the photo shows hair.
        predicted: what the network saw, if one looked.
        sight: what it shows of the scalp, as far as that is known without a volume.
        scene: in the `photo` frame, without batch axes.
        view: the photo around the face.
        outside_cam_mm: where hair is, as far as that is known without a volume.
        light_linear: what a white surface would show there.
        model: the one that was fitted.
        hair: what hair is.
        volume: how far it may stand off.
    """
    shape_mm = model.shape_mm(scene.coefficients)
    share = standing_hair([sight], model, hair, volume)
    points = scene.pose.T_cam_model @ shape_mm
    outline = hair_outline(seen, predicted, scene, points, share > 0, model, volume.outline)
    volume_mm = hair_volume_mm([outline], share, model, volume)
    if volume_mm is None:
        return HairTop(outline, None, outside_cam_mm, sight, light_linear)
    outside = scene.pose.T_cam_model @ raised(model, shape_mm, volume_mm)
    backend = choose_backend("auto", outside.device)
    normals = backend.vertex_normals(outside, model.surface.topology)
    facing = -(normals * torch.nn.functional.normalize(outside, dim=-1)).sum(-1)
    photo_px, front = scene.camera.project(outside), view.in_front(outside)
    thick = ramp(volume_mm, volume.by_ears_from_mm)
    front = front * (1 - thick * (1 - ramp(to_region_mm(model, "ears"), volume.by_ears_mm)))
    front = front * ramp(within_outline_mm(outline, outside).clamp_max(1e3), volume.rim_mm)
    sight = sight_of_hair(seen, photo_px, facing, front, volume.grazing)
    light_linear = sh_basis(normals) @ scene.lighting.irradiance_sh
    return HairTop(outline, volume_mm, outside, sight, light_linear)


def standing_hair(
    sights: Sequence[Sight], model: MorphableModel, hair: HairSettings, volume: HairVolumeSettings
) -> Float[Tensor, "vertices"]:
    """`hair_volume.standing` by what photos show of the scalp."""
    cover = hair_cover(sights, model, hair.cover)
    return standing(cover * grown(model, hair), model, volume)
