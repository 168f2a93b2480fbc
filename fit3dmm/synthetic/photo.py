"""Taking the picture: rays, background, exposure, lens, sensor and JPEG."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from PIL import Image
from scipy.ndimage import gaussian_filter

from fit3dmm.colour import linear_to_srgb, luminance
from fit3dmm.geometry.closest_point import index_surface
from fit3dmm.geometry.smoothstep import smoothstep
from fit3dmm.synthetic.cameras import View
from fit3dmm.synthetic.looks import LOOKS, Look
from fit3dmm.synthetic.parts import Assembly, Part, assemble
from fit3dmm.synthetic.probes import Probe
from fit3dmm.synthetic.sensor import compressed
from fit3dmm.synthetic.shading import prepare_light, shade_hits, visibility_of
from fit3dmm.synthetic.specification import Specification
from fit3dmm.synthetic.tracer import Hits, first_hits

_SAMPLES = 2
"""Rays a pixel along each side."""
_GREY = 0.18
"""What a camera makes of the mean of a picture (ISO 2720)."""
_WHITE = 0.85
"""What a white thing in the face's place would become."""


@dataclass(frozen=True)
class Rendered:
    """Light that arrives at the sensor, in units of the probe's radiance."""

    linear: Float[np.ndarray, "height width 3"]
    face: Bool[np.ndarray, "height width"]
    """Pixels in which the face is seen."""
    hidden: Bool[np.ndarray, "height width"]
    """Pixels in which an occluder is before the face."""


@dataclass(frozen=True)
class Photograph:
    """A finished photo."""

    jpeg: bytes
    gains: Float[np.ndarray, "3"]
    """From the probe's light to the linear values of the photo."""
    rendered: Rendered


def take_photo(
    parts: Sequence[Part],
    face: Bool[np.ndarray, "triangles"],
    view: View,
    probe: Probe,
    case: Specification,
    eye_albedo: Callable[[np.ndarray], np.ndarray] | None,
) -> Photograph:
    """Render and develop.

    Args:
        parts: in `cam`; the first is the head.
        face: triangles of the head that are its face.
        view: the camera.
        probe: the light, and what is behind.
        case: what the photo shows.
        eye_albedo: colour at places on eyes; None takes the vertices' colours.
    """
    rendered = render(parts, face, view, probe, case, eye_albedo)
    gains = camera_gains(rendered, probe, case)
    return Photograph(develop(rendered.linear * gains, case), gains, rendered)


