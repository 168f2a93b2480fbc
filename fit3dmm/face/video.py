"""Pictures one after another as a video: the one door to PyAV."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from fit3dmm._errors import InputError
from fit3dmm._files import atomic_path

# x264's measure of quality: no difference is seen at 18, and 23 is its own default.
_QUALITY = "18"


def check_video() -> None:
    """Say so before anything is drawn where no video can be written.

    Raises:
        InputError: PyAV is not installed.
    """
    try:
        import av as av
    except ImportError as error:
        raise InputError(
            'Videos are written by PyAV: pip install "fit3dmm[video]", or name a .gif.'
        ) from error


def write_mp4(pictures: Sequence[Image.Image], path: Path, per_second: Fraction) -> None:
    """Write an MP4 (H.264) that every browser and phone plays.

    Args:
        pictures: of equal size; what is odd about it becomes even by a row or column of pixels.
        path: of the file.
        per_second: pictures a second.

    Raises:
        InputError: PyAV is not installed, or the folder can't be written to.
    """
    check_video()
    import av

    with atomic_path(path) as temporary, av.open(str(temporary), "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=per_second)
        # Colours at half the resolution: players know nothing else.
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": _QUALITY, "movflags": "+faststart"}
        stream.width, stream.height = (side + side % 2 for side in pictures[0].size)
        for picture in pictures:
            pixels = _even(np.asarray(picture.convert("RGB")))
            file.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        file.mux(stream.encode())


def _even(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    return np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
