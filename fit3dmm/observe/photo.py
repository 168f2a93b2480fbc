"""Reading photos safely: any common file becomes 8-bit sRGB pixels the right way up."""

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm._tensors import TensorRecord
from fit3dmm.observe.container import KINDS, is_tiff, open_picture, refuse_raw
from fit3dmm.observe.exif import exif_focal_px
from fit3dmm.observe.picture import bytes_of_array, srgb_bytes
from fit3dmm.observe.tiff import TiffPicture, largest_picture

MAX_PIXELS = 120_000_000
MIN_SIDE_PX = 24


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
    """Read a JPEG, PNG, WebP, TIFF, BMP, GIF or AVIF file of any usual depth and colour space.

    HEIC files are read where pi-heif is installed. Transparent pictures are laid on grey; of files
    with several pictures the largest is taken, and the first of equal ones. Pictures of 16 bits
    that use 8, 10, 12 or 14 of them are scaled by what they use.

    Raises:
        InputError: the file is missing, empty, damaged, of another kind, too small or too large, or
            a camera's raw file.
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
    """`read_photo` of a file that is in memory; `label` is what messages call it.

    Args:
        encoded: the bytes of the file.
        name: of the file, which the photo keeps.
        label: what messages call it; its name if left out.
        max_pixels: a larger picture is refused before it is decoded.
    """
    label = label or name
    refuse_raw(encoded, label)
    try:
        # Pillow warns of large pictures and of odd metadata; both are handled here.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pixels, focal_px = _decoded(encoded, label, max_pixels)
    except UnidentifiedImageError as error:
        raise InputError(f"{label} is not a picture that fit3dmm reads: give {KINDS}.") from error
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


def as_photo(photo: Photo | str | Path | Any) -> Photo:
    """Whatever stands for a photo: one, a file, or an array `(height, width, 3)` of sRGB.

    Raises:
        InputError: the file or the array can't be read.
    """
    if isinstance(photo, str | Path):
        return read_photo(photo)
    return photo if isinstance(photo, Photo) else photo_from_array(photo)


def photo_from_array(pixels_srgb: Any, name: str = "photo", focal_px: float | None = None) -> Photo:
    """Photo from an array, tensor or Pillow image of sRGB; `picture.bytes_of_array` says which.

    Raises:
        InputError: another shape, type or range, too small or too large.
    """
    if isinstance(pixels_srgb, Image.Image):
        _check_size(pixels_srgb.size, name, MAX_PIXELS)
        array = srgb_bytes(ImageOps.exif_transpose(pixels_srgb), f"The picture {name}")
    else:
        array = bytes_of_array(pixels_srgb, "A photo array")
    _check_size((array.shape[1], array.shape[0]), name, MAX_PIXELS)
    return Photo(name, torch.from_numpy(array), focal_px)


def _decoded(encoded: bytes, label: str, max_pixels: int) -> tuple[np.ndarray, float | None]:
    """(height, width, 3) bytes, upright, and the focal length."""
    best = largest_picture(encoded, label) if is_tiff(encoded) else None
    if best is not None:
        _check_size(best.size, label, max_pixels)
        if best.deep or best.index is None:
            picture = _past_pillow(best, label)
            if picture is not None:
                directory = Image.Exif()
                directory.load(encoded)
                return _finished(picture, directory, label)
    with open_picture(encoded, label) as picture:
        if best is not None and best.index:
            picture.seek(best.index)
        _check_size(picture.size, label, max_pixels)
        # Decoded first: looking for EXIF decodes too, and would swallow that it is damaged.
        picture.load()
        return _finished(picture, picture.getexif(), label)


def _past_pillow(best: TiffPicture, label: str) -> Image.Image | None:
    """A deep picture in bytes; None where Pillow can do better."""
    values = best.values()
    if values is not None:
        return best.as_picture(bytes_of_array(values, label))
    if best.for_pillow:
        return None
    raise InputError(
        f"{label} is a TIFF file of a kind or compression that fit3dmm does not read: save it with "
        "8 bits a channel."
    )


def _finished(
    picture: Image.Image, directory: Image.Exif, label: str
) -> tuple[np.ndarray, float | None]:
    focal_px = exif_focal_px(directory, picture.size)
    ImageOps.exif_transpose(picture, in_place=True)
    return srgb_bytes(picture, label), focal_px


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
