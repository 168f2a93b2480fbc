"""`fit3dmm refine`: coefficients and their photos in, the same folders as of a fit out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from fit3dmm._errors import InputError
from fit3dmm.cli.fit import Fit


@dataclass(frozen=True)
class Refine:
    """Refine what any system made of photos, or keep it where that is no better.

    Place, camera and light are found from there, expression and identity where the photo clearly
    says so; a fifth of the photo is kept back and decides. DIR/<the photo's name>/ holds
    what a fit gives (`fit3dmm fit --help`), and fit.json says under `refinement` what became of the
    input.
    """

    coefficients: Annotated[Path, tyro.conf.Positional]
    """A fit.h5 of ours; a vector of Deep3DFaceRecon, HRN or 3DDFA-V3 (257 numbers) or 3DDFA_V2
    (62); what DECA, EMOCA or SMIRK say; arrays of the model's coefficients (.npy, .npz, .mat,
    .pkl); or a mesh of the model's topology. For several photos a folder of these, called like
    the photos."""
    photo: Annotated[tuple[Path, ...], tyro.conf.arg(aliases=["-p"])]
    """The photo, or photos, folders and patterns as for `fit3dmm fit`."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("fit3dmm-out")
    """Where the folders shall lie."""
    model: str = "commons"
    """The model of the coefficients: a name (see `fit3dmm model list`) or a file."""
    basis: Path | None = None
    """3DDFA_V2's configs/bfm_noneck_v3.pkl, for its 62 numbers."""
    preset: str = "default"
    """As for `fit3dmm fit`."""
    recursive: Annotated[bool, tyro.conf.arg(aliases=["-r"])] = False
    """Look into the folders of folders of photos, too."""
    face: Literal["only", "largest", "all"] | int = "only"
    """Which of several faces."""
    size: int | None = None
    """Side in px of the square crop that is fitted, 64 to 1024; else what the preset says."""
    focal: float | Literal["auto"] = "auto"
    """Focal length in px of the photo; `auto` takes EXIF's or estimates it."""
    texture_size: int = 1024
    """Side of the texture in px."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """As for `fit3dmm fit`."""
    write: str = "all"
    """What is written, as for `fit3dmm fit`."""
    jobs: Annotated[int, tyro.conf.arg(aliases=["-j"])] = 1
    """Processes, each with one thread."""
    again: bool = False
    """Refine anew what is there already."""
    json: bool = False
    """Print one JSON document instead of lines."""

    def run(self) -> None:
        if not self.coefficients.exists():
            raise InputError(f"There is no file or folder {self.coefficients}: give coefficients.")
        if self.basis is not None and not self.basis.is_file():
            raise InputError(f"There is no file {self.basis}: give 3DDFA_V2's bases.")
        Fit(
            photos=self.photo,
            out=self.out,
            recursive=self.recursive,
            model=self.model,
            preset=self.preset,
            face=self.face,
            size=self.size,
            focal=self.focal,
            texture_size=self.texture_size,
            device=self.device,
            write=self.write,
            jobs=self.jobs,
            again=self.again,
            json=self.json,
        ).start(self.coefficients, self.basis)


COMMAND = Refine
