"""The texture of a fitted face: what its photos show, without their light, on the model's UV map.

Where a photo shows the face well, its colour divided by the fitted light is taken; elsewhere the
colour of the mirrored side, where that is seen; elsewhere the fitted albedo. So that the layers
meet without seams their weights fade out along the surface, and their colours at large are brought
together first (`export.tint`). What stands before the face is left out (`export.occlusion`). The
eyes are the model's, with irises of the photo's colour (`export.iris`).

Of several photos of one person the one that shows a place best and finest is taken there. Their
colours at large are brought to what all show on average, and they blend where one gives way to
another: averaged all over, photos that lie half a millimetre apart would be a blur.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm.export.iris import IrisSettings, iris_change
from fit3dmm.export.picture import srgb_bytes
from fit3dmm.export.smoothing import averaged
from fit3dmm.export.texels import in_texels, padded, texel_fragments
from fit3dmm.export.texture_layer import BLACK_LINEAR, Layer, layer_of, mirrored
from fit3dmm.export.texture_layer import TextureSettings as TextureSettings
from fit3dmm.export.view import PhotoView
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.photo import Photo
from fit3dmm.scene import Scene

MIN_SIZE_PX, MAX_SIZE_PX = 64, 8192
# Photos that show a place half as finely count there by this power less.
_SHARPEST = 4
_BLEND_ROUNDS = 8


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
class Shown:
    """A photo that a texture is made of."""

    scene: Scene
    """In the `photo` frame, without batch axes."""
    photo: Photo
    """The one that was fitted."""
    points_px: Float[Tensor, "478 2"] | None = None
    """MediaPipe's points in the photo; without them it says nothing of the irises."""


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
    return bake_together(model, [Shown(scene, photo, points_px)], size_px, settings)


def bake_together(
    model: MorphableModel,
    shown: Sequence[Shown],
    size_px: int = 1024,
    settings: TextureSettings | None = None,
) -> UInt8[np.ndarray, "size size 3"]:
    """`bake_texture` of several photos of one person.

    Args:
        model: the one that was fitted.
        shown: the photos, whose scenes have the same albedo.
        size_px: side of the square.
        settings: what of the photos is taken; the default ones if left out.

    Raises:
        InputError: the size is out of range.
    """
    check_texture_size(size_px)
    settings = settings or TextureSettings()
    albedo = model.albedo_linear(shown[0].scene.coefficients).clamp_min(BLACK_LINEAR)
    seen = [layer_of(model, one.scene, one.photo, albedo, size_px, settings) for one in shown]
    views, layers = [view for view, _ in seen], [layer for _, layer in seen]
    albedo = albedo * _iris_change(model, shown, seen, albedo, settings.iris).exp()
    tint = _common_tint(layers)
    fragments = texel_fragments(model.surface, size_px)

    def flat(values: Tensor) -> Tensor:
        return in_texels(values, model.surface, fragments)

    flat_tint = flat(tint)
    texture = flat(albedo) * flat_tint.exp()
    mirror = model.surface.mirror
    for every in ([mirrored(layer, mirror) for layer in layers], layers):
        shares = _shares(every, model.surface.topology.edges)
        weight = torch.stack([layer.weight for layer in every]).amax(0)
        colour = torch.zeros_like(texture)
        for view, layer, share in zip(views, every, shares, strict=True):
            colour = colour + _colour(view, layer, share, flat, flat_tint)
        texture = texture + flat(weight[:, None]) * (colour - texture)
    covered = fragments.covered[0].cpu().numpy()
    filled = padded(texture.detach().cpu().numpy(), covered)
    return srgb_bytes(torch.from_numpy(filled))


def _colour(
    view: PhotoView,
    layer: Layer,
    share: Float[Tensor, "vertices"],
    flat: Callable[[Tensor], Tensor],
    tint: Float[Tensor, "size size 3"],
) -> Float[Tensor, "size size 3"]:
    """What a photo gives to each texel: its colour without its light, brought to the tint of all,
    times its share."""
    values = torch.cat([layer.points_cam_mm, layer.light_linear, layer.tint, share[:, None]], 1)
    points, light, own_tint, flat_share = flat(values).split([3, 3, 3, 1], -1)
    # Texels without surface have no depth to project with.
    points = torch.where(points[..., 2:] < 0, points, points.new_tensor([0.0, 0.0, -1.0]))
    shown = view.at(view.image_linear, view.camera.project(points))
    return flat_share * shown / light.clamp_min(BLACK_LINEAR) * (tint - own_tint).exp()


def _shares(layers: Sequence[Layer], edges: Tensor) -> Float[Tensor, "photos vertices"]:
    """How much each photo gives to each vertex; they add up to 1."""
    if len(layers) == 1:
        return torch.ones_like(layers[0].weight)[None]
    weight = torch.stack([layer.weight for layer in layers])
    merit = (weight * torch.stack([layer.px_per_mm for layer in layers])) ** _SHARPEST
    best = merit / merit.sum(0).clamp_min(1e-12)
    # What blends must be seen, too.
    blended = averaged(best.mT, edges, _BLEND_ROUNDS).mT * weight
    total = blended.sum(0)
    return torch.where(total > 1e-6, blended / total.clamp_min(1e-6), 1 / len(layers))


def _common_tint(layers: Sequence[Layer]) -> Float[Tensor, "vertices 3"]:
    """What the photos show at large, each counted by how much it shows and how finely."""
    counts = [(layer.weight * layer.px_per_mm).sum() for layer in layers]
    total = torch.stack(counts).sum()
    if float(total) == 0:
        return torch.stack([layer.tint for layer in layers]).mean(0)
    parts = zip(counts, layers, strict=True)
    return torch.stack([count / total * layer.tint for count, layer in parts]).sum(0)


def _iris_change(
    model: MorphableModel,
    shown: Sequence[Shown],
    seen: Sequence[tuple[PhotoView, Layer]],
    albedo: Float[Tensor, "vertices 3"],
    settings: IrisSettings,
) -> Float[Tensor, "vertices 3"]:
    """By the photo that shows the eyes finest of those that show them well enough."""
    change = torch.zeros_like(albedo)
    order = sorted(range(len(shown)), key=lambda k: -float(seen[k][1].px_per_mm.mean()))
    for k in order:
        points_px, (view, layer) = shown[k].points_px, seen[k]
        if points_px is not None:
            expected = albedo * layer.tint.exp() * layer.light_linear
            where_mm = layer.points_cam_mm
            change = iris_change(model, view, points_px, where_mm, expected, settings)
            if bool(change.any()):
                break
    return change
