"""A head from all around: an animation, a video, or a sheet of views."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from fit3dmm._errors import InputError
from fit3dmm._files import atomic_path
from fit3dmm._video import FINE_QUALITY, check_video, writing_video

N_FRAMES = {".gif": 36, ".mp4": 96, ".png": 8}
"""Views by kind of file, where nobody says how many."""
_COLUMNS, _ROUND_S = 8, 4


def check_turntable(path: Path) -> None:
    """Say so before anything is drawn where the file's name doesn't tell its kind.

    Raises:
        InputError: it ends neither in .gif, in .mp4 nor in .png; or there is nothing that writes
            videos.
    """
    if path.suffix.lower() not in N_FRAMES:
        raise InputError(f"A turntable is a .gif, .mp4 or .png, got {path.name!r}: name it so.")
    if path.suffix.lower() == ".mp4":
        check_video()


def write_turntable(views: Sequence[Image.Image], path: Path) -> None:
    """Write views of equal size: a GIF that turns for ever, an MP4, or a PNG with eight in a row.

    Raises:
        InputError: the folder can't be written to.
    """
    if path.suffix.lower() == ".mp4":
        with writing_video(path, *views[0].size, FINE_QUALITY) as writer:
            for k, view in enumerate(views):
                writer.add(np.asarray(view.convert("RGB")), k * _ROUND_S / len(views))
        return
    if path.suffix.lower() == ".gif":
        # One palette for all, that of the first, so that colours don't flicker.
        first = views[0].quantize(255)
        frames = [view.quantize(palette=first) for view in views]
        with atomic_path(path) as temporary:
            frames[0].save(
                temporary,
                format="GIF",
                save_all=True,
                append_images=frames[1:],
                duration=max(1000 * _ROUND_S // len(views), 20),
                loop=0,
            )
        return
    width, height = views[0].size
    columns = min(_COLUMNS, len(views))
    sheet = Image.new("RGB", (columns * width, -(-len(views) // columns) * height), "white")
    for k, view in enumerate(views):
        sheet.paste(view, (k % columns * width, k // columns * height))
    with atomic_path(path) as temporary:
        sheet.save(temporary, format="PNG")
