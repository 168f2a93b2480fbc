"""A run of `fit3dmm fit`: which photos are still to be fitted, by whom, and what is said of it."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from fit3dmm._errors import InputError
from fit3dmm._parallel import run_in_parallel
from fit3dmm.cli.console import console, printable, say
from fit3dmm.cli.fit_job import (
    STEPS,
    Job,
    Worker,
    compile_once,
    fit_in_worker,
    prepare_workers,
)
from fit3dmm.cli.inputs import Inputs
from fit3dmm.cli.names import Places
from fit3dmm.export.folder import SUMMARY, file_identity
from fit3dmm.export.mark import PhotoIdentity
from fit3dmm.export.report_index import INDEX, write_index
from fit3dmm.export.result_folder import check_replaceable, is_made
from fit3dmm.export.summary import json_text
from fit3dmm.observe.photo import read_photo

FORMAT = "fit3dmm-fit"


@dataclass(frozen=True)
class Task:
    """A photo that is to be fitted."""

    photo: Path
    target: Path
    who: PhotoIdentity


@dataclass(frozen=True)
class Run:
    """What the command was told about the run as a whole."""

    job: Job
    inputs: Inputs
    out: Path
    jobs: int
    again: bool
    json: bool

    def go(self) -> None:
        """Fit what is to be fitted, and say what came of it.

        Raises:
            InputError: a photo could not be fitted; the others are.
        """
        digest = self.job.digest
        entries: dict[Path, dict[str, Any]] = {}
        errors: list[Exception] = []

        def came(photo: Path, entry: dict[str, Any] | Exception) -> None:
            if isinstance(entry, Exception):
                entries[photo] = {"photo": str(photo), "ok": False, "error": str(entry)}
                errors.append(entry)
                if self._n_inputs > 1:
                    say(f"fit3dmm: {photo}: {entry}", error=True)
            else:
                entries[photo] = entry
                if not self.json:
                    _say(entry)

        for path, error in self.inputs.failed:
            came(path, error)
        tasks = []
        for found in _tasks(self.inputs.photos, Places(self.out, self.inputs.photos)):
            if isinstance(found, Task) and not self.again:
                try:
                    if is_made(found.target, found.who, digest):
                        came(found.photo, _made_before(found))
                        continue
                except InputError as error:
                    found = (found.photo, error)
            if isinstance(found, Task):
                tasks.append(found)
            else:
                came(*found)
        self._fit(tasks, came)
        self._close(entries, errors)

    @property
    def _n_inputs(self) -> int:
        return len(self.inputs.photos) + len(self.inputs.failed)

    def _fit(
        self, tasks: Sequence[Task], came: Callable[[Path, dict[str, Any] | Exception], None]
    ) -> None:
        progress = Progress(
            TextColumn("{task.description}", markup=False),
            *(BarColumn(), TimeElapsedColumn(), TimeRemainingColumn()),
            console=console(stderr=True),
            disable=not sys.stderr.isatty(),
            transient=True,
        )
        bar = progress.add_task("", total=len(tasks) * len(STEPS))
        if self.jobs > 1 and len(tasks) > 1:
            on_processor = self.job.device != "cuda"
            if on_processor:
                compile_once()
            arguments = [(self.job, task.photo, task.target, task.who) for task in tasks]
            # Before a bar is drawn, which has a thread of its own.
            prepare = partial(prepare_workers, self.job) if on_processor else None
            results = run_in_parallel(fit_in_worker, arguments, self.jobs, prepare)
            with progress:
                progress.update(bar, description=f"{len(tasks)} photos")
                for place, entry in results:
                    came(tasks[place].photo, entry)
                    progress.advance(bar, len(STEPS))
            return
        with Worker(self.job) as worker, progress:
            for done, task in enumerate(tasks):
                steps = iter(STEPS)

                def advance(task: Task = task, steps: Iterator[str] = steps) -> None:
                    name = printable(task.photo.name)
                    progress.update(bar, description=f"{name}: {next(steps)}")
                    progress.advance(bar)

                try:
                    entry = worker.fit(task.photo, task.target, task.who, advance)
                except Exception as error:
                    # A photo that fails must not cost the others their results.
                    entry = error
                came(task.photo, entry)
                progress.update(bar, completed=(done + 1) * len(STEPS))

    def _close(self, entries: dict[Path, dict[str, Any]], errors: list[Exception]) -> None:
        """The page of all results, the last words, and the exit code of the worst failure."""
        done = [entry for entry in entries.values() if entry["ok"]]
        page = None
        if done and "report" in self.job.write and (len(done) > 1 or (self.out / INDEX).is_file()):
            page = write_index(self.out)
            if page is None:
                say(f"fit3dmm: {self.out / INDEX} is yours and stays as it is.", error=True)
        if self.json:
            order = [*(path for path, _ in self.inputs.failed), *self.inputs.photos]
            document = {
                "format": FORMAT,
                "format_version": 1,
                "photos": [entries[path] for path in order],
            }
            print(json_text(document, ascii_only=True))
        elif done:
            _say_what_next(done, page, self.job.write)
        _raise(errors, self._n_inputs)


def _tasks(photos: Sequence[Path], places: Places) -> Iterator[Task | tuple[Path, Exception]]:
    """Each photo with the place of its result, or what speaks against it."""
    for photo in photos:
        try:
            try:
                who = file_identity(photo)
            except OSError:
                read_photo(photo)  # says in a sentence what is wrong
                raise
            target = places.choose(photo, who)
            check_replaceable(target, who)
        except Exception as error:
            yield photo, error
        else:
            yield Task(photo, target, who)


def _made_before(task: Task) -> dict[str, Any]:
    """The entry of a result that an earlier run has made."""
    places = sorted(task.target.glob("face[0-9]*"), key=lambda path: (len(path.name), path.name))
    faces = [
        {"folder": str(place), "seconds": 0.0, "fit": _summary(place)}
        for place in ([path for path in places if path.is_dir()] or [task.target])
    ]
    entry = {"photo": str(task.photo), "ok": True, "folder": str(task.target), "faces": faces}
    return {**entry, "skipped": True}


def _summary(place: Path) -> dict[str, Any] | None:
    """What `fit.json` holds; None where the run was told to write none."""
    path = place / SUMMARY
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _say(entry: dict[str, Any]) -> None:
    before = entry.get("skipped", False)
    for face in entry["faces"]:
        fit = face["fit"]
        if fit is None:
            say(f"{face['folder']}: there already (--again fits it anew)")
            continue
        quality = fit["quality"]
        how = "there already; --again fits it anew" if before else f"{face['seconds']:.1f} s"
        say(f"{face['folder']}: {quality['verdict']} ({how})")
        turn_deg = fit["photo"]["upright_turn_deg"]
        if turn_deg:
            lies = "stands on its head" if turn_deg == 180 else "lies on its side"
            say(f"  The face {lies} in the photo; it was fitted as it is.")
        for remark in quality["remarks"]:
            say(f"  {remark}")
        refinement = fit.get("refinement")
        if refinement:
            for sentence in (*refinement["remarks"], refinement["sentence"]):
                say(f"  {sentence}")


def _say_what_next(
    done: Sequence[dict[str, Any]], page: Path | None, write: tuple[str, ...]
) -> None:
    folder = done[0]["faces"][0]["folder"]
    if "report" in write:
        what = page.parent if page is not None else folder
        say(f"  Look at it: fit3dmm view {_quoted(str(what))}")
    elif "overlay" in write:
        say(f"  Look at it: {Path(folder) / 'overlay.png'}")
    if "glb" in write and len(done) == 1:
        say(f"  The avatar: {Path(folder) / 'face.glb'}")


def _quoted(path: str) -> str:
    return f'"{path}"' if any(c in path for c in " ()&;'") else path


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
