"""TIFF files: which of their pictures is the photo, and depths that Pillow does not read.

Camera raw files are TIFF files as well. Their first picture is a thumbnail, and the photo itself is
light as the sensor's filters let it through, which is not ours to develop.
"""

import io
import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from fit3dmm._errors import InputError

_DNG_VERSION, _MAKE = 50706, 271
_SENSOR_COLOURS = (32803, 34892)  # a colour filter array; linear raw
_PROFILE, _ORIENTATION = 34675, 274
_WHITE_IS_ZERO = 0
_GREY_AND_RGB = (_WHITE_IS_ZERO, 1, 2)
_PLANAR, _UNSIGNED = 2, 1
_REDUCED = 1  # the bit of NewSubfileType of a thumbnail or preview


@dataclass(frozen=True)
class TiffPicture:
    """The largest picture of a file."""

    index: int | None
    """Which one it is of the pictures that follow one another; None where it lies below another."""
    size: tuple[int, int]
    """Width and height."""
    deep: bool
    """Whether it has more than 8 bits a channel."""
    page: Any
    """tifffile's own record of it."""

    @property
    def for_pillow(self) -> bool:
        """Whether Pillow reads it rightly, if to 8 bits only."""
        integers = int(self.page.sampleformat) == _UNSIGNED
        return self.index is not None and (not self.deep or (integers and not self._planar))

    @property
    def _planar(self) -> bool:
        return self.page.samplesperpixel > 1 and int(self.page.planarconfig) == _PLANAR

    def values(self) -> np.ndarray | None:
        """(height, width) or (height, width, channels) as stored; None where tifffile can't tell.

        It lacks some compressions and colours.
        """
        if int(self.page.photometric) not in _GREY_AND_RGB:
            return None
        try:
            values = np.asarray(self.page.asarray())
        except (ValueError, KeyError, ImportError, RuntimeError, TypeError):
            return None
        values = np.moveaxis(values, 0, -1) if self._planar else values
        return np.invert(values) if int(self.page.photometric) == _WHITE_IS_ZERO else values

    def as_picture(self, pixels_srgb: np.ndarray) -> Image.Image:
        """Its bytes with its colour profile and orientation."""
        picture = Image.fromarray(pixels_srgb)
        picture.info["icc_profile"] = self.page.tags.valueof(_PROFILE)
        picture.getexif()[_ORIENTATION] = self.page.tags.valueof(_ORIENTATION, 1)
        return picture


def largest_picture(encoded: bytes, label: str) -> TiffPicture:
    """Look through all pictures of a TIFF file, also those that lie below others.

    Raises:
        InputError: it is a camera's raw file, or damaged.
    """
    # Loading tifffile takes a fifth of a second, which other files need not wait for.
    import tifffile

    # It logs what it thinks of damaged files; our own sentence is enough.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    try:
        pages: list[tuple[int | None, Any]] = []
        for index, page in enumerate(tifffile.TiffFile(io.BytesIO(encoded)).pages):
            page = page.aspage()
            pages.append((index, page))
            pages += [(None, below.aspage()) for below in page.pages or ()]
        if not pages:
            raise ValueError("it holds no picture")
    except (tifffile.TiffFileError, ValueError, IndexError, KeyError, OSError) as error:
        raise InputError(
            f"The photo {label} is damaged or cut short ({error}): copy or download it again."
        ) from error
    _refuse_raw([page for _, page in pages], label)
    index, page = max(pages, key=lambda item: _order(item[1]))
    return TiffPicture(index, (page.imagewidth, page.imagelength), _bits(page) > 8, page)


def _order(page: Any) -> tuple[int, bool]:
    """To sort by: pixels; of equal ones that which is no preview."""
    return page.imagelength * page.imagewidth, not page.subfiletype & _REDUCED


def _bits(page: Any) -> int:
    bits = page.bitspersample
    return max(bits) if isinstance(bits, tuple) else bits


def _refuse_raw(pages: list[Any], label: str) -> None:
    first = pages[0]
    dng = _DNG_VERSION in first.tags
    if dng or any(int(page.photometric) in _SENSOR_COLOURS for page in pages):
        make = first.tags.valueof(_MAKE)
        kind = "DNG" if dng else str(make).strip() if make else "TIFF"
        raise InputError(raw_sentence(label, kind))


def raw_sentence(label: str, kind: str) -> str:
    """What to say of a camera's raw file."""
    return (
        f"{label} is a camera's raw file ({kind}), which holds the sensor's values and a small "
        "preview: develop it and give the JPEG or a TIFF."
    )
