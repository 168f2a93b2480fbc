"""Reading photos safely: any common file becomes 8-bit sRGB pixels the right way up."""

import hashlib
import io
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm._tensors import TensorRecord

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP")
MAX_PIXELS = 120_000_000
MIN_SIDE_PX = 24

_EXIF_SUBDIRECTORY = 0x8769
_FOCAL_LENGTH, _FOCAL_LENGTH_35MM = 0x920A, 0xA405
_PLANE_RESOLUTION, _PLANE_UNIT = 0xA20E, 0xA210
_RECORDED_SIZE, _FILE_SIZE = (0xA002, 0xA003), (0x0100, 0x0101)
# Millimetres of the EXIF resolution units inch, cm, mm and micrometre.
_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
_FILM_DIAGONAL_MM = math.hypot(36.0, 24.0)


@dataclass(frozen=True)
class Photo(TensorRecord):
    """A photo in its own pixels, after EXIF orientation and conversion to sRGB."""

    name: str
    """The file's stem, or what the caller calls it."""
    pixels_srgb: UInt8[Tensor, "height width 3"]
    """sRGB, 0..255: photos stay in bytes until a crop of them is needed."""
    focal_px: float | None = None
    """Focal length by the camera's own account (EXIF), where the file tells it believably."""
    sha256: str | None = None
    """Of the file that holds these pixels; None where they came from elsewhere."""

    @property
    def height_px(self) -> int:
        return self.pixels_srgb.shape[0]

    @property
    def width_px(self) -> int:
        return self.pixels_srgb.shape[1]


def read_photo(path: Path | str, max_pixels: int = MAX_PIXELS) -> Photo:
    """Read a JPEG, PNG, WebP, TIFF or BMP file of any usual depth and colour space.

    Transparent pictures are laid on grey; of files with several pictures the first is taken.

    Raises:
        InputError: the file is missing, empty, damaged, of another kind, too small or too large.
    """
    path = Path(path)
    try:
        encoded = path.read_bytes()
    except OSError as error:
        reason = "it is a folder" if path.is_dir() else error.strerror or str(error)
        raise InputError(f"Can't read the photo {path}: {reason}; give a picture file.") from error
    if not encoded:
        raise InputError(f"The photo {path} is empty (0 bytes): copy or download it again.")
    return decode_photo(encoded, name=path.stem, label=str(path), max_pixels=max_pixels)


def decode_photo(encoded: bytes, name: str, label: str = "", max_pixels: int = MAX_PIXELS) -> Photo:
    """`read_photo` of a file that is in memory; `label` is what messages call it."""
    label = label or name
    try:
        # Pillow warns of large pictures and of odd metadata; both are handled here.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(encoded), formats=FORMATS) as picture:
                _check_size(picture.size, label, max_pixels)
                # Decoded first: looking for EXIF decodes too, and would swallow that it is damaged.
                picture.load()
                focal_px = _exif_focal_px(picture)
                upright = ImageOps.exif_transpose(picture)
                pixels = np.array(_to_srgb(upright))
    except UnidentifiedImageError as error:
        raise InputError(
            f"{label} is not a picture that fit3dmm reads: give a JPEG, PNG, WebP, TIFF or BMP."
        ) from error
    except Image.DecompressionBombError as error:
        raise InputError(f"{label} has too many pixels: reduce it to {max_pixels:,}.") from error
    except InputError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, MemoryError) as error:
        raise InputError(
            f"The photo {label} is damaged or cut short ({error}): copy or download it again."
        ) from error
    digest = hashlib.sha256(encoded).hexdigest()
    return Photo(name, torch.from_numpy(pixels), focal_px, digest)


