"""`fit3dmm fit`: photos in, folders of meshes, textures, pictures and numbers out."""

import contextlib
import functools
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from fit3dmm._errors import InputError
from fit3dmm._threads import torch_threads
from fit3dmm.cli.names import result_name
from fit3dmm.export.folder import identity, write_face
from fit3dmm.export.result_folder import check_replaceable, whole_folder
from fit3dmm.export.summary import json_text
from fit3dmm.export.texture import check_texture_size
from fit3dmm.fitting.config import FitConfig, preset
from fit3dmm.fitting.pipeline import as_prepared, fit_observation
from fit3dmm.fitting.prepared import PreparedModel
from fit3dmm.fitting.result import FitResult
from fit3dmm.model.library import SHIPPED
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.detect import FaceDetector
from fit3dmm.observe.observation import Observation, observe
from fit3dmm.observe.photo import read_photo
from fit3dmm.render.backend import choose_backend

FORMAT = "fit3dmm-fit"
_STEPS = ("finding faces", "fitting", "writing")


@dataclass(frozen=True)
class Fit:
    """Fit the faces in photos and write, for each photo, a folder of results.

    DIR/<the photo's name>/ holds fit.json and fit.h5 (numbers), neutral.obj and posed.obj (meshes),
    face.glb (an avatar with blendshapes), texture.png, overlay.png (look at it first), depth.npy.
    Several faces of one photo lie in its folders face1, face2, ..., the largest first.
    """

    photos: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """JPEG, PNG, WebP, TIFF or BMP."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Where the folders shall lie. Earlier results of the same photos are replaced and nothing
    else."""
    model: str = SHIPPED
    """A model's name (see `fit3dmm model list`) or file."""
    preset: str = "default"
    """`default`, `landmarks` (no colours, fastest) or `fine` (a crop of 512 px)."""
    face: Literal["only", "largest", "all"] | int = "only"
    """Which of several faces: `largest`, `all`, or a number, 1 being the largest. By default there
    must be one only."""
    size: int | None = None
    """Side in px of the square crop that is fitted, 64 to 1024; else what the preset says."""
    focal: float | Literal["auto"] = "auto"
    """Focal length in px of the photo; `auto` takes EXIF's or estimates it."""
    texture_size: int = 1024
    """Side of the texture in px."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto` is the processor, which is as fast for one photo; `cuda` needs nvdiffrast."""
    json: bool = False
    """Print one JSON document instead of lines."""

    def run(self) -> None:
        config = self._config()
        check_texture_size(self.texture_size)
        targets = self._targets()
        progress = Progress(
            *(TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
            transient=True,
        )
        entries, errors = [], []
        with _Shared(self.model, self.device, config) as shared, progress:
            task = progress.add_task("", total=len(targets) * len(_STEPS))
            for photo, target in targets.items():
                steps = iter(_STEPS)

                def advance(photo=photo, steps=steps) -> None:
                    progress.update(task, description=f"{photo.name}: {next(steps)}")
                    progress.advance(task)

                try:
                    entries.append(self._fit(photo, target, shared, advance))
                except Exception as error:
                    # A photo that fails must not cost the others their results.
                    entries.append({"photo": str(photo), "ok": False, "error": str(error)})
                    errors.append(error)
                    if len(targets) > 1:
                        print(f"fit3dmm: {photo}: {error}", file=sys.stderr)
                else:
                    self._say(entries[-1])
        if self.json:
            print(json_text({"format": FORMAT, "format_version": 1, "photos": entries}))
        _raise(errors, len(targets))

    def _fit(
        self, photo: Path, target: Path, shared: "_Shared", advance: Callable[[], None]
    ) -> dict[str, Any]:
        """Fit one photo and write its folder; gives its entry of the JSON document."""
        advance()
        picture = read_photo(photo)
        who = identity(picture, photo)
        check_replaceable(target, who)
        with torch_threads(shared.config.threads):
            seen = observe(picture, shared.config.size_px, self.face, shared.detector)
        advance()
        results = [shared.fit(one) for one in seen]
        advance()
        faces = []
        with whole_folder(target, who) as temporary:
            for k, result in enumerate(results, start=1):
                place = f"face{k}" if len(results) > 1 else "."
                folder = temporary / place
                folder.mkdir(exist_ok=True)
                content = write_face(result, picture, folder, shared.model, self.texture_size)
                faces.append(
                    {"folder": str(target / place), "seconds": result.seconds, "fit": content}
                )
        return {"photo": str(photo), "ok": True, "folder": str(target), "faces": faces}

    def _say(self, entry: dict[str, Any]) -> None:
        if self.json:
            return
        for face in entry["faces"]:
            quality = face["fit"]["quality"]
            print(f"{face['folder']}: {quality['verdict']} ({face['seconds']:.1f} s)")
            for remark in quality["remarks"]:
                print(f"  {remark}")

    def _config(self) -> FitConfig:
        config = preset(self.preset)
        if self.size is not None:
            config = replace(config, size_px=self.size)
        if self.focal != "auto":
            if not math.isfinite(self.focal):
                raise InputError(f"The focal length must be a number of px, got {self.focal}.")
            config = replace(config, focal_px=float(self.focal))
        return config

    def _targets(self) -> dict[Path, Path]:
        """The folder of each photo."""
        if not self.photos:
            raise InputError("No photo is given: name one at least.")
        targets: dict[Path, Path] = {}
        for photo in dict.fromkeys(self.photos):
            target = self.out / result_name(photo)
            if target in targets.values():
                raise InputError(
                    f"Two photos are called {photo.stem}, and each would write to {target}: "
                    "rename one, or fit it on its own with another --out."
                )
            targets[photo] = target
        return targets


class _Shared:
    """What all photos need, made when the first needs it; to be used in a `with` statement."""

    def __init__(self, model: str, device: str, config: FitConfig) -> None:
        self.config = config
        self._name, self._device = model, "cpu" if device == "auto" else device
        self._open = contextlib.ExitStack()

    def __enter__(self) -> "_Shared":
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @functools.cached_property
    def detector(self) -> FaceDetector:
        return self._open.enter_context(FaceDetector())

    @functools.cached_property
    def prepared(self) -> PreparedModel:
        if self._device == "cuda":
            # Says what is missing before anything is moved there.
            choose_backend("nvdiffrast", torch.device("cuda"))
        else:
            _compile_once()
        return as_prepared(self._name, self.config).to(self._device)

    @functools.cached_property
    def model(self) -> MorphableModel:
        """On the processor, where results are written."""
        return self.prepared.model.to("cpu")

    def fit(self, observation: Observation) -> FitResult:
        prepared = self.prepared  # first, as it says why a device can't be used
        result = fit_observation(observation.to(self._device), prepared, self.config)
        return result.to("cpu")


def _compile_once() -> None:
    """The first run on a machine says why it takes longer."""
    from fit3dmm.render.cpu import kernels_cached, warm_up

    if not kernels_cached():
        print("fit3dmm: compiling the renderer for this machine, once ...", file=sys.stderr)
        print(f"fit3dmm: compiled in {warm_up():.0f} s", file=sys.stderr)


def _raise(errors: list[Exception], n_photos: int) -> None:
    """End with the exit code of the worst failure."""
    if not errors:
        return
    ours = [error for error in errors if not isinstance(error, InputError)]
    if n_photos == 1:
        raise errors[0]
    if ours:
        raise ExceptionGroup(f"fit3dmm failed on {len(ours)} of {n_photos} photos", ours)
    raise InputError(f"{len(errors)} of {n_photos} photos could not be fitted, see above.")


COMMAND = Fit
