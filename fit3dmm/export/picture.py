"""Pictures as bytes and as PNG files."""

import io
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from fit3dmm._files import atomic_path
from fit3dmm.export.srgb_bytes import nearest_bytes


def srgb_bytes(
    rgb_linear: Float[Tensor, "height width 3"],
) -> UInt8[np.ndarray, "height width 3"]:
    """Light to sRGB bytes; what is below black or above white is clipped."""
    return nearest_bytes(rgb_linear.detach().cpu().numpy())


# Of Pillow's own choice a third of the time, and 10 % more bytes.
_PNG_EFFORT = 2
# zlib's Z_RLE. What PNG's filters leave of skin never comes again, and who does not look for it
# takes a quarter of the time of Pillow's own choice, for as many bytes.
_RUNS_ALONE = 3


def png_bytes(texture: UInt8[np.ndarray, "height width ..."]) -> bytes:
    """Grey or RGB bytes of a texture as a PNG in memory."""
    file = io.BytesIO()
    Image.fromarray(texture).save(file, format="PNG", compress_type=_RUNS_ALONE)
    return file.getvalue()


def write_bytes(content: bytes, path: Path) -> None:
    """Write a file that is in memory.

    Raises:
        InputError: the folder can't be written to.
    """
    with atomic_path(Path(path)) as temporary:
        temporary.write_bytes(content)


def write_png(picture: UInt8[np.ndarray, "height width ..."], path: Path) -> None:
    """Write grey or RGB bytes of a drawing.

    Raises:
        InputError: the folder can't be written to.
    """
    with atomic_path(Path(path)) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG", compress_level=_PNG_EFFORT)