def photo_from_array(pixels_srgb: Any, name: str = "photo", focal_px: float | None = None) -> Photo:
    """Photo from an array or tensor `(height, width, 3)` of sRGB, bytes or floats in 0..1.

    Raises:
        InputError: another shape, type or range.
    """
    array = np.asarray(pixels_srgb)
    if array.ndim != 3 or array.shape[2] != 3 or min(array.shape) < 1:
        raise InputError(f"A photo array must be (height, width, 3), got {array.shape}.")
    if np.issubdtype(array.dtype, np.floating):
        if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
            raise InputError("A photo array of floats must be finite and within 0..1 (sRGB).")
        array = np.round(array * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        raise InputError(f"A photo array must hold bytes or floats, got {array.dtype}.")
    _check_size((array.shape[1], array.shape[0]), name, MAX_PIXELS)
    return Photo(name, torch.from_numpy(np.ascontiguousarray(array)), focal_px)


def _check_size(size: tuple[int, int], label: str, max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise InputError(
            f"{label} has {width} x {height} pixels, more than {max_pixels:,}: reduce it first."
        )
    if min(width, height) < MIN_SIDE_PX:
        raise InputError(
            f"{label} has {width} x {height} pixels: a photo needs {MIN_SIDE_PX} on each side."
        )


def _to_srgb(picture: Image.Image) -> Image.Image:
    """8-bit RGB with sRGB primaries and transfer."""
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        return _from_deep_grey(picture)
    profile = picture.info.get("icc_profile")
    if picture.mode in ("P", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
    if picture.mode in ("LA", "La", "RGBA", "RGBa"):
        picture = _on_grey(picture.convert("RGBA"))
    if profile is not None:
        converted = _through_profile(picture, profile)
        if converted is not None:
            return converted
    return picture.convert("RGB")


def _from_deep_grey(picture: Image.Image) -> Image.Image:
    values = np.asarray(picture, dtype=np.float64)
    if picture.mode == "F":
        raise InputError(
            "Pictures of floating-point numbers are not read: save it with 8 or 16 bits a channel."
        )
    scale = 257.0 if values.max() > 255 or picture.mode.startswith("I;16") else 1.0
    grey = np.clip(np.round(values / scale), 0, 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


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


def _exif_focal_px(picture: Image.Image) -> float | None:
    """Focal length in pixels of this file, or None.

    EXIF describes the picture that the camera made, and editors update some of it. A file of other
    proportions than any size on record was cut, and then nothing tells by how much it was scaled as
    well, so its focal length is not used.
    """
    try:
        directory = picture.getexif()
        tags = directory.get_ifd(_EXIF_SUBDIRECTORY)
    except (ValueError, KeyError, SyntaxError, OSError):
        # Damaged metadata are as good as none.
        return None
    width, height = (float(side) for side in picture.size)
    sizes = [_recorded_size(tags, _RECORDED_SIZE), _recorded_size(directory, _FILE_SIZE)]
    recorded = [size for size in sizes if size is not None]
    if not all(_same_proportions(size, (width, height)) for size in recorded):
        return None
    scale = max(width, height) / max((max(size) for size in recorded), default=math.inf)
    focal_px = _focal_by_sensor(tags, scale) or _focal_by_film(tags, width, height)
    believable = focal_px is not None and 0.3 < focal_px / max(width, height) < 30
    return focal_px if believable else None


def _recorded_size(tags: Any, names: tuple[int, int]) -> tuple[float, float] | None:
    width, height = (_number(tags, name) for name in names)
    return (width, height) if width and height else None


def _same_proportions(a: tuple[float, float], b: tuple[float, float]) -> bool:
    """To one percent, also when one is turned by a quarter."""
    return any(abs(a[0] * y / (a[1] * x) - 1) < 0.01 for x, y in (b, b[::-1]))


def _focal_by_sensor(tags: Any, scale: float) -> float | None:
    """From the sensor's resolution; `scale` is this file's size in units of the camera's."""
    focal_mm, resolution = _number(tags, _FOCAL_LENGTH), _number(tags, _PLANE_RESOLUTION)
    unit_mm = _UNIT_MM.get(int(_number(tags, _PLANE_UNIT) or 2))
    if not (focal_mm and resolution and unit_mm and scale > 0):
        return None
    return focal_mm * resolution / unit_mm * scale


def _focal_by_film(tags: Any, width: float, height: float) -> float | None:
    film_mm = _number(tags, _FOCAL_LENGTH_35MM)
    return film_mm * math.hypot(width, height) / _FILM_DIAGONAL_MM if film_mm else None


def _number(tags: Any, tag: int) -> float | None:
    """A positive finite tag value, or None where it is absent or nonsense."""
    try:
        value = float(tags[tag])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return value if math.isfinite(value) and value > 0 else None
