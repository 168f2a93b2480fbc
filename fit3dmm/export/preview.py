"""One picture to judge a fit at a glance: photo, overlay, geometry, rendering, residual, sigma."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from fit3dmm.colour import linear_to_srgb, srgb_to_linear
from fit3dmm.export.picture import srgb_bytes
from fit3dmm.export.ramp import ramp_srgb
from fit3dmm.export.sigma import VertexSigma, vertex_sigma
from fit3dmm.fitting.result import FitResult
from fit3dmm.geometry.transform import Similarity
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.crop import Crop, extract_crop
from fit3dmm.observe.photo import Photo
from fit3dmm.render.lights import named_lights
from fit3dmm.render.synthesise import Rendering, repainted, synthesise
from fit3dmm.scene import Lighting, Scene

LABELS = ("photo", "overlay", "geometry", "reconstruction", "residual x 3", "sigma (mm)")
# Side of the square that is shown, in units of the longer side of the face's box.
_MARGIN = 1.65
_CLAY_LINEAR, _BACKGROUND_LINEAR = 0.45, 0.9
_OVERLAY_SHARE = 0.65
_RESIDUAL_GAIN = 3.0
_LETTERS = (60, 60, 60)


def preview(
    result: FitResult,
    model: MorphableModel,
    photo: Photo,
    panel_px: int = 400,
    sure: VertexSigma | None = None,
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw the sheet: six panels in a row, and what the fit says of itself below.

    Args:
        result: of a fit.
        model: the one that was fitted.
        photo: the one that was fitted.
        panel_px: side of a panel.
        sure: how sure the fit is of each vertex, where that is known already.
    """
    seen = _seen(result, model, photo, panel_px)
    sure = vertex_sigma(result, model) if sure is None else sure
    pictures = [*_panels(seen).values(), _sigma(model, seen.scene, seen.drawn, sure, seen.face)]
    return _sheet(pictures, _caption(result))


def panels(
    result: FitResult, model: MorphableModel, photo: Photo, panel_px: int = 400
) -> dict[str, UInt8[np.ndarray, "height width 3"]]:
    """The panels of the sheet by themselves, by name, but for the last.

    Args:
        result: of a fit.
        model: the one that was fitted.
        photo: the one that was fitted.
        panel_px: side of a panel.
    """
    return _panels(_seen(result, model, photo, panel_px))


@dataclass(frozen=True)
class _Seen:
    """The face in the square that is shown."""

    crop: Crop
    scene: Scene
    drawn: Rendering
    clay: Rendering
    face: Float[Tensor, "height width 1"]
    """Where it is: only the face is compared with the photo; hair covers the rest of the head."""


def _seen(result: FitResult, model: MorphableModel, photo: Photo, panel_px: int) -> _Seen:
    crop = _crop(result, photo, panel_px)
    scene = result.scene.replace(
        camera=result.scene.camera.cropped(crop.T_crop_photo, panel_px, panel_px)
    )
    drawn = synthesise(model, scene, background_linear=crop.image_linear)
    return _Seen(crop, scene, drawn, _clay(model, scene, drawn), _face_weight(model, drawn))


def _panels(seen: _Seen) -> dict[str, UInt8[np.ndarray, "height width 3"]]:
    behind, face, clay = seen.crop.image_linear, seen.face, seen.clay.rgb_linear
    overlay = behind + _OVERLAY_SHARE * face * (clay - behind)
    reconstruction = behind + face * (seen.drawn.rgb_linear - behind)
    pictures = [srgb_bytes(panel) for panel in (behind, overlay, clay, reconstruction)]
    pictures.append(_residual(seen.crop, seen.drawn, face))
    return dict(zip(LABELS, pictures, strict=False))


def _crop(result: FitResult, photo: Photo, panel_px: int) -> Crop:
    points = result.observation.face_points_px
    low, high = points.amin(0), points.amax(0)
    side = float((high - low).max().clamp_min(1)) * _MARGIN
    left, top = ((low + high - side) / 2).tolist()
    scale = panel_px / side
    T_panel_photo = Similarity.in_plane(scale, (-scale * left, -scale * top))
    return extract_crop(photo, T_panel_photo, panel_px)


