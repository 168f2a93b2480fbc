"""A run of `fit3dmm fit --same-person`: all photos are of one person, who gets one folder."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from fit3dmm._content import content_key
from fit3dmm._errors import InputError
from fit3dmm._threads import torch_threads
from fit3dmm.cli.console import console, printable, say
from fit3dmm.cli.fit_job import Job, Worker
from fit3dmm.cli.inputs import Inputs
from fit3dmm.export.folder import GLB, SUMMARY, file_identity
from fit3dmm.export.mark import PhotoIdentity, read_mark
from fit3dmm.export.person import PERSON, photo_places, set_identity, write_person
from fit3dmm.export.result_folder import check_replaceable, is_free, is_made, whole_folder
from fit3dmm.export.summary import json_text
from fit3dmm.fitting.look import look
from fit3dmm.fitting.several import FEWEST, MOST, SeveralFit, Together, fit_together
from fit3dmm.observe.observation import Observation
from fit3dmm.observe.photo import Photo, read_photo

_NAME = "person"


@dataclass(frozen=True)
class PersonRun:
    """What the command was told."""

    job: Job
    inputs: Inputs
    arguments: Sequence[Path]
    """As they were given: a single folder gives its name to the result."""
    out: Path
    same_camera: bool
    again: bool
    json: bool

    def go(self) -> None:
        """Fit them together, and say what came of it.

        Raises:
            InputError: too few photos show the face; or, when all is written, some did not.
        """
        photos = self.inputs.photos
        failed = {path: str(error) for path, error in self.inputs.failed}
        if len(photos) > MOST:
            raise InputError(f"{len(photos)} photos are given: {MOST} of one person at most.")
        who, target = self._place(photos)
        check_replaceable(target, who)
        digest = content_key(self.job.digest, f"same camera: {self.same_camera}")
        if not self.again and not failed and is_made(target, who, digest):
            self._close(_made_before(target), failed)
            return
        with Worker(self.job) as worker, self._progress() as progress:
            bar = progress.add_task("finding faces", total=None)

            def report(doing: str, done: int, total: int) -> None:
                progress.update(bar, description=doing, completed=done, total=total)

            seen = self._seen(worker, photos, failed, report)
            if len(seen) < FEWEST:
                self._say_failed(failed)
                raise InputError(
                    f"{FEWEST} photos of the person at least are needed, and {len(seen)} can be "
                    "used" + (", see above." if failed else ": give more, or leave --same-person.")
                )
            several = fit_together(
                worker.prepared,
                [one.to(worker.device) for _, _, one in seen],
                self.job.config,
                Together(same_camera=self.same_camera),
                progress=report,
            ).to("cpu")
            report("writing", 0, 1)
            entry = self._written(worker, several, seen, target, who, digest)
        self._close(entry, failed)

    def _place(self, photos: Sequence[Path]) -> tuple[PhotoIdentity, Path]:
        """Who it is, and where the result goes: where an earlier one is, or the first free name."""
        one = self.arguments[0] if len(self.arguments) == 1 else None
        name = one.resolve().name if one is not None and one.is_dir() else _NAME
        try:
            own = [file_identity(photo) for photo in photos]
        except OSError:
            for photo in photos:
                read_photo(photo)  # says in a sentence what is wrong
            raise
        who = set_identity(name, own)
        k, target = 1, self.out / name
        while not is_free(target) and not _is_of(target, who):
            k += 1
            target = self.out / f"{name}-{k}"
        return who, target

    def _seen(
        self, worker: Worker, photos: Sequence[Path], failed: dict[Path, str], report: Any
    ) -> list[tuple[Path, Photo, Observation]]:
        """Photos with the face; what can't be used costs the others nothing."""
        config, found = self.job.config, []
        for done, path in enumerate(photos):
            report(f"{printable(path.name)}: finding faces", done, len(photos))
            try:
                picture = read_photo(path)
                with torch_threads(config.threads):
                    (one,) = look(picture, worker.prepared, config, self.job.face, worker.detector)
                found.append((path, picture, one))
            except InputError as error:
                failed[path] = str(error)
        return found

    def _written(
        self,
        worker: Worker,
        several: SeveralFit,
        seen: Sequence[tuple[Path, Photo, Observation]],
        target: Path,
        who: PhotoIdentity,
        digest: str,
    ) -> dict[str, Any]:
        job, pictures = self.job, [picture for _, picture, _ in seen]
        places = photo_places([picture.name for picture in pictures])
        with whole_folder(target, who, digest) as temporary:
            content = write_person(
                *(several, pictures, places, temporary, worker.model, job.texture_px),
                expression=job.expression,
                compact=job.compact,
                hair=job.hair,
                write=job.write,
            )
        return {**content, "folder": str(target), "skipped": False}

    def _progress(self) -> Progress:
        return Progress(
            TextColumn("{task.description}", markup=False),
            *(BarColumn(), TimeElapsedColumn()),
            console=console(stderr=True),
            disable=not sys.stderr.isatty(),
            transient=True,
        )

    def _say_failed(self, failed: dict[Path, str]) -> None:
        for path, error in failed.items():
            say(f"fit3dmm: {path}: {error}", error=True)

    def _close(self, entry: dict[str, Any], failed: dict[Path, str]) -> None:
        self._say_failed(failed)
        if self.json:
            errors = [{"photo": str(path), "error": error} for path, error in failed.items()]
            print(json_text({**entry, "failed": errors}, ascii_only=True))
        else:
            _say(entry)
        if failed:
            n = len(failed) + len(entry["photos"])
            raise InputError(f"{len(failed)} of {n} photos could not be used, see above.")


def _is_of(target: Path, who: PhotoIdentity) -> bool:
    try:
        mark = read_mark(target)
    except InputError:
        return False
    return mark is not None and mark.photo == who


def _made_before(target: Path) -> dict[str, Any]:
    """The entry of a result that an earlier run has made."""
    content = json.loads((target / PERSON).read_text(encoding="utf-8"))
    paths = [target / photo["folder"] / SUMMARY for photo in content["photos"]]
    fits = [
        json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None for path in paths
    ]
    return {**content, "fits": fits, "folder": str(target), "skipped": True}


def _say(entry: dict[str, Any]) -> None:
    how = "there already; --again fits it anew" if entry["skipped"] else f"{entry['seconds']:.1f} s"
    photos = entry["photos"]
    n = sum(photo["counts"] for photo in photos)
    say(f"{entry['folder']}: one person by {n} of {len(photos)} photos ({how})")
    for photo in photos:
        told = f"{100 * photo['information_share']:.0f} % of what is known"
        say(f"  {photo['folder']}: {photo['verdict']}, {told if photo['counts'] else 'left out'}")
    for remark in entry["remarks"]:
        say(f"  {remark}")
    avatar = Path(entry["folder"], GLB)
    if avatar.is_file():
        say(f"  The avatar: {avatar}")