def render(
    parts: Sequence[Part],
    face: Bool[np.ndarray, "triangles"],
    view: View,
    probe: Probe,
    case: Specification,
    eye_albedo: Callable[[np.ndarray], np.ndarray] | None,
) -> Rendered:
    """Follow rays through every pixel.

    Args:
        parts: in `cam`; the first is the head.
        face: triangles of the head that are its face.
        view: the camera.
        probe: the light, and what is behind.
        case: what the photo shows.
        eye_albedo: colour at places on eyes; None takes the vertices' colours.
    """
    scene = assemble(parts)
    surface = index_surface(scene.vertices_mm, scene.triangles)
    size = (view.height_px, view.width_px)
    fine = (size[0] * _SAMPLES, size[1] * _SAMPLES)
    directions = view.rays(_pixel_centres(*fine) / _SAMPLES)
    hits = first_hits(surface, np.zeros(3), directions)
    met = np.flatnonzero(hits.triangle >= 0)
    hits = Hits(hits.triangle[met], hits.barycentric[met], hits.distance[met])
    asked = np.unique(scene.triangles[hits.triangle])
    visibility = visibility_of(
        surface, scene.vertices_mm, scene.normals, scene.triangles, asked, scene.spared, probe
    )
    shaded = shade_hits(
        scene, visibility, prepare_light(probe), hits, directions[met], eye_albedo,
        case.generator("relief"),
    )  # fmt: skip
    behind = background(view, probe, case)
    linear = behind.repeat(_SAMPLES, axis=0).repeat(_SAMPLES, axis=1).reshape(-1, 3)
    linear[met] = shaded
    linear = linear.reshape(size[0], _SAMPLES, size[1], _SAMPLES, 3).mean(axis=(1, 3))
    seen = np.full(fine[0] * fine[1], -1)
    seen[met] = hits.triangle
    seen = seen.reshape(fine)[_SAMPLES // 2 :: _SAMPLES, _SAMPLES // 2 :: _SAMPLES]
    return Rendered(linear, *_masks(scene, parts, face, view, seen))


def _masks(
    scene: Assembly, parts: Sequence[Part], face: np.ndarray, view: View, seen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where the face is seen, and where an occluder is before it."""
    is_face = np.zeros(len(scene.triangles) + 1, dtype=bool)
    is_face[: len(face)] = face
    hides = np.array([part.hides for part in parts])[scene.part]
    blocked = np.append(hides, False)[seen]
    hidden = np.zeros_like(blocked)
    if blocked.any():
        head = index_surface(parts[0].vertices_mm, parts[0].triangles)
        centres = _pixel_centres(*seen.shape).reshape(*seen.shape, 2)[blocked]
        behind = first_hits(head, np.zeros(3), view.rays(centres)).triangle
        hidden[blocked] = is_face[behind]
    return is_face[seen], hidden


def background(
    view: View, probe: Probe, case: Specification
) -> Float[np.ndarray, "height width 3"]:
    """The place of the probe, out of focus, with things in it that the small probe has lost."""
    height, width = view.height_px, view.width_px
    directions = view.rays(_pixel_centres(height, width))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    light = probe.radiance.at(directions, soft=True).reshape(height, width, 3)
    generator = case.generator("background")
    things = np.ones((height, width, 3))
    row, column = np.mgrid[:height, :width]
    for _ in range(generator.integers(10, 40)):
        middle = generator.uniform(0, 1, 2) * [height, width]
        half = np.exp(generator.normal(-2.6, 0.8, 2)) * width * [1.6, 1.0]
        lean = generator.normal(0, 0.15)
        down = (row - middle[0]) / half[0]
        right = (column - middle[1] + lean * (row - middle[0])) / half[1]
        # Between an ellipse and a box.
        power = generator.uniform(2, 8)
        within = np.abs(down) ** power + np.abs(right) ** power < 1
        tint = np.exp(generator.normal(-0.1, 0.25) + generator.normal(0, 0.05, 3))
        things[within] *= tint
    blur = generator.uniform(3.0, 11.0) * width / 640
    return light * gaussian_filter(things, (blur, blur, 0))


def camera_gains(rendered: Rendered, probe: Probe, case: Specification) -> Float[np.ndarray, "3"]:
    """White balance and exposure, as an automatic camera would choose them, not quite perfectly."""
    generator, look = case.generator("exposure"), LOOKS[case.edition]
    face = rendered.linear[rendered.face]
    balance = _white_balance(probe, look, generator)
    face_level = float(np.mean(luminance(face * balance)))
    picture = np.clip(luminance(rendered.linear * balance), 1e-4, None)
    by_picture = _GREY / np.exp(np.mean(np.log(picture)))
    by_face = _WHITE * case.tone / face_level
    exposure = by_face**look.exposes_face * by_picture ** (1 - look.exposes_face)
    exposure *= np.exp(generator.normal(0, look.exposure_spread))
    brightest = np.percentile(luminance(face * balance), 95)
    exposure = min(exposure, 1.05 / brightest)
    exposure = max(exposure, look.dimmest_face * by_face)
    return balance * exposure


def _white_balance(probe: Probe, look: Look, generator: np.random.Generator) -> np.ndarray:
    """Gains that make the light on what faces the camera mostly white."""
    mean = probe.irradiance(np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])).mean(axis=0)
    spread = np.exp(generator.normal(0, look.white_balance_spread, 3))
    gains = (luminance(mean) / mean) ** look.white_balance * spread
    return gains / luminance(gains)


def develop(linear: Float[np.ndarray, "height width 3"], case: Specification) -> bytes:
    """Blur of the lens, noise of the sensor, sRGB curve, JPEG without EXIF."""
    generator, look = case.generator("sensor"), LOOKS[case.edition]
    blur = generator.uniform(0.3, 1.1)
    light = gaussian_filter(np.minimum(linear, 8.0), (blur, blur, 0))
    photons = np.exp(generator.uniform(*np.log(look.photons)))
    # Shot noise grows with the light, read noise does not; denoising leaves it correlated.
    sigma = np.sqrt(np.maximum(light, 0) / photons + 0.002**2)
    noise = generator.normal(size=light.shape)
    soft = gaussian_filter(noise, (0.6, 0.6, 0))
    light = np.maximum(light + sigma * soft / soft.std(), 0)
    # Cameras let what is much too bright turn white before its colours clip one by one.
    level = luminance(light)
    pale = smoothstep(level, 0.7, 2.5)[..., None]
    light = light * (1 - pale) + level[..., None] * pale
    srgb = linear_to_srgb(torch.from_numpy(compressed(light))).numpy()
    pixels: UInt8[np.ndarray, "height width 3"] = np.round(255 * np.clip(srgb, 0, 1)).astype(
        np.uint8
    )
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=int(generator.integers(*look.jpeg_quality)))
    return file.getvalue()


def _pixel_centres(height: int, width: int) -> Float[np.ndarray, "pixels 2"]:
    """(x, y) of every pixel, row by row."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return np.stack([x.ravel(), y.ravel()], axis=1)
