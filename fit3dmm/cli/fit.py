"""`fit3dmm fit`: photos in, folders of meshes, textures, pictures and numbers out.

What does the work is imported when it is to be done: `--help` need not wait for torch.
"""

import contextlib
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from fit3dmm import _collector
from fit3dmm._errors import InputError
from fit3dmm._memory import keep_freed_memory
from fit3dmm._parallel import one_thread_each
from fit3dmm.cli.console import say
from fit3dmm.cli.inputs import Inputs, find_photos

if TYPE_CHECKING:
    from fit3dmm.fitting.config import FitConfig
    from fit3dmm.observe.choice import FaceChoice


@dataclass(frozen=True)
class Fit:
    """Fit the faces in photos and write, for each photo, a folder of results.

    DIR/<the photo's name>/ holds report.html, which `fit3dmm view DIR` opens (look at it first),
    fit.json and fit.h5 (numbers), neutral.obj and posed.obj (meshes), face.glb (an avatar with
    blendshapes and bones), texture.png, overlay.png, depth.npy.
    Several faces of one photo lie in its folders face1, face2, ..., the largest first. Photos of
    one name get folders of their own: holiday-me, work-me.
    """

    photos: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """JPEG, PNG, WebP, TIFF, BMP, GIF or AVIF files (HEIC with `pip install "fit3dmm[heic]"`),
    folders of them, and patterns in quotes ("*.jpg")."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("fit3dmm-out")
    """Where the folders shall lie. Earlier results of the same photos are replaced and nothing
    else."""
    recursive: Annotated[bool, tyro.conf.arg(aliases=["-r"])] = False
    """Look into the folders of folders, too."""
    model: str = "commons"
    """A model's name (see `fit3dmm model list`) or file."""
    preset: str = "default"
    """`default`, `fast`, `accurate` (a recognition network compares the faces, too), `landmarks`
    (no colours, fastest), `fine` (a crop of 512 px), `regressor` (what the model's network sees,
    and no fit), `deng2019-code` or `deng2019-paper` (the losses of Deng et al. 2019)."""
    add: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """Switch a term on, such as `flattening`; may be given several times."""
    drop: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """Switch a term off, such as `contour`; may be given several times."""
    count: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """Count a term more or less than its sigmas say, such as `photometric=0.5`."""
    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """Change a setting, such as `landmarks.noise_floor_mm=2`; `--explain` lists them."""
    explain: bool = False
    """Print the terms with their weights and units, the unknowns and the stages, and fit
    nothing."""
    init: str = "auto"
    """Where to start: `landmarks` (the mean face, put in place), `regressor` (what the model's
    network sees), `auto` (the better of these), or an earlier fit.h5 of the same photo."""
    regressor: Path | None = None
    """The model's network, made by `fit3dmm train`; by default the one that ships with it."""
    face: Literal["only", "largest", "all"] | int = "only"
    """Which of several faces: `largest`, `all`, or a number, 1 being the largest. By default there
    must be one only."""
    box: tuple[float, float, float, float] | None = None
    """Where the face is: its left, top, right and bottom in px, for a single photo in which it is
    not found, or not the one that is meant."""
    size: int | None = None
    """Side in px of the square crop that is fitted, 64 to 1024; else what the preset says."""
    focal: float | Literal["auto"] = "auto"
    """Focal length in px of the photo; `auto` takes EXIF's or estimates it."""
    texture_size: int = 1024
    """Side of the texture in px."""
    expression: Literal["neutral", "fitted"] = "neutral"
    """What face.glb shows when it is loaded: `neutral`, or `fitted` (that of the photo)."""
    hair: Literal["volume", "flat"] = "volume"
    """The avatar's: `volume` stands off the head and hangs beside it as the photo shows it, where
    it shows it well enough; `flat` is painted on the scalp."""
    compact: bool = False
    """face.glb at less than half its size, for three.js, Blender and others that know glTF's
    extensions for WebP and for whole numbers in meshes."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto` is the processor, which is as fast for one photo; `cuda` needs nvdiffrast."""
    write: str = "all"
    """What is written: `all`, or of h5, json, glb, obj, texture, overlay, depth and report those
    that are named, such as `glb,json`; `all,vrm` adds an avatar on a body's joints, and
    `all,expression` a texture with the folds of the photo's expression."""
    jobs: Annotated[int, tyro.conf.arg(aliases=["-j"])] = 1
    """Processes, each with one thread: as many photos are fitted at a time."""
    same_person: bool = False
    """The photos, 2 to 50, show one person: they are fitted together, and DIR/person/ (or a folder
    called as the one that holds them) gets one neutral.obj, face.glb and texture.png made of them
    all, person.json, and a folder for each photo."""
    same_camera: bool = False
    """With --same-person: photos of one size are of one camera that was not zoomed, so that they
    share a focal length. Those whose EXIF tells the same one do anyway."""
    again: bool = False
    """Fit photos anew whose results by the same settings are there; else these are left as they
    are."""
    json: bool = False
    """Print one JSON document instead of lines."""

    def run(self) -> None:
        self.start()

    def start(self, refine: Path | None = None, basis: Path | None = None) -> None:
        """Fit the photos, or refine coefficients of them.

        Args:
            refine: coefficients, or a folder of them.
            basis: of 3DDFA_V2, for its numbers.
        """
        # Threads that libraries start when they are loaded would keep workers from being copied.
        alone = one_thread_each() if self.jobs > 1 else contextlib.nullcontext()
        with _collector.resting(), alone:
            from fit3dmm.cli.fit_job import Job, read_start
            from fit3dmm.cli.fit_person import PersonRun
            from fit3dmm.cli.fit_run import Run
            from fit3dmm.export.outputs import parse_outputs
            from fit3dmm.export.texture import check_texture_size

        keep_freed_memory()
        config, start, write = self._config(), self._start(), parse_outputs(self.write)
        if self.explain:
            self._explain(config)
            return
        if start is not None:
            read_start(start)  # says what is wrong with it before any photo is read
        check_texture_size(self.texture_size)
        if self.same_camera and not self.same_person:
            raise InputError(
                "--same-camera says something of photos of one person: see --same-person."
            )
        if self.jobs < 1:
            raise InputError(f"The number of jobs must be 1 or more, got {self.jobs}.")
        inputs = self._inputs()
        job = Job(
            model=self.model,
            device=self.device,
            config=config,
            regressor=self.regressor,
            start=start,
            face=self._face(inputs),
            texture_px=self.texture_size,
            write=write,
            expression=self.expression,
            hair=self.hair,
            compact=self.compact,
            refine=refine,
            basis=basis,
        )
        if self.same_person:
            self._check_together()
            PersonRun(
                job, inputs, self.photos, self.out, self.same_camera, self.again, self.json
            ).go()
        else:
            Run(job, inputs, self.out, self.jobs, self.again, self.json).go()

    def _config(self) -> "FitConfig":
        from fit3dmm.fitting.presets import preset
        from fit3dmm.fitting.switches import changed, counting, having, without

        config = having(preset(self.preset), *self.add)
        config = without(config, *self.drop) if self.drop else config
        config = changed(counting(config, _numbers(self.count)), dict(map(_pair, self.set)))
        if self.init in ("landmarks", "regressor"):
            config = replace(config, init=self.init)
        if self.size is not None:
            config = replace(config, size_px=self.size)
        if self.focal != "auto":
            if not math.isfinite(self.focal):
                raise InputError(f"The focal length must be a number of px, got {self.focal}.")
            config = replace(config, focal_px=float(self.focal))
        return config

    def _check_together(self) -> None:
        if self.face == "all":
            raise InputError(
                "Photos of one person show one face that is meant: give --face largest or a number."
            )
        if self._start() is not None:
            raise InputError(
                "Photos of one person start each by itself: give no file of an earlier fit."
            )
        if self.jobs > 1:
            raise InputError("Photos of one person are fitted in one process: leave out --jobs.")

    def _face(self, inputs: Inputs) -> "FaceChoice":
        if self.box is None:
            return self.face
        if len(inputs.photos) + len(inputs.failed) != 1:
            raise InputError("A box is for one photo: give the photos with a box one by one.")
        if self.face != "only":
            raise InputError("Give a box or say which of the faces is meant, not both.")
        return self.box

    def _explain(self, config: "FitConfig") -> None:
        from fit3dmm.cli.explain import print_explanation
        from fit3dmm.fitting.explain import explain
        from fit3dmm.model.files import load_model

        print_explanation(explain(config, load_model(self.model)), self.json)

    def _start(self) -> Path | None:
        """The file of an earlier fit, if one is named."""
        if self.init in ("auto", "landmarks", "regressor"):
            return None
        path = Path(self.init)
        if not path.is_file():
            raise InputError(
                f"Expected --init auto, landmarks, regressor or a file of an earlier fit, got "
                f"{self.init!r}."
            )
        return path

    def _inputs(self) -> Inputs:
        inputs = find_photos(self.photos, self.recursive, self.out)
        if not inputs.photos and not inputs.failed:
            raise InputError("No photo is given: name one at least.")
        if inputs.left_out:
            n, first = len(inputs.left_out), inputs.left_out[0]
            files = (
                "1 file that is no picture by its name"
                if n == 1
                else (f"{n} files that are no pictures by their names, such as")
            )
            say(f"fit3dmm: left out {files} {first}", error=True)
        return inputs


def _pair(said: str) -> tuple[str, str]:
    """Name and value of `NAME=VALUE`."""
    name, equals, value = said.partition("=")
    if not (name and equals and value):
        raise InputError(f"Expected NAME=VALUE, got {said!r}.")
    return name.strip(), value.strip()


def _numbers(said: tuple[str, ...]) -> dict[str, float]:
    """Of each `NAME=NUMBER`."""
    found = {}
    for name, value in map(_pair, said):
        try:
            found[name] = float(value)
        except ValueError:
            raise InputError(f"Expected {name}=NUMBER, got {value!r}.") from None
    return found


COMMAND = Fit
