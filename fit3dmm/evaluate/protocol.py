"""What an evaluation protocol is: it lists cases, scores one, and sums up all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from fit3dmm._errors import InputError
from fit3dmm.evaluate.fitter import FittedFace

Row: TypeAlias = dict[str, str | int | float]
"""One line of a results table."""

Status: TypeAlias = Literal["scored", "missing", "no face", "failed", "no truth"]
"""What became of a case. Missing: no prediction file. No face: the fitter found none. Failed: a
file is unusable. No truth: the set keeps the scan to itself, as NoW's test set does."""


@dataclass(frozen=True)
class Case:
    """One thing to score: usually a photo."""

    name: str
    """Unique; parts are separated by `/`. Also the place of its prediction, but for the suffix."""
    groups: tuple[str, ...] = ()
    """The sub-results that it counts in, such as a challenge."""
    photo: Path | None = None
    """What a fitter is given; None where the set comes without photos."""
    truth: tuple[Path, ...] = ()
    """Every file that the score depends on besides the prediction. Empty: not to be scored."""
    row: int = -1
    """Its place in the set's arrays, where the truth is one array for all cases."""
    more_photos: tuple[Path, ...] = ()
    """Others of the same person, which are fitted together with the first."""

    @property
    def photos(self) -> tuple[Path, ...]:
        """All that a fitter is given."""
        return () if self.photo is None else (self.photo, *self.more_photos)


@dataclass(frozen=True)
class SurfacePicture:
    """A surface coloured by error, seen from the front."""

    vertices: Float[np.ndarray, "vertices 3"]
    """x to the right in the picture, y up, z towards the viewer."""
    triangles: Int[np.ndarray, "triangles 3"]
    errors_mm: Float[np.ndarray, "vertices"]


@dataclass(frozen=True)
class LandmarkPicture:
    """True and predicted points on the case's photo."""

    truth_px: Float[np.ndarray, "points 2"]
    predicted_px: Float[np.ndarray, "points 2"]


def _no_errors() -> np.ndarray:
    return np.zeros(0)


@dataclass(frozen=True)
class Score:
    """What was measured on one case."""

    numbers: dict[str, int | float]
    """Columns of the table of cases; the unit is in the name."""
    errors: Float[np.ndarray, "errors"] = field(default_factory=_no_errors)
    """Distances that the protocol pools over cases; empty where it averages the numbers."""
    picture: SurfacePicture | LandmarkPicture | None = None
    """For the sheet of the worst; not kept in the cache."""


@dataclass(frozen=True)
class Outcome:
    """A case and what became of it."""

    case: Case
    status: Status
    score: Score | None = None
    """Present where the status is `scored`."""
    reason: str = ""
    """Why there is no score."""
    reused: bool = False
    """The score was found in the cache."""


@dataclass(frozen=True)
class Curves:
    """Cumulative curves: which share of something lies below a bound."""

    label: str
    """Of the horizontal axis, with its unit."""
    limit: float
    """Right end of the horizontal axis."""
    values: dict[str, Float[np.ndarray, "_"]]
    """One curve each."""


@runtime_checkable
class FitKeeper(Protocol):
    """What keeps fits as files."""

    name: ClassVar[str]
    """As on the command line."""

    def save_face(self, face: FittedFace, case: Case, predictions: Path) -> None:
        """Write a fit to the folder of predictions."""
        ...


@runtime_checkable
class EvaluationProtocol(FitKeeper, Protocol):
    """A frozen record of settings whose methods follow one benchmark's rules."""

    worst_by: ClassVar[str]
    """The number that says which cases are worst; large is bad."""

    def list_cases(self, data: Path) -> list[Case]:
        """The cases of a set.

        Raises:
            InputError: the folder does not have the set's layout; the message shows it.
        """
        ...

    def find_prediction(self, case: Case, predictions: Path) -> tuple[Path, ...]:
        """The files that hold a case's prediction; empty where one is missing."""
        ...

    def save_face(self, face: FittedFace, case: Case, predictions: Path) -> None:
        """Write a fit where and as `find_prediction` looks for it."""
        ...

    def score(self, case: Case, files: tuple[Path, ...]) -> Score:
        """Measure one case.

        Raises:
            InputError: a file is unusable.
        """
        ...

    def summarise(self, outcomes: Sequence[Outcome]) -> list[Row]:
        """The table that the benchmark reports."""
        ...

    def curves(self, outcomes: Sequence[Outcome]) -> Curves:
        """The cumulative curves."""
        ...


@runtime_checkable
class Submittable(Protocol):
    """A protocol whose organisers take a folder of files."""

    def write_submission(self, outcomes: Sequence[Outcome], predictions: Path, out: Path) -> str:
        """Write the folder; returns a sentence that says what to do with it."""
        ...


def scored(outcomes: Sequence[Outcome], group: str | None = None) -> list[tuple[Case, Score]]:
    """Cases with a score, all or those of a group."""
    return [
        (o.case, o.score)
        for o in outcomes
        if o.score is not None and (group is None or group in o.case.groups)
    ]


def group_names(outcomes: Sequence[Outcome]) -> list[str]:
    """Every group, in the order of first appearance."""
    return list(dict.fromkeys(group for o in outcomes for group in o.case.groups))


def count_statuses(outcomes: Sequence[Outcome], group: str | None = None) -> dict[str, int]:
    """How many cases met which end: none is ever left out."""
    chosen = [o.status for o in outcomes if group is None or group in o.case.groups]
    counts = {"cases": len(chosen), "scored": chosen.count("scored")}
    for status in ("missing", "no face", "failed", "no truth"):
        if status in chosen:
            counts[status] = chosen.count(status)
    return counts


def pooled(outcomes: Sequence[Outcome], group: str | None = None) -> Float[np.ndarray, "errors"]:
    """The errors of all cases in one."""
    return np.concatenate([np.zeros(0), *(score.errors for _, score in scored(outcomes, group))])


def by_person(cases: Sequence[Case], name_of: Callable[[Case], str]) -> list[Case]:
    """One case for all photos that are called the same, against the truth of the first.

    Args:
        cases: a photo each.
        name_of: the name of the person, or of one video of theirs.
    """
    together: dict[str, list[Case]] = {}
    for case in cases:
        together.setdefault(name_of(case), []).append(case)
    return [
        replace(
            group[0],
            name=name,
            groups=tuple(dict.fromkeys(one for case in group for one in case.groups)),
            more_photos=tuple(photo for case in group[1:] for photo in case.photos),
        )
        for name, group in together.items()
    ]


def require_path(data: Path, relative: str, layout: str, *, deep: bool = True) -> Path:
    """A file or folder of a set.

    Args:
        data: what the user named.
        relative: where it should be.
        layout: a drawing of the folder, for the message.
        deep: also look up to two folders further down, as archives unpack into folders of their
            own.

    Raises:
        InputError: it is not there; the message shows the layout.
    """
    patterns = [relative, f"*/{relative}", f"*/*/{relative}"] if deep else [relative]
    if data.is_dir():
        for pattern in patterns:
            found = sorted(data.glob(pattern))
            if found:
                return found[0]
    state = "lacks" if data.is_dir() else "is not a folder, so it lacks"
    raise InputError(f"{data} {state} {relative}; expected this layout:\n{layout}")
