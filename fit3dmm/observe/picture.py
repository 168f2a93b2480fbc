"""From decoded pictures and arrays of any depth to 8-bit sRGB."""

import io
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageCms

from fit3dmm._errors import InputError

_BAND_ROWS = 256
# Full scales of the depths that cameras and scanners write into 16 bits.
_FULL_SCALES = (255, 1023, 4095, 16383, 65535)


def srgb_bytes(picture: Image.Image, label: str) -> np.ndarray:
    """(height, width, 3) bytes of a picture of any mode, through its colour profile."""
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        return bytes_of_array(_deep_grey(picture), label)
    rgb = _to_srgb(picture)
    pixels = np.empty((rgb.height, rgb.width, 3), dtype=np.uint8)
    # As a whole, numpy would take it over by way of another copy of all bytes.
    for top in range(0, rgb.height, _BAND_ROWS):
        bottom = min(top + _BAND_ROWS, rgb.height)
        pixels[top:bottom] = np.asarray(rgb.crop((0, top, rgb.width, bottom)))
    return pixels


def bytes_of_array(values: Any, label: str) -> np.ndarray:
    """(height, width, 3) bytes of sRGB values.

    Args:
        values: (height, width) or (height, width, 1) grey, (height, width, 2) grey and opacity,
            (height, width, 3) RGB or (height, width, 4) RGBA, or with the channels first; bytes,
            16 bits (of which 10, 12 or 14 may be used), booleans or floats in 0..1.
        label: what messages call it.

    Raises:
        InputError: another shape, type or range.
    """
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().numpy()
    array = _channels_last(np.asarray(values), label)
    array = _as_bytes(array, label)
    if array.shape[2] in (2, 4):
        picture = Image.fromarray(array, {2: "LA", 4: "RGBA"}[array.shape[2]])
        return np.array(_on_grey(picture.convert("RGBA")))
    if array.shape[2] == 1:
        array = np.repeat(array, 3, axis=2)
    array = np.ascontiguousarray(array)
    # torch warns of memory that must not be written.
    return array if array.flags.writeable else array.copy()


def _channels_last(array: np.ndarray, label: str) -> np.ndarray:
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim == 3 and array.shape[2] > 4 and array.shape[0] <= 4:
        array = np.moveaxis(array, 0, 2)
    if array.ndim != 3 or not 1 <= array.shape[2] <= 4 or 0 in array.shape:
        raise InputError(
            f"{label} must be (height, width) or (height, width, 3), with opacity or with the "
            f"channels first at most, got {array.shape}."
        )
    return array


def _as_bytes(array: np.ndarray, label: str) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype == np.uint16:
        return _scaled(array, 255 / _full_scale(array))
    if np.issubdtype(array.dtype, np.floating):
        low, high = (float(f(array)) for f in (np.min, np.max))
        if not (low >= 0 and high <= 1):
            raise InputError(
                f"{label} holds floating-point numbers from {low:.4g} to {high:.4g}: they must be "
                "sRGB from 0 to 1, or save it with 8 or 16 bits a channel."
            )
        return _scaled(array, 255.0)
    raise InputError(f"{label} must hold bytes, 16 bits or floats, got {array.dtype}.")


def _scaled(array: np.ndarray, factor: float) -> np.ndarray:
    """Rounded bytes, made row by row: a large picture in floats would fill the memory."""
    scaled = np.empty(array.shape, dtype=np.uint8)
    for row, values in zip(scaled, array, strict=True):
        row[...] = values.astype(np.float32) * np.float32(factor) + np.float32(0.5)
    return scaled


def _full_scale(values: np.ndarray) -> int:
    """The largest value that could have been: a picture that is not black uses its range."""
    high = int(values.max())
    return next(scale for scale in _FULL_SCALES if high <= scale)


def _to_srgb(picture: Image.Image) -> Image.Image:
    """8-bit RGB with sRGB primaries and transfer."""
    profile = picture.info.get("icc_profile")
    if picture.mode in ("P", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
    if picture.mode in ("LA", "La", "RGBA", "RGBa"):
        picture = _on_grey(picture.convert("RGBA"))
    if profile is not None:
        converted = _through_profile(picture, profile)
        if converted is not None:
            return converted
    # Converting copies, also where there is nothing to convert.
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _deep_grey(picture: Image.Image) -> np.ndarray:
    values = np.asarray(picture)
    # Pillow reads some files of 16 bits into 32.
    fits = picture.mode != "I" or (values.min() >= 0 and values.max() <= _FULL_SCALES[-1])
    return values if picture.mode == "F" or not fits else values.astype(np.uint16)


def _on_grey(picture: Image.Image) -> Image.Image:
    ground = Image.new("RGBA", picture.size, (128, 128, 128, 255))
    return Image.alpha_composite(ground, picture).convert("RGB")


def _through_profile(picture: Image.Image, profile: bytes) -> Image.Image | None:
    """Convert by the embedded ICC profile; None where the profile is broken or of another kind."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(
            picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        # A photo with a damaged profile is shown everywhere as if it were sRGB; so is it here.
        return None
