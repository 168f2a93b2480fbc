"""The texture of a fitted face: what its photos show, without their light, on the model's UV map.

Where a photo shows the face well, its colour divided by the fitted light is taken; elsewhere the
colour of the mirrored side, where that is seen; elsewhere the fitted albedo. So that the layers
meet without seams their weights fade out along the surface, and their colours at large are brought
together first (`export.tint`). `export.texture_layer` says what of a photo is taken, and
`export.person_colours` what the rest of the head looks like.

Of several photos of one person the one that shows a place best and finest is taken there. Their
colours at large are brought to what all show on average, and they blend where one gives way to
another: averaged all over, photos that lie half a millimetre apart would be a blur.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm.export.delight import chroma_kept, of_kept_hue
from fit3dmm.export.hair_below import hair_below
from fit3dmm.export.hair_hanging import HairShape
from fit3dmm.export.hair_over import hair_over
from fit3dmm.export.hair_sheet import shows_best
from fit3dmm.export.hair_top import standing_hair
from fit3dmm.export.hair_volume import hair_volume_mm
from fit3dmm.export.lids import at_lashes
from fit3dmm.export.person_colours import base_colours
from fit3dmm.export.picture import srgb_bytes
from fit3dmm.export.smoothing import averaged
from fit3dmm.export.stubble import with_grain
from fit3dmm.export.texels import in_texels, padded, texel_bands
from fit3dmm.export.texture_layer import seen_by
from fit3dmm.export.texture_seen import Layer, Seen, mirrored
from fit3dmm.export.texture_seen import Shown as Shown
from fit3dmm.export.texture_settings import TextureSettings as TextureSettings
from fit3dmm.export.view import BLACK_LINEAR, PhotoView
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.model.surface import Surface
from fit3dmm.observe.photo import Photo
from fit3dmm.observe.predicted import Predicted
from fit3dmm.render.fragments import Fragments
from fit3dmm.scene import Scene

MIN_SIZE_PX, MAX_SIZE_PX = 64, 8192
# Photos that show a place half as finely count there by this power less.
_SHARPEST = 4
_BLEND_ROUNDS = 8
# No place of a photo is darker by such a factor.
_NEVER = (1e3, 2e3)


@dataclass(frozen=True, eq=False)
class Baked:
    """What an avatar is drawn with."""

    srgb: UInt8[np.ndarray, "size size 3"]
    """Base colour, row 0 at v = 1, filled beyond the borders of the UV islands."""
    hair_shape: HairShape | None
    """Where hair stands off and hangs; None where it is not seen well enough, or lies flat."""


def check_texture_size(size_px: int) -> None:
    """Say so before a fit where its texture could not be made.

    Raises:
        InputError: the size is out of range.
    """
    if not MIN_SIZE_PX <= size_px <= MAX_SIZE_PX:
        raise InputError(
            f"The side of the texture must be {MIN_SIZE_PX}..{MAX_SIZE_PX} px, got {size_px}."
        )


def with_folds(settings: TextureSettings | None = None) -> TextureSettings:
    """Settings of the second texture, which keeps what the expression made of the skin: creases,
    and the dark in their depth.

    Args:
        settings: of the first one; the default ones if left out.
    """
    settings = settings or TextureSettings()
    kept = replace(settings.delight, crease_removed=0.0, deep=_NEVER)
    return replace(settings, delight=kept)


def bake_texture(
    model: MorphableModel,
    scene: Scene,
    photo: Photo,
    size_px: int = 1024,
    points_px: Float[Tensor, "478 2"] | None = None,
    settings: TextureSettings | None = None,
    predicted: Predicted | None = None,
) -> UInt8[np.ndarray, "size size 3"]:
    """Make the texture, in sRGB, row 0 at v = 1, filled beyond the borders of the UV islands.

    Args:
        model: the one that was fitted.
        scene: in the `photo` frame, without batch axes.
        photo: the one that was fitted.
        size_px: side of the square.
        points_px: MediaPipe's points in the photo; without them the irises keep the fitted colour,
            and lips lie where they were fitted.
        settings: what of the photo is taken; the default ones if left out.
        predicted: what the model's network saw; without it hair has the model's colour, and
            glasses stay.

    Raises:
        InputError: the size is out of range.
    """
    return bake_together(model, [Shown(scene, photo, points_px, predicted)], size_px, settings)


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
    return bake(model, shown, size_px, settings).srgb


def bake(
    model: MorphableModel,
    shown: Sequence[Shown],
    size_px: int = 1024,
    settings: TextureSettings | None = None,
) -> Baked:
    """`bake_together`, and the hair that goes with the texture.

    Args:
        model: the one that was fitted.
        shown: the photos, whose scenes have the same albedo.
        size_px: side of the texture.
        settings: what of the photos is taken; the default ones if left out.

    Raises:
        InputError: the size is out of range.
    """
    check_texture_size(size_px)
    settings = settings or TextureSettings()
    albedo = model.albedo_linear(shown[0].scene.coefficients).clamp_min(BLACK_LINEAR)
    seen = [seen_by(model, one, albedo, size_px, settings) for one in shown]
    views, layers = [one.view for one in seen], [one.layer for one in seen]
    tint = _common([one.own_tint for one in seen], seen)
    base, grainy = base_colours(model, shown, seen, albedo, tint, settings)
    kept = chroma_kept(model, settings.delight)
    around = _common([one.around for one in seen], seen)
    base = of_kept_hue(base * around.exp(), base, kept[:, None])
    lashes = at_lashes(model, settings.lids)
    if not any(bool(layer.weight.any()) for layer in layers):
        # Of a face that no photo shows the texture is the fitted albedo as it is.
        lashes = torch.ones_like(lashes)
    mirror, edges = model.surface.mirror, model.surface.topology.edges
    sides = [
        _Side(
            views, every, _shares(every, edges), torch.stack([one.weight for one in every]).amax(0)
        )
        for every in ([mirrored(layer, mirror) for layer in layers], layers)
    ]
    pixels = np.zeros((size_px, size_px, 3), np.uint8)
    covered = np.zeros((size_px, size_px), bool)
    for band in texel_bands(model.surface, size_px):
        values = torch.cat([base, torch.stack([kept, grainy, lashes], 1)], 1)
        texels = in_texels(values, model.surface, band.fragments)
        colours, hue_kept, strength, lined = texels.split([3, 1, 1, 1], -1)
        colours = with_grain(colours.contiguous(), strength[..., 0], band.rows)
        for side in sides:
            colours = side.laid_over(colours, band.fragments, model.surface, tint, hue_kept)
        colours = colours * lined
        pixels[band.rows] = srgb_bytes(colours)
        covered[band.rows] = band.fragments.covered[0].cpu().numpy()
    return Baked(padded(pixels, covered), _hair_shape(model, shown, seen, settings))


def _hair_shape(
    model: MorphableModel, shown: Sequence[Shown], seen: Sequence[Seen], settings: TextureSettings
) -> HairShape | None:
    """Where hair is by all photos."""
    raised_mm = _raised_mm(model, seen, settings)
    if raised_mm is None:
        return None
    told = [(a, b.hair) for a, b in zip(shown, seen, strict=True) if b.hair is not None]
    below = shows_best(told, lambda hair: 0 if hair.beside is None else int(hair.beside.seen.sum()))
    over = shows_best(told, lambda hair: int(hair.fringe is not None))
    how = (raised_mm, model, settings.hair)
    return HairShape(
        raised_mm,
        None if below is None else hair_below(*below, *how, settings.below),
        None if over is None else hair_over(*over, *how, settings),
    )


def _raised_mm(
    model: MorphableModel, seen: Sequence[Seen], settings: TextureSettings
) -> Float[Tensor, "vertices"] | None:
    """How far hair stands off by all photos."""
    told = [one.hair for one in seen if one.hair is not None]
    if len(told) < 2:
        return told[0].volume_mm if told else None
    how = (model, settings.hair, settings.volume)
    share = standing_hair([one.sight for one in told], *how)
    return hair_volume_mm([one.outline for one in told], share, model, settings.volume)


@dataclass(frozen=True)
class _Side:
    """What the photos show of the vertices, or of their mirror images."""

    views: Sequence[PhotoView]
    layers: Sequence[Layer]
    shares: Float[Tensor, "photos vertices"]
    weight: Float[Tensor, "vertices"]
    """How much of a vertex is seen at all."""

    def laid_over(
        self,
        texture: Float[Tensor, "rows columns 3"],
        fragments: Fragments,
        surface: Surface,
        tint: Float[Tensor, "vertices 3"],
        hue_kept: Float[Tensor, "rows columns 1"],
    ) -> Float[Tensor, "rows columns 3"]:
        """The texture with what is seen in its place.

        Args:
            texture: some of its rows.
            fragments: what these show of the surface.
            surface: the model's.
            tint: that of all photos.
            hue_kept: see `of_kept_hue`.
        """
        weight = in_texels(self.weight[:, None], surface, fragments).flatten(0, 1)
        # Most texels show the back of the head; finding the others once is quicker than a mask.
        seen = weight[:, 0].nonzero()[:, 0]
        shown, weight = fragments.of_pixels(seen), weight.index_select(0, seen)
        texels = texture.flatten(0, 1)
        below, colour = texels.index_select(0, seen), torch.zeros(())
        for view, layer, share in zip(self.views, self.layers, self.shares, strict=True):
            # A photo's colour without its light, brought to the tint of all, times its share.
            factor = share[:, None] * (layer.log_factor + tint).exp()
            there = in_texels(torch.cat([layer.places_px, factor], 1), surface, shown)[:, 0]
            places_px, factor = there.split([2, 3], -1)
            colour = colour + view.at(view.image_linear, places_px) * factor
        colour = of_kept_hue(colour, below, hue_kept.flatten(0, 1).index_select(0, seen))
        laid = texels.index_copy(0, seen, below + weight * (colour - below))
        return laid.reshape(texture.shape)


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


def _common(
    values: Sequence[Float[Tensor, "vertices 3"]], seen: Sequence[Seen]
) -> Float[Tensor, "vertices 3"]:
    """The mean over all photos, each counted by how much it shows and how finely."""
    layers = [one.layer for one in seen]
    counts = torch.stack([(layer.weight * layer.px_per_mm).sum() for layer in layers])
    total = counts.sum()
    if float(total) == 0:
        counts, total = torch.ones_like(counts), torch.tensor(float(len(layers)))
    return (torch.stack(list(values)) * (counts / total)[:, None, None]).sum(0)
