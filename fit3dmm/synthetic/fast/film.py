"""From light to a picture file: exposure, lens, sensor, the camera's software, JPEG."""

import io

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from scipy.ndimage import gaussian_filter, median_filter, shift

from fit3dmm.colour import linear_to_srgb, luminance
from fit3dmm.synthetic.sensor import compressed

_CURVE_STEPS, _MOST_LIGHT = 4096, 3


def expose(
    linear: Float[np.ndarray, "height width 3"],
    face: Float[np.ndarray, "height width"],
    tone: float,
    draw: np.random.Generator,
) -> Float[np.ndarray, "3"]:
    """Gains from the studio's light to linear values of the picture.

    Cameras expose for the picture, or for the face, and miss by half a stop; the white balance
    is a little off.

    Args:
        linear: light that arrives at the sensor.
        face: share of each pixel that the face takes.
        tone: of the face: metering makes dark skin lighter than it is, and light skin darker.
        draw: random numbers.
    """
    bright = luminance(linear)
    mean = float(np.clip(bright, 0, np.quantile(bright, 0.98)).mean())
    of_face = float((bright * face).sum() / max(face.sum(), 1.0))
    towards = 0.12 + 0.45 * min(tone / 0.4, 1.0)
    by_face = towards / max(of_face, 1e-4)
    by_picture = 0.18 / max(mean, 1e-4)
    metered = by_face if draw.uniform() < 0.6 else (by_face * by_picture) ** 0.5
    gain = metered * np.exp(draw.normal(0, 0.35))
    balance = np.exp(draw.normal(0, 0.05, 3))
    return (gain * balance / luminance(balance)).astype(np.float32)


def develop(
    linear: Float[np.ndarray, "height width 3"], draw: np.random.Generator
) -> UInt8[np.ndarray, "height width 3"]:
    """Everything that happens to light after the lens's front."""
    if draw.uniform() < 0.75:
        sigma = abs(draw.normal(0, 0.6)) * (2.5 if draw.uniform() < 0.08 else 1.0)
        linear = gaussian_filter(linear, (sigma, sigma, 0), mode="nearest")
    if draw.uniform() < 0.08:
        linear = _motion(linear, draw)
    electrons = np.exp(draw.uniform(np.log(250), np.log(12000)))
    noise = draw.standard_normal(linear.shape, dtype=np.float32)
    linear = np.maximum(linear, 0)
    linear = linear + noise * np.sqrt(linear / electrons + 0.0015**2)
    curve = _tone_curve(float(np.exp(draw.normal(0, 0.12))))
    places = np.clip(linear * np.float32(_CURVE_STEPS), 0, len(curve) - 1)
    encoded = curve[places.astype(np.int32)]
    encoded = _processed(encoded, draw)
    return _compressed((255 * np.clip(encoded, 0, 1) + 0.5).astype(np.uint8), draw)


def _tone_curve(gamma: float) -> Float[np.ndarray, "steps"]:
    """What the file says for each amount of light up to `_MOST_LIGHT`; looking it up is fast."""
    linear = np.arange(_CURVE_STEPS * _MOST_LIGHT, dtype=np.float32) / _CURVE_STEPS
    return linear_to_srgb(torch.from_numpy(compressed(linear))).numpy() ** np.float32(gamma)


def _motion(linear: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """A shake along one direction."""
    way = draw.normal(0, 1.2, 2)
    steps = [shift(linear, (*(t * way), 0), order=1, mode="nearest") for t in (-1, -0.5, 0.5, 1)]
    return np.mean([linear, *steps], axis=0)


def _processed(encoded: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Denoising, beauty filters, sharpening, contrast, no colour."""
    kind = draw.uniform()
    if kind < 0.06:
        encoded = median_filter(encoded, (3, 3, 1), mode="nearest")
    elif kind < 0.14:
        # A beauty filter takes out what is small, and leaves edges.
        smooth = gaussian_filter(encoded, (2.2, 2.2, 0), mode="nearest")
        edge = np.abs(encoded - smooth).max(axis=2, keepdims=True)
        keep = np.clip(edge / 0.1, 0, 1)
        encoded = keep * encoded + (1 - keep) * smooth
    elif kind < 0.34:
        smooth = gaussian_filter(encoded, (1.0, 1.0, 0), mode="nearest")
        encoded = encoded + draw.uniform(0.2, 1.0) * (encoded - smooth)
    if draw.uniform() < 0.3:
        encoded = 0.5 + (encoded - 0.5) * np.exp(draw.normal(0, 0.15)) + draw.normal(0, 0.03)
    grey = luminance(encoded)[..., None]
    if draw.uniform() < 0.06:
        return np.repeat(grey, 3, axis=2)
    return grey + (encoded - grey) * np.exp(draw.normal(0, 0.12))


def _compressed(
    picture: UInt8[np.ndarray, "height width 3"], draw: np.random.Generator
) -> UInt8[np.ndarray, "height width 3"]:
    """Smaller and back for a third, JPEG for most."""
    image = Image.fromarray(picture)
    size = image.size
    if draw.uniform() < 0.3:
        side = int(size[0] * draw.uniform(0.25, 0.75))
        image = image.resize((side, side), Image.Resampling.BILINEAR)
        if draw.uniform() < 0.5:
            image = _through_jpeg(image, int(draw.integers(30, 96)))
        image = image.resize(size, Image.Resampling.BICUBIC)
    if draw.uniform() < 0.6:
        image = _through_jpeg(image, int(draw.integers(35, 97)))
    return np.asarray(image).copy()


def _through_jpeg(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")
