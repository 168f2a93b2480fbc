"""Frames in, finished frames out: when those that still change it have been followed, one is."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.fitting.tracking.follow import Followed, Follower
from fit3dmm.fitting.tracking.looking import Gaze, Seen
from fit3dmm.fitting.tracking.smooth import smoothed
from fit3dmm.unknowns import EXPRESSION, IRRADIANCE, ROTATION, TRANSLATION

N_FRAMES = 60
"""Frames that are finished at a time: what a run that is killed loses, together with those that
look ahead."""


@dataclass(frozen=True)
class Segment(TensorRecord):
    """Finished frames that follow each other. NaN where there is no face."""

    first: int
    """Index of its first frame."""
    times_s: Float[Tensor, "frames"]
    expression: Float[Tensor, "frames expression"]
    rotation_rad: Float[Tensor, "frames 3"]
    translation_mm: Float[Tensor, "frames 3"]
    irradiance_sh: Float[Tensor, "frames 9 3"]
    landmark_error_mm: Float[Tensor, "frames"]

    def __len__(self) -> int:
        return len(self.times_s)


@dataclass(frozen=True)
class Resumption(TensorRecord):
    """All that the frames behind a segment take over from those before."""

    next: int
    """Index of the frame that comes next."""
    last: Followed | None
    points_px: Float[Tensor, "478 2"] | None
    searched_s: float

    @classmethod
    def start(cls) -> "Resumption":
        """At the beginning of a video."""
        return cls(0, None, None, -torch.inf)

    @property
    def gaze(self) -> Gaze:
        """Where the look at the next frame begins."""
        return Gaze(self.points_px, self.searched_s)


@dataclass
class _Row:
    """A frame that is followed and not finished."""

    seen: Seen
    followed: Followed | None
    after: Resumption
    x: Tensor | None = None


def segments(
    looks: Iterator[tuple[Seen, Gaze]], follower: Follower, begin: Resumption
) -> Iterator[tuple[Segment, Resumption]]:
    """Follow the face through a video.

    Args:
        looks: what each frame shows, from the one where it begins, and where the next look begins.
        follower: of the person.
        begin: what is known of earlier frames.
    """
    rows: list[_Row] = []
    last = begin.last
    for seen, gaze in looks:
        last = _followed(seen, follower, last)
        after = Resumption(seen.index + 1, last, gaze.points_px, gaze.searched_s)
        rows.append(_Row(seen, last, after))
        ready = rows[:N_FRAMES]
        ahead_s = seen.time_s - ready[-1].seen.time_s
        if len(rows) > N_FRAMES and ahead_s >= follower.config.look_ahead_s:
            yield _finished(rows, len(ready), follower)
            rows = rows[N_FRAMES:]
    if rows:
        yield _finished(rows, len(rows), follower)


def _followed(seen: Seen, follower: Follower, last: Followed | None) -> Followed | None:
    if seen.observation is None:
        return None
    found = follower.follow(seen.observation, seen.time_s, None if seen.is_anew else last)
    if found.landmark_error_mm <= follower.config.lost_mm:
        return found
    if not seen.is_anew:
        # What was followed astray may be found from the beginning.
        found = follower.follow(seen.observation, seen.time_s, None)
    return found if found.landmark_error_mm <= follower.config.lost_mm else None


def _finished(rows: list[_Row], n: int, follower: Follower) -> tuple[Segment, Resumption]:
    """Smooth all rows, and give the first n as they are then."""
    for run in _runs(rows):
        for row, x in zip(run, _smoothed(run, follower), strict=True):
            row.x = x
    return _segment(rows[:n], follower), rows[n - 1].after


def _runs(rows: list[_Row]) -> Iterator[list[_Row]]:
    """Rows that a walk joins."""
    run: list[_Row] = []
    for row in rows:
        joined = row.followed is not None and row.followed.before is not None
        if not joined and run:
            yield run
            run = []
        if row.followed is not None:
            run.append(row)
    if run:
        yield run


def _smoothed(run: list[_Row], follower: Follower) -> tuple[Tensor, ...]:
    frames = [row.followed for row in run if row.followed is not None]
    return smoothed(frames, follower.layout, follower.config.motion)


def _segment(rows: list[_Row], follower: Follower) -> Segment:
    layout = follower.layout
    nothing = {name: torch.full_like(value, torch.nan) for name, value in layout.rest.items()}
    values = [nothing if row.x is None else layout.values(row.x) for row in rows]

    def stacked(name: str) -> Tensor:
        return torch.stack([one[name] for one in values])

    errors = [torch.nan if r.followed is None else r.followed.landmark_error_mm for r in rows]
    return Segment(
        rows[0].seen.index,
        torch.tensor([row.seen.time_s for row in rows], dtype=torch.float64),
        stacked(EXPRESSION),
        stacked(ROTATION),
        stacked(TRANSLATION),
        stacked(IRRADIANCE),
        torch.tensor(errors),
    )
