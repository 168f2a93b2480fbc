"""`fit3dmm predict`: what the model's network sees of the faces in photos, without a fit."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from fit3dmm.cli.fit import Fit
from fit3dmm.model.library import SHIPPED


@dataclass(frozen=True)
class Predict:
    """Write what the model's network sees of the faces in photos, in folders as `fit3dmm fit` does.

    It is quicker than a fit, and less like the photo.
    """

    photos: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Pictures, folders of them, and patterns in quotes ("*.jpg")."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Where the folders shall lie. Earlier results of the same photos are replaced and nothing
    else."""
    recursive: Annotated[bool, tyro.conf.arg(aliases=["-r"])] = False
    """Look into the folders of folders, too."""
    model: str = SHIPPED
    """A model's name (see `fit3dmm model list`) or file."""
    regressor: Path | None = None
    """The model's network, made by `fit3dmm train`; by default the one that ships with it."""
    face: Literal["only", "largest", "all"] | int = "only"
    """Which of several faces: `largest`, `all`, or a number, 1 being the largest."""
    focal: float | Literal["auto"] = "auto"
    """Focal length in px of the photo; `auto` takes EXIF's or what the network sees."""
    texture_size: int = 1024
    """Side of the texture in px."""
    json: bool = False
    """Print one JSON document instead of lines."""

    def run(self) -> None:
        Fit(
            self.photos,
            self.out,
            recursive=self.recursive,
            model=self.model,
            preset="regressor",
            init="regressor",
            regressor=self.regressor,
            face=self.face,
            focal=self.focal,
            texture_size=self.texture_size,
            json=self.json,
        ).run()


COMMAND = Predict
