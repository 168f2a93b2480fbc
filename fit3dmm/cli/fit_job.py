"""The work on one photo: read, look, fit, write. A worker process is given the same job."""

import contextlib
import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from fit3dmm._content import code_digest, content_key
from fit3dmm._errors import InputError
from fit3dmm._memory import keep_freed_memory
from fit3dmm._threads import torch_threads
from fit3dmm._version import __version__
from fit3dmm.cli.console import say
from fit3dmm.cli.saved_scene import saved_scene
from fit3dmm.export.folder import AvatarExpression, AvatarHair, write_face
from fit3dmm.export.mark import PhotoIdentity
from fit3dmm.export.result_folder import whole_folder
from fit3dmm.fitting.config import FitConfig
from fit3dmm.fitting.look import look
from fit3dmm.fitting.pipeline import as_prepared, fit_observation
from fit3dmm.fitting.prepared import PreparedModel
from fit3dmm.fitting.result import FitResult
from fit3dmm.model.library import find_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.choice import FaceChoice
from fit3dmm.observe.detect import FaceDetector
from fit3dmm.observe.landmarker import import_mediapipe
from fit3dmm.observe.observation import Observation
from fit3dmm.observe.photo import read_photo
from fit3dmm.render.backend import choose_backend
from fit3dmm.scene import Scene

STEPS = ("finding faces", "fitting", "writing")


@dataclass(frozen=True)
class Job:
    """What all photos of a run are fitted by, and what is written of them."""

    model: str
    device: str
    config: FitConfig
    regressor: Path | None
    start: Path | None
    """An earlier fit of the same photo."""
    face: FaceChoice
    texture_px: int
    write: tuple[str, ...]
    expression: AvatarExpression = "neutral"
    compact: bool = False
    hair: AvatarHair = "volume"
    refine: Path | None = None
    """Coefficients to refine: of the photo, or a folder of those of photos."""
    basis: Path | None = None
    """Of 3DDFA_V2, for its numbers."""

    @functools.cached_property
    def digest(self) -> str:
        """Equal for jobs that make the same of a photo.

        Raises:
            InputError: there is no such model.
        """
        # Threads change how long it takes.
        config = replace(self.config, threads=1)
        settings = (config, self.face, self.texture_px, self.write, self.expression, self.compact)
        settings = (*settings, self.hair)
        named = (self.regressor, self.start, self.refine, self.basis)
        files = [path for path in named if path is not None]
        within = [[path] if path.is_file() else sorted(path.rglob("*")) for path in files]
        there = [path for some in within for path in some if path.is_file()]
        name = f"{__version__} {code_digest()} {self.device} {settings!r} {files}"
        return content_key(name, find_model(self.model), *there)


class Worker:
    """Fits photos; what all of them need is made when the first needs it. Used in `with`."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self.device = "cpu" if job.device == "auto" else job.device
        self._open = contextlib.ExitStack()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def fit(
        self,
        photo: Path,
        target: Path,
        who: PhotoIdentity,
        advance: Callable[[], None] = lambda: None,
    ) -> dict[str, Any]:
        """Fit one photo and write its folder.

        Args:
            photo: the file.
            target: the folder of its result.
            who: its identity.
            advance: called at the beginning of each of `STEPS`.

        Returns:
            Its entry of the JSON document.
        """
        job = self._job
        advance()
        picture = read_photo(photo)
        with torch_threads(job.config.threads):
            seen = look(picture, self.prepared, job.config, job.face, self.detector)
        advance()
        results = [self._fitted(one, photo) for one in seen]
        advance()
        faces = []
        with whole_folder(target, who, job.digest) as temporary:
            for k, result in enumerate(results, start=1):
                place = f"face{k}" if len(results) > 1 else "."
                folder = temporary / place
                folder.mkdir(exist_ok=True)
                content = write_face(
                    *(result, picture, folder, self.model, job.texture_px),
                    expression=job.expression,
                    write=job.write,
                    compact=job.compact,
                    hair=job.hair,
                )
                faces.append(
                    {"folder": str(target / place), "seconds": result.seconds, "fit": content}
                )
        return {"photo": str(photo), "ok": True, "folder": str(target), "faces": faces}

    @functools.cached_property
    def detector(self) -> FaceDetector:
        """One for all photos."""
        return self._open.enter_context(FaceDetector())

    @functools.cached_property
    def prepared(self) -> PreparedModel:
        """The model, on the device of the fits."""
        if self.device == "cuda":
            # Says what is missing before anything is moved there.
            choose_backend("nvdiffrast", torch.device("cuda"))
        else:
            compile_once()
        job = self._job
        return as_prepared(job.model, job.config, job.regressor).to(self.device)

    @functools.cached_property
    def model(self) -> MorphableModel:
        """On the processor, where results are written."""
        return self.prepared.model.to("cpu")

    @functools.cached_property
    def _start(self) -> Scene | None:
        return None if self._job.start is None else read_start(self._job.start)

    def _fitted(self, observation: Observation, photo: Path) -> FitResult:
        prepared = self.prepared  # first, as it says why a device can't be used
        if self._job.refine is not None:
            from fit3dmm.refining.read import find_start
            from fit3dmm.refining.read import read_start as read_given
            from fit3dmm.refining.refine import refine_observation

            given = find_start(self._job.refine, photo)
            start = read_given(given, self.model, self._job.basis)
            settings = (prepared, start, self._job.config)
            return refine_observation(observation.to(self.device), *settings).to("cpu")
        start = None if self._start is None else self._checked(self._start, observation)
        result = fit_observation(observation.to(self.device), prepared, self._job.config, start)
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
        return start.to(self.device)


def read_start(path: Path) -> Scene:
    """The scene of an earlier fit.

    Raises:
        InputError: the file holds none.
    """
    saved = saved_scene(path)
    if saved is None:
        raise InputError(f"{path} holds no scene: expected a fit.h5 of an earlier fit.")
    return saved[1]


def fit_in_worker(
    job: Job, photo: Path, target: Path, who: PhotoIdentity
) -> dict[str, Any] | Exception:
    """`Worker.fit` in a process of its own; what goes wrong is given back."""
    try:
        return _worker_of(job).fit(photo, target, who)
    except Exception as error:
        return error


def prepare_workers(job: Job) -> None:
    """Import and load what `fit_in_worker` needs, for processes that are copied from this one."""
    worker = _worker_of(job)
    # Where the model can't be used each photo says so.
    with contextlib.suppress(InputError), torch_threads(1):
        _ = worker.prepared
    import_mediapipe()


@functools.lru_cache(maxsize=1)
def _worker_of(job: Job) -> Worker:
    keep_freed_memory()
    return Worker(replace(job, config=replace(job.config, threads=1)))


def compile_once() -> None:
    """The first run on a machine says why it takes longer."""
    from fit3dmm.render.cpu import kernels_cached, warm_up

    if not kernels_cached():
        say("fit3dmm: compiling the renderer for this machine, once ...", error=True)
        say(f"fit3dmm: compiled in {warm_up():.0f} s", error=True)
