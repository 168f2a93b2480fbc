"""The focal length that a camera wrote into a file, where it can be believed."""

import math
from typing import Any

from PIL import Image

_EXIF_SUBDIRECTORY = 0x8769
_FOCAL_LENGTH, _FOCAL_LENGTH_35MM = 0x920A, 0xA405
_PLANE_RESOLUTION, _PLANE_UNIT = 0xA20E, 0xA210
_RECORDED_SIZE, _FILE_SIZE = (0xA002, 0xA003), (0x0100, 0x0101)
# Millimetres of the EXIF resolution units inch, cm, mm and micrometre.
_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
_FILM_DIAGONAL_MM = math.hypot(36.0, 24.0)


def exif_focal_px(directory: Image.Exif, size: tuple[int, int]) -> float | None:
    """Focal length in pixels of this file, or None.

    EXIF describes the picture that the camera made, and editors update some of it. A file of other
    proportions than any size on record was cut, and then nothing tells by how much it was scaled as
    well, so its focal length is not used.
    """
    try:
        tags = directory.get_ifd(_EXIF_SUBDIRECTORY)
    except (ValueError, KeyError, SyntaxError, OSError):
        # Damaged metadata are as good as none.
        return None
    width, height = (float(side) for side in size)
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
