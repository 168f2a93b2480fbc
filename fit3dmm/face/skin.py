"""The texture that a face wears, whatever its expression, pose and light become.

A texture is what the photo shows, through the pose and the expression that were fitted. Baked
through any other expression it would take lips for cheeks; so it is baked once, or read from the
folder of a result, and every edit of a face shares it.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from fit3dmm._errors import InputError
from fit3dmm._threads import torch_threads
from fit3dmm.export.hair_hanging import HairShape
from fit3dmm.export.texture import Baked, Shown, TextureSettings, bake, with_folds
from fit3dmm.fitting.result import FitResult
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.detection import MEDIAPIPE
from fit3dmm.observe.photo import Photo


@dataclass(frozen=True, eq=False)
class Skin:
    """Textures that are made when they are first looked at, and kept."""

    make: Callable[[], UInt8[np.ndarray, "size size 3"]]
    make_folded: Callable[[], UInt8[np.ndarray, "size size 3"]] | None = None
    """The same with the folds of the fitted expression; None where it can't be made."""
    make_hair: Callable[[], HairShape | None] | None = None
    """Where hair is; None where that is not known."""

    @functools.cached_property
    def srgb(self) -> UInt8[np.ndarray, "size size 3"]:
        """Row 0 at v = 1. Not to be written to: all edits of a face share it.

        Raises:
            InputError: there is nothing that it could be made of.
        """
        made = self.make()
        made.flags.writeable = False
        return made

    @functools.cached_property
    def hair_shape(self) -> HairShape | None:
        """Where hair stands off and hangs; None where it lies flat."""
        return None if self.make_hair is None else self.make_hair()

    @functools.cached_property
    def folded_srgb(self) -> UInt8[np.ndarray, "size size 3"]:
        """With the folds of the fitted expression, where they are known; else as at rest. Not to be
        written to."""
        if self.make_folded is None:
            return self.srgb
        made = self.make_folded()
        made.flags.writeable = False
        return made


def baked(result: FitResult, photo: Photo, model: MorphableModel, size_px: int) -> Skin:
    """What the photo shows, through the scene that was fitted.

    Args:
        result: of a fit.
        photo: the one that was fitted.
        model: the one that was fitted.
        size_px: side of the texture.
    """

    def make(settings: TextureSettings | None = None) -> Baked:
        seen = result.observation.detections.get(MEDIAPIPE)
        points_px = None if seen is None else seen.points_px
        with torch.no_grad(), torch_threads(1):
            told = result.observation.predicted
            return bake(model, [Shown(result.scene, photo, points_px, told)], size_px, settings)

    return baked_by(make, lambda: make(with_folds()).srgb)


def baked_by(
    make: Callable[[], Baked],
    make_folded: Callable[[], UInt8[np.ndarray, "size size 3"]] | None = None,
) -> Skin:
    """Textures that are made together with the hair.

    Args:
        make: what is asked for once.
        make_folded: the texture with folds.
    """
    once = functools.cache(make)
    return Skin(lambda: once().srgb, make_folded, lambda: once().hair_shape)


def read_from(path: Path, folded: Path | None = None, hair_shape: HairShape | None = None) -> Skin:
    """What an earlier run has baked and written.

    Args:
        path: of the texture.
        folded: of the one with the folds of the expression, where there is one.
        hair_shape: where hair stands off and hangs.
    """

    def make(path: Path = path) -> UInt8[np.ndarray, "size size 3"]:
        try:
            with Image.open(path) as picture:
                return np.array(picture.convert("RGB"))
        except (OSError, ValueError) as error:
            raise InputError(
                f"The texture {path} can't be read ({error}): give the photo, and it is made anew."
            ) from error

    with_them = None if folded is None else functools.partial(make, folded)
    return Skin(make, with_them, lambda: hair_shape)
