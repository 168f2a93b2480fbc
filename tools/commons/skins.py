"""MakeHuman's skin textures on the mesh, with the painted light taken out.

Colours are handled as logarithms of linear RGB, where a pigment or a shadow is a sum.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import map_coordinates
from scipy.spatial import KDTree

from commons.fine import FineHead
from commons.sources import Sources

N_SKINS = 20
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
"""Weights of linear sRGB in the luminance."""

# Painted light varies over centimetres, skin over millimetres. What is wider than this is light in
# the luminance; in the hue it is real (red cheeks, blue eye sockets) and stays.
_LIGHT_SIGMA_MM = 9.0
_HUE_SIGMA_MM = 5.0
# How much of each part of a texture is believed to be albedo.
_KEPT_WIDE_LUMINANCE = 0.15
_KEPT_WIDE_HUE = 0.65
_KEPT_FINE_LUMINANCE = 0.75
_KEPT_FINE_HUE = 0.8
_KEPT_DIFFERENCES = 0.55


@dataclass(frozen=True)
class Skins:
    """What the textures say about skin, apart from its tone."""

    log_pattern: np.ndarray
    """(skins, vertices, 3) natural logarithm of the colour over the skin's own tone."""
    is_dark: np.ndarray
    """(skins,) whether it is one of the dark skins."""
    lips: np.ndarray
    """(vertices,) 1 on the red of the lips, 0 on skin."""
    hair: np.ndarray
    """(vertices,) 1 where hair grows on the head, 0 below the hairline."""


def read_skins(sources: Sources, fine: FineHead) -> Skins:
    """Sample the 20 usable skins and keep what is symmetric, local, or hue."""
    paths = sorted((sources.makehuman / "skins").glob("*/textures/*skinned*diffuse*.png"))
    if len(paths) != N_SKINS:
        raise SystemExit(f"Expected {N_SKINS} skin textures, found {len(paths)}.")
    raw = np.stack([_sampled(_read_linear(path), fine) for path in paths])
    dark = np.array(["dark" in path.name for path in paths])
    hair = _hair(raw[dark], fine)
    lips = _lips(raw[~dark], fine)
    pattern = _patterns(np.log(np.maximum(raw, 0.004)), hair, lips, fine)
    # Dark pixels are noisy in the logarithm, and the few sources repeat themselves.
    for group in (dark, ~dark):
        mean = pattern[group].mean(axis=0)
        pattern[group] = mean + _KEPT_DIFFERENCES * (pattern[group] - mean)
    return Skins(
        log_pattern=pattern.astype(np.float32),
        is_dark=dark,
        lips=lips,
        hair=hair,
    )


def srgb_to_linear(srgb: np.ndarray) -> np.ndarray:
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


Bound = float | np.ndarray


def smoothstep(x: np.ndarray, low: Bound, high: Bound) -> np.ndarray:
    """0 at `low`, 1 at `high` (which may be the smaller one), smooth between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _read_linear(path) -> np.ndarray:
    return srgb_to_linear(np.asarray(Image.open(path).convert("RGB"), dtype=np.float64) / 255)


def _sampled(image: np.ndarray, fine: FineHead) -> np.ndarray:
    """(vertices, 3) bilinear samples at the texture coordinates."""
    height, width = image.shape[:2]
    rows = (1 - fine.makehuman_uv[:, 1]) * height - 0.5
    columns = fine.makehuman_uv[:, 0] * width - 0.5
    channels = [map_coordinates(image[..., k], [rows, columns], order=1) for k in range(3)]
    return fine.from_uv @ np.stack(channels, axis=1)


def _hair(dark: np.ndarray, fine: FineHead) -> np.ndarray:
    """The dark skins have a black scalp: where they are darker than half of the face's tone."""
    luminance = np.log(np.maximum(dark, 0.004) @ LUMINANCE)
    face = np.median(luminance[:, _front(fine)], axis=1, keepdims=True)
    darker = fine.symmetric((luminance - face).mean(axis=0))
    above = fine.points_mm[:, 1] > _lid_height_mm(fine) - 60
    covered = smoothstep(fine.smooth(darker[:, None], 4.0)[:, 0], -0.5, -1.3) * above
    return np.clip(fine.smooth((covered * fine.in_part("skin"))[:, None], 3.0)[:, 0], 0, 1)