def _clay(model: MorphableModel, scene: Scene, drawn: Rendering) -> Rendering:
    """The shape alone, in grey under studio light."""
    points = drawn.points_cam_mm
    grey = torch.full_like(points, _CLAY_LINEAR)
    light = named_lights()["studio"].to(points.device, points.dtype)
    ground = points.new_full((3,), _BACKGROUND_LINEAR)
    topology = model.surface.topology
    return repainted(drawn, grey, topology, scene.camera, light, background_linear=ground)


def _face_weight(model: MorphableModel, drawn: Rendering) -> Float[Tensor, "height width 1"]:
    fragments = drawn.fragments
    corners = model.surface.triangles[fragments.triangle[0].clamp_min(0).long()]
    weight = (model.regions["face"][corners] * fragments.barycentric[0]).sum(-1)
    return (weight * fragments.covered[0])[..., None]


def _residual(
    crop: Crop, drawn: Rendering, face: Float[Tensor, "height width 1"]
) -> UInt8[np.ndarray, "height width 3"]:
    """Photo minus rendering in sRGB around grey: what is too dark in the rendering is bright."""
    photo, rendering = (
        linear_to_srgb(i.clamp(0, 1)) for i in (crop.image_linear, drawn.rgb_linear)
    )
    difference = 0.5 + 0.5 * _RESIDUAL_GAIN * face * (photo - rendering)
    return (255 * difference.clamp(0, 1)).round().byte().numpy()


def _sigma(
    model: MorphableModel,
    scene: Scene,
    drawn: Rendering,
    found: VertexSigma,
    face: Float[Tensor, "height width 1"],
) -> UInt8[np.ndarray, "height width 3"]:
    """How sure the neutral face is, on the face as it is seen: bright where it is, with the two
    ends of the colours below."""
    colours = srgb_to_linear(torch.from_numpy(found.colours_srgb()).to(face))
    light = Lighting.ambient_white().to(face.device, face.dtype)
    shown = repainted(drawn, colours, model.surface.topology, scene.camera, light)
    ground = _BACKGROUND_LINEAR * torch.ones_like(shown.rgb_linear)
    picture = srgb_bytes(ground + face * (shown.rgb_linear - ground))
    side = picture.shape[0]
    bar = np.linspace(0, 1, side // 2)[None].repeat(max(side // 30, 2), 0)
    left, top = side // 4, side - 2 * len(bar)
    place = (slice(top, top + len(bar)), slice(left, left + bar.shape[1]))
    picture[place] = np.round(255 * ramp_srgb(bar))
    sheet = Image.fromarray(picture)
    draw, middle = ImageDraw.Draw(sheet), top + len(bar) / 2
    font = ImageFont.load_default(size=max(1.2 * len(bar), 8))
    ends = ((left, found.low_mm, "rm"), (left + bar.shape[1], found.high_mm, "lm"))
    for (x, value_mm, anchor), gap in zip(ends, (-4, 4), strict=True):
        draw.text((x + gap, middle), f"{value_mm:.1f}", fill=_LETTERS, font=font, anchor=anchor)
    return np.asarray(sheet)


def _caption(result: FitResult) -> str:
    quality = result.quality
    parts = [
        f"{result.observation.name}: {quality.verdict}",
        f"points off by {quality.points_off}",
        f"distance {result.distance_mm / 10:.0f} +- {result.distance_sigma_mm / 10:.0f} cm",
        f"focal length {result.focal_px:.0f} +- {result.focal_sigma_px:.0f} px",
        f"model {result.model.name}",
    ]
    return ",  ".join(parts)


def _sheet(pictures: list[np.ndarray], caption: str) -> UInt8[np.ndarray, "height width 3"]:
    side = pictures[0].shape[0]
    line = max(side // 16, 14)
    font = ImageFont.load_default(size=0.7 * line)
    sheet = Image.new("RGB", (side * len(pictures), side + 2 * line), "white")
    draw = ImageDraw.Draw(sheet)
    for k, (picture, label) in enumerate(zip(pictures, LABELS, strict=True)):
        sheet.paste(Image.fromarray(picture), (k * side, line))
        place = (k * side + side / 2, line / 2)
        draw.text(place, label, fill=_LETTERS, font=font, anchor="mm")
    place = (line / 2, side + 1.5 * line)
    draw.text(place, caption, fill=_LETTERS, font=font, anchor="lm")
    return np.asarray(sheet)
