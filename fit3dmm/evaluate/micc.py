"""MICC Florence: frames of three videos a subject against one scan."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from fit3dmm._errors import InputError
from fit3dmm.evaluate.landmark_files import find_landmarks, read_landmarks
from fit3dmm.evaluate.mesh_files import read_mesh_once
from fit3dmm.evaluate.predictions import read_mesh_and_landmarks
from fit3dmm.evaluate.protocol import Case, Outcome, Row, Score, by_person, require_path
from fit3dmm.evaluate.surface_error import sphere_score, summarise_units
from fit3dmm.evaluate.surface_protocol import SurfaceProtocol

LAYOUT = """\
  DATA/subject_01/Model/frontal1/obj/*.obj        (the scan, mm; or frontal2)
  DATA/frames/subject_01/SET/FRAME.jpg            (SET: Cooperative, Indoor, Outdoor; the videos'
                                                   frames, for example by ffmpeg -i VIDEO %04d.jpg)
  DATA/landmarks/subject_01.txt                   (8 lines `x y z`: NoW's seven, then the nose tip)
  PREDICTIONS/subject_01/SET/FRAME.obj            (or .ply) and FRAME.npy (or .txt): the seven"""

_PHOTOS = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class Micc(SurfaceProtocol):
    """MICC Florence: similarity ICP and point-to-plane error within 95 mm of the nose tip."""

    name: ClassVar[str] = "micc"

    radius_mm: float = 95.0
    """Of the sphere about the nose tip within which the scan counts."""
    rigid: bool = False
    """Keep the prediction's size (mm) instead of fitting it."""

    together: bool = False
    """Fit the frames of a video together (the multi-frame protocol) and score the one face, which
    is at rest: the videos' expressions differ from frame to frame."""

    def list_cases(self, data: Path) -> list[Case]:
        """One case a frame, or one a video."""
        cases = self._frames(data)
        if not self.together:
            return cases
        return by_person(cases, lambda case: case.name.rpartition("/")[0])

    def _frames(self, data: Path) -> list[Case]:
        frames = require_path(data, "frames", LAYOUT)
        cases = []
        for photo in sorted(p for p in frames.glob("*/*/*") if p.suffix.lower() in _PHOTOS):
            subject, video = photo.parts[-3], photo.parts[-2]
            truth = (_scan_of(data, subject), _landmarks_of(data, subject))
            cases.append(Case(f"{subject}/{video}/{photo.stem}", (video,), photo, truth))
        if not cases:
            raise InputError(f"There are no frames in {frames}; expected this layout:\n{LAYOUT}")
        return cases

    def score(self, case: Case, files: tuple[Path, ...]) -> Score:
        """Errors within the sphere."""
        scan, points = read_mesh_once(case.truth[0]), read_landmarks(case.truth[1], 8)
        return sphere_score(
            scan,
            points,
            *read_mesh_and_landmarks(files),
            self.radius_mm,
            with_scale=not self.rigid,
        )

    def summarise(self, outcomes: Sequence[Outcome]) -> list[Row]:
        """Frames averaged within their video, then mean and std over videos."""
        if self.together:
            return summarise_units(outcomes)
        video_of = {o.case.name: o.case.name.rpartition("/")[0] for o in outcomes}
        return summarise_units(outcomes, video_of)


def _scan_of(data: Path, subject: str) -> Path:
    for view in ("frontal1", "frontal2"):
        found = sorted((data / subject / "Model" / view / "obj").glob("*.obj"))
        if found:
            return found[0]
    raise InputError(f"There is no scan of {subject} in {data}; expected this layout:\n{LAYOUT}")


def _landmarks_of(data: Path, subject: str) -> Path:
    path = find_landmarks(data / "landmarks" / subject)
    if path is None:
        raise InputError(
            f"There are no landmarks of {subject}: the set has none of its own, so that they must "
            f"be picked on the scan; expected this layout:\n{LAYOUT}"
        )
    return path