def _lips(light: np.ndarray, fine: FineHead) -> np.ndarray:
    """Lips are redder than what surrounds them, within 2 cm of their rim."""
    redness = np.log(np.maximum(light[..., 0], 0.004) / np.maximum(light[..., 1], 0.004))
    redness = fine.symmetric(redness.mean(axis=0))
    rim_mm = fine.points_mm[fine.lip_rim]
    away_mm = KDTree(rim_mm).query(fine.points_mm)[0]
    near = (away_mm < 22) & fine.in_part("skin")
    around = np.median(redness[near & (away_mm > 14)])
    inside = np.quantile(redness[near & (away_mm < 5)], 0.8)
    share = (redness - around) / (inside - around)
    return smoothstep(share, 0.25, 0.65) * smoothstep(away_mm, 14, 10) * near


def _patterns(log_raw: np.ndarray, hair, lips, fine: FineHead) -> np.ndarray:
    """(skins, vertices, 3) logarithm of colour over tone, without the painted light."""
    skin = fine.in_part("skin") & (fine.points_mm[:, 2] > fine.points_mm[:, 2].min() + 60)
    # The textures' hair begins as an orange seam well below the hairline.
    bare = 1 - smoothstep(fine.smooth(hair[:, None], 10.0)[:, 0], 0.02, 0.3)
    trust = skin * bare * (1 - lips) ** 4 + 1e-5
    tone = np.median(log_raw[:, _front(fine)], axis=1)[:, None]
    luminance = _log_luminance(log_raw) - _log_luminance(tone)
    hue = log_raw - tone - luminance
    light = _low_pass(luminance, trust, _LIGHT_SIGMA_MM, fine)
    wide_hue = _low_pass(hue, trust, _HUE_SIGMA_MM, fine)
    # On the lips nothing is taken for light.
    on_lips = lips[:, None]
    detail = (_KEPT_FINE_LUMINANCE * (1 - on_lips) + on_lips) * (luminance - light)
    detail = detail + (_KEPT_FINE_HUE * (1 - on_lips) + on_lips) * (hue - wide_hue)
    wide = _KEPT_WIDE_LUMINANCE * light + _KEPT_WIDE_HUE * wide_hue
    wide = (wide + wide[:, fine.mirror]) / 2
    # Beside the face the texture is stretched, and under the hair there is no skin to be seen.
    seen = (_frontal(fine) * bare)[:, None]
    return (0.15 + 0.85 * seen) * wide + seen * detail


def _log_luminance(log_linear: np.ndarray) -> np.ndarray:
    return np.log(np.exp(log_linear) @ LUMINANCE)[..., None]


def _low_pass(values: np.ndarray, trust: np.ndarray, sigma_mm: float, fine: FineHead):
    """Smooth (skins, vertices, channels) from trusted vertices only, all in one solve."""
    skins, vertices, channels = values.shape
    columns = values.transpose(1, 0, 2).reshape(vertices, -1)
    smooth = fine.smooth_within(columns, trust, sigma_mm)
    return smooth.reshape(vertices, skins, channels).transpose(1, 0, 2)


def _front(fine: FineHead) -> np.ndarray:
    """Cheeks, nose and forehead, for the tone of a skin."""
    x, y, z = fine.points_mm.T
    eyes = _lid_height_mm(fine)
    return (np.abs(x) < 55) & (y > eyes - 60) & (y < eyes + 40) & (z > 0) & fine.in_part("skin")


def _frontal(fine: FineHead) -> np.ndarray:
    """1 on the face, 0 from the ears backwards and down the neck."""
    x, y, z = fine.points_mm.T
    ear_z = z[np.where(fine.in_part("skin"), x, -np.inf).argmax()]
    turned_deg = np.degrees(np.arctan2(np.abs(x), z - ear_z))
    chin = fine.points_mm[fine.lip_rim, 1].min() - 45
    return smoothstep(turned_deg, 75, 52) * smoothstep(y, chin - 25, chin)


def _lid_height_mm(fine: FineHead) -> float:
    return float(fine.points_mm[np.concatenate(fine.lid_rims), 1].mean())
