"""Pictures as bytes and as PNG files."""

import io
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from fit3dmm._files import atomic_path
from fit3dmm.colour import linear_to_srgb


def srgb_bytes(
    rgb_linear: Float[Tensor, "height width 3"],
) -> UInt8[np.ndarray, "height width 3"]:
    """Light to sRGB bytes; what is below black or above white is clipped."""
    srgb = linear_to_srgb(rgb_linear.detach().clamp(0, 1))
    return (255 * srgb).round().byte().cpu().numpy()


def png_bytes(picture: UInt8[np.ndarray, "height width ..."]) -> bytes:
    """Grey or RGB bytes as a PNG in memory."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG")
    return file.getvalue()


def write_bytes(content: bytes, path: Path) -> None:
    """Write a file that is in memory.

    Raises:
        InputError: the folder can't be written to.
    """
    with atomic_path(Path(path)) as temporary:
        temporary.write_bytes(content)


def write_png(picture: UInt8[np.ndarray, "height width ..."], path: Path) -> None:
    """Write grey or RGB bytes.

    Raises:
        InputError: the folder can't be written to.
    """
    with atomic_path(Path(path)) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG")
