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
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from fit3dmm._errors import InputError
from fit3dmm._threads import torch_threads
from fit3dmm.cli.console import console, printable, say
from fit3dmm.cli.inputs import Inputs, find_photos
from fit3dmm.cli.names import Places
from fit3dmm.cli.saved_scene import saved_scene
from fit3dmm.export.folder import AvatarExpression, identity, write_face
from fit3dmm.export.result_folder import check_replaceable, whole_folder
from fit3dmm.export.summary import json_text
from fit3dmm.export.texture import check_texture_size
from fit3dmm.fitting.config import FitConfig, preset
from fit3dmm.fitting.look import look
from fit3dmm.fitting.pipeline import as_prepared, fit_observation
from fit3dmm.fitting.prepared import PreparedModel
from fit3dmm.fitting.result import FitResult
from fit3dmm.model.library import SHIPPED
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.detect import FaceDetector
from fit3dmm.observe.observation import Observation
from fit3dmm.observe.photo import read_photo
from fit3dmm.render.backend import choose_backend
from fit3dmm.scene import Scene

FORMAT = "fit3dmm-fit"
_STEPS = ("finding faces", "fitting", "writing")


@dataclass(frozen=True)
class Fit:
    """Fit the faces in photos and write, for each photo, a folder of results.

    DIR/<the photo's name>/ holds fit.json and fit.h5 (numbers), neutral.obj and posed.obj (meshes),
    face.glb (an avatar with blendshapes and bones), texture.png, overlay.png (look at it first),
    depth.npy.
    Several faces of one photo lie in its folders face1, face2, ..., the largest first. Photos of
    one name get folders of their own: holiday-me, work-me.
    """

    photos: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """JPEG, PNG, WebP, TIFF, BMP, GIF or AVIF files (HEIC with `pip install "fit3dmm[heic]"`),
    folders of them, and patterns in quotes ("*.jpg")."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Where the folders shall lie. Earlier results of the same photos are replaced and nothing
    else."""
    recursive: Annotated[bool, tyro.conf.arg(aliases=["-r"])] = False
    """Look into the folders of folders, too."""
    model: str = SHIPPED
    """A model's name (see `fit3dmm model list`) or file."""
    preset: str = "default"
    """`default`, `landmarks` (no colours, fastest), `fine` (a crop of 512 px) or `regressor` (what
    the model's network sees, and no fit)."""
    init: str = "auto"
    """Where to start: `landmarks` (the mean face, put in place), `regressor` (what the model's
    network sees), `auto` (the better of these), or an earlier fit.h5 of the same photo."""
    regressor: Path | None = None
    """The model's network, made by `fit3dmm train`; by default the one that ships with it."""
    face: Literal["only", "largest", "all"] | int = "only"
    """Which of several faces: `largest`, `all`, or a number, 1 being the largest. By default there
    must be one only."""
    size: int | None = None
    """Side in px of the square crop that is fitted, 64 to 1024; else what the preset says."""
    focal: float | Literal["auto"] = "auto"
    """Focal length in px of the photo; `auto` takes EXIF's or estimates it."""
    texture_size: int = 1024
    """Side of the texture in px."""
    expression: AvatarExpression = "neutral"
    """What face.glb shows when it is loaded: `neutral`, or `fitted` (that of the photo)."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto` is the processor, which is as fast for one photo; `cuda` needs nvdiffrast."""
    json: bool = False
    """Print one JSON document instead of lines."""

    def run(self) -> None:
        config, start = self._config(), self._start()
        check_texture_size(self.texture_size)
        inputs = self._inputs()
        places = Places(self.out, inputs.photos)
        n_inputs = len(inputs.photos) + len(inputs.failed)
        entries, errors = [], []

        def fail(path: Path, error: Exception) -> None:
            entries.append({"photo": str(path), "ok": False, "error": str(error)})
            errors.append(error)
            if n_inputs > 1:
                say(f"fit3dmm: {path}: {error}", error=True)

        for path, error in inputs.failed:
            fail(path, error)
        progress = Progress(
            TextColumn("{task.description}", markup=False),
            *(BarColumn(), TimeElapsedColumn()),
            console=console(stderr=True),
            disable=not sys.stderr.isatty(),
            transient=True,
        )
        with _Shared(self.model, self.device, config, self.regressor, start) as shared, progress:
            task = progress.add_task("", total=len(inputs.photos) * len(_STEPS))
            for photo in inputs.photos:
                steps = iter(_STEPS)

                def advance(photo=photo, steps=steps) -> None:
                    name = printable(photo.name)
                    progress.update(task, description=f"{name}: {next(steps)}")
                    progress.advance(task)

                try:
                    entries.append(self._fit(photo, places, shared, advance))
                except Exception as error:
                    # A photo that fails must not cost the others their results.
                    fail(photo, error)
                else:
                    self._say(entries[-1])
        if self.json:
            document = {"format": FORMAT, "format_version": 1, "photos": entries}
            print(json_text(document, ascii_only=True))
        _raise(errors, n_inputs)

    def _fit(
        self, photo: Path, places: Places, shared: "_Shared", advance: Callable[[], None]
    ) -> dict[str, Any]:
        """Fit one photo and write its folder; gives its entry of the JSON document."""
        advance()
        picture = read_photo(photo)
        who = identity(picture, photo)
        target = places.choose(photo, who)
        check_replaceable(target, who)
        with torch_threads(shared.config.threads):
            seen = look(picture, shared.prepared, shared.config, self.face, shared.detector)
        advance()
        results = [shared.fit(one) for one in seen]
        advance()
        faces = []
        with whole_folder(target, who) as temporary:
            for k, result in enumerate(results, start=1):
                place = f"face{k}" if len(results) > 1 else "."
                folder = temporary / place
                folder.mkdir(exist_ok=True)
                content = write_face(
                    *(result, picture, folder, shared.model, self.texture_size),
                    expression=self.expression,
                )
                faces.append(
                    {"folder": str(target / place), "seconds": result.seconds, "fit": content}
                )
        return {"photo": str(photo), "ok": True, "folder": str(target), "faces": faces}

    def _say(self, entry: dict[str, Any]) -> None:
        if self.json:
            return
        for face in entry["faces"]:
            quality = face["fit"]["quality"]
            say(f"{face['folder']}: {quality['verdict']} ({face['seconds']:.1f} s)")
            turn_deg = face["fit"]["photo"]["upright_turn_deg"]
            if turn_deg:
                lies = "stands on its head" if turn_deg == 180 else "lies on its side"
                say(f"  The face {lies} in the photo; it was fitted as it is.")
            for remark in quality["remarks"]:
                say(f"  {remark}")

    def _config(self) -> FitConfig:
        config = preset(self.preset)
        if self.init in ("landmarks", "regressor"):
            config = replace(config, init=self.init)
        if self.size is not None:
            config = replace(config, size_px=self.size)
        if self.focal != "auto":
            if not math.isfinite(self.focal):
                raise InputError(f"The focal length must be a number of px, got {self.focal}.")
            config = replace(config, focal_px=float(self.focal))
        return config

    def _start(self) -> Scene | None:
        """The scene of an earlier fit, if one is named."""
        if self.init in ("auto", "landmarks", "regressor"):
            return None
        path = Path(self.init)
        if not path.is_file():
            raise InputError(
                f"Expected --init auto, landmarks, regressor or a file of an earlier fit, got "
                f"{self.init!r}."
            )
        saved = saved_scene(path)
        if saved is None:
            raise InputError(f"{path} holds no scene: expected a fit.h5 of an earlier fit.")
        return saved[1]

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


