"""Pictures and masks of skin in folders."""

from pathlib import Path

import numpy as np
from PIL import Image

from fit3dmm._errors import InputError
from fit3dmm.observe.photo import read_photo
from fit3dmm.observe.skin.pixels import LabelledPixels, labelled_pixels

_LAYOUT = "each picture needs a mask of its name (a.jpg and a.png), white where skin is"
_SUFFIXES = (".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def read_labelled_folder(pictures: Path, masks: Path) -> list[LabelledPixels]:
    """Every picture of a folder and of its subfolders with its mask.

    A picture's group is the subfolder that it lies in. Masks lie in the same subfolders and have
    the pictures' names and sizes; they are white on skin, black elsewhere and grey where nobody
    knows.

    Raises:
        InputError: no picture, a picture without a mask, a mask of another size, or a file that
            can't be read.
    """
    if pictures.resolve() == masks.resolve():
        raise InputError(f"Pictures and masks both lie in {pictures}: give two folders.")
    found = _pictures(pictures)
    if not found:
        raise InputError(f"The folder {pictures} holds no pictures: {_LAYOUT}.")
    by_place = {place.with_suffix(""): path for place, path in _pictures(masks).items()}
    labelled = []
    for place, path in found.items():
        mask_path = by_place.get(place.with_suffix(""))
        if mask_path is None:
            raise InputError(f"{path} has no mask in {masks}: {_LAYOUT}.")
        image = read_photo(path).pixels_srgb.numpy()
        mask = _grey(mask_path)
        if mask.shape != image.shape[:2]:
            raise InputError(
                f"The mask {mask_path} has {mask.shape[1]} x {mask.shape[0]} pixels, and its "
                f"picture {image.shape[1]} x {image.shape[0]}: make them alike."
            )
        group = "" if place.parent == Path() else str(place.parent)
        labelled.append(labelled_pixels(str(place.with_suffix("")), group, image, mask))
    return labelled


def _pictures(folder: Path) -> dict[Path, Path]:
    """Place within the folder, and path, sorted."""
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}: {_LAYOUT}.")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)
    return {path.relative_to(folder): path for path in paths}


def _grey(path: Path) -> np.ndarray:
    """A mask's bytes. They are values and no light: no profile is applied to them."""
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("L"))
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"The mask {path} can't be read ({error}): give a PNG file.") from error
