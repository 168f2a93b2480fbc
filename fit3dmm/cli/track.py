"""`fit3dmm track`: a video in, a face that moves out.

What does the work is imported when it is to be done: `--help` need not wait for torch.
"""

import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from fit3dmm._errors import InputError
from fit3dmm.cli.console import console, say

if TYPE_CHECKING:
    from fit3dmm.fitting.tracking import Track, TrackConfig


@dataclass(frozen=True)
class FollowVideo:
    """Follow a face through a video.

    DIR gets track.h5 (pose, expression and light of every frame), face.glb (an avatar that moves as
    the video does), blendshapes.csv and livelink.csv (for animation tools), preview.mp4 (look at it
    first), texture.png and track.json. A run that was interrupted goes on where it stopped.
    """

    video: Annotated[Path, tyro.conf.Positional]
    """Of any container and rate; `pip install "fit3dmm[video]"` reads them. One person is followed:
    that with the largest face."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """The folder of the results; by default fit3dmm-out/<the video's name>. An earlier result of
    the same video is replaced and nothing else."""
    model: str = "commons"
    """A model's name (see `fit3dmm model list`) or file."""
    key_frames: int = 6
    """Frames from which the person is learned, 1 to 50."""
    focal: float | Literal["auto"] = "auto"
    """Focal length in px of the video; `auto` estimates it."""
    network: bool = True
    """Let the model's network look at every frame, too: better, and about half as fast."""
    write: str = "all"
    """What is written besides track.h5: `all`, or of json, glb, csv, texture and preview those that
    are named, such as `glb,csv`."""
    again: bool = False
    """Track anew what was tracked by the same settings."""

    def run(self) -> None:
        from fit3dmm.export.outputs import parse_outputs
        from fit3dmm.export.track_folder import OUTPUTS
        from fit3dmm.face.track import track

        write = parse_outputs(self.write, OUTPUTS, tuple(OUTPUTS))
        out = self.out or Path("fit3dmm-out") / self.video.stem
        began = time.perf_counter()
        with _Bars() as bars:
            found = track(
                self.video,
                out,
                self.model,
                self._config(),
                write,
                self.again,
                bars.show,
            )
        _say(found, out, time.perf_counter() - began, bars.worked, write)

    def _config(self) -> "TrackConfig":
        from fit3dmm.fitting.several import MOST
        from fit3dmm.fitting.tracking import TrackConfig, without_network

        if not 1 <= self.key_frames <= MOST:
            raise InputError(
                f"The number of key frames must be 1 to {MOST}, got {self.key_frames}."
            )
        config = TrackConfig()
        config = replace(config, key_frames=replace(config.key_frames, n=self.key_frames))
        if self.focal != "auto":
            person = replace(config.person, focal_px=float(self.focal))
            config = replace(config, person=person)
        return config if self.network else without_network(config)


class _Bars:
    """One bar for each thing that is done, with the time that it still takes."""

    def __init__(self) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            *(BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()),
            console=console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self._tasks = {}
        self.worked = False
        """Whether anything was done."""

    def __enter__(self) -> "_Bars":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, doing: str, done: int, total: int) -> None:
        self.worked = True
        if doing not in self._tasks:
            # What an earlier run has done must not make this one look quick.
            self._tasks[doing] = self._progress.add_task(doing, total=total, completed=done)
        self._progress.update(self._tasks[doing], completed=done, total=total)


def _say(track: "Track", out: Path, seconds: float, worked: bool, write: tuple[str, ...]) -> None:
    from fit3dmm.export.track_folder import GLB, PREVIEW, time_s

    followed, how = int(track.found.sum()), "there already; --again tracks it anew"
    if worked:
        how = f"{seconds:.0f} s"
    say(f"{out}: {followed} of {len(track)} frames followed ({how})")
    for first, last in track.gaps():
        frames = f"frame {first}" if first == last else f"frames {first} to {last}"
        say(f"  No face from {time_s(track, first)} s to {time_s(track, last)} s ({frames}).")
    for frame in track.doubtful_key_frames:
        say(f"  Frame {frame} does not seem to show the same person; it was left out.")
    if "preview" in write:
        say(f"  Look at it: {out / PREVIEW}")
    if "glb" in write:
        say(f"  The avatar that moves: {out / GLB}")


COMMAND = FollowVideo