class _Shared:
    """What all photos need, made when the first needs it; to be used in a `with` statement."""

    def __init__(
        self,
        model: str,
        device: str,
        config: FitConfig,
        regressor: Path | None,
        start: Scene | None,
    ) -> None:
        self.config, self._regressor, self._start = config, regressor, start
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
        return as_prepared(self._name, self.config, self._regressor).to(self._device)

    @functools.cached_property
    def model(self) -> MorphableModel:
        """On the processor, where results are written."""
        return self.prepared.model.to("cpu")

    def fit(self, observation: Observation) -> FitResult:
        prepared = self.prepared  # first, as it says why a device can't be used
        start = None if self._start is None else self._checked(self._start, observation)
        result = fit_observation(observation.to(self._device), prepared, self.config, start)
        return result.to("cpu")

    def _checked(self, start: Scene, observation: Observation) -> Scene:
        """The start, if it can be one of this photo with this model."""
        camera, model = start.camera, self.prepared.model
        size = (observation.photo_width_px, observation.photo_height_px)
        if (camera.width_px, camera.height_px) != size:
            raise InputError(
                f"The start is of a photo of {camera.width_px} x {camera.height_px} px, and "
                f"{observation.name} has {size[0]} x {size[1]}: give a fit of the same photo."
            )
        wanted, given = model.zeros(), start.coefficients
        for name in ("identity", "detail", "expression", "albedo"):
            n_wanted, n_given = (getattr(one, name).shape[-1] for one in (wanted, given))
            if n_given != n_wanted:
                raise InputError(
                    f"The start has {n_given} {name} coefficients, the model {model.info.name} "
                    f"{n_wanted}: give a fit of the same model."
                )
        return start.to(self._device)


def _compile_once() -> None:
    """The first run on a machine says why it takes longer."""
    from fit3dmm.render.cpu import kernels_cached, warm_up

    if not kernels_cached():
        say("fit3dmm: compiling the renderer for this machine, once ...", error=True)
        say(f"fit3dmm: compiled in {warm_up():.0f} s", error=True)


def _raise(errors: list[Exception], n_inputs: int) -> None:
    """End with the exit code of the worst failure."""
    if not errors:
        return
    ours = [error for error in errors if not isinstance(error, InputError)]
    if n_inputs == 1:
        raise errors[0]
    if ours:
        raise ExceptionGroup(f"fit3dmm failed on {len(ours)} of {n_inputs} photos", ours)
    raise InputError(f"{len(errors)} of {n_inputs} photos could not be fitted, see above.")


COMMAND = Fit
