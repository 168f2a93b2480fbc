"""The synthetic set as a protocol: its cases, its groups and its table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from fit3dmm._errors import InputError
from fit3dmm.evaluate.fitter import FittedFace
from fit3dmm.evaluate.predictions import find_mesh_and_landmarks, read_mesh_and_landmarks
from fit3dmm.evaluate.protocol import (
    Case,
    Curves,
    Outcome,
    Row,
    Score,
    count_statuses,
    group_names,
    pooled,
    scored,
)
from fit3dmm.evaluate.synthetic.prediction import read_prediction, write_prediction
from fit3dmm.evaluate.synthetic.scores import score_face, score_mesh
from fit3dmm.synthetic.looks import USUAL, Edition
from fit3dmm.synthetic.specification import (
    Kind,
    Specification,
    Split,
    case_indices,
    specify,
)
from fit3dmm.synthetic.truth import read_truth

MEDIANS = ("focal_percent", "distance_percent")
"""Numbers of which the table gives the median: a few faces tell nothing of the camera."""


HEADLINE = ("now_median_mm", "neutral_mm", "nme_percent", "distance_percent")
"""What is printed for each bin."""


@dataclass(frozen=True)
class Synthetic:
    """Generated photos of heads that the model cannot represent, with everything known."""

    name: ClassVar[str] = "synthetic"
    worst_by: ClassVar[str] = "now_mean_mm"

    cases: int = 24
    """How many photos."""
    seed: int = 0
    """Another seed is another set."""
    split: Split = "test"
    """`test` for figures that are reported; `validation` is another set of people and photos, for
    choosing settings; `all` takes from both in turn."""
    kind: Kind = "held-out"
    """`in-model` is the second set: people of the model itself, without hair, clothes, occluders
    and skin detail."""
    photo_px: int = 640
    """Longer side of the photos."""
    edition: Edition = USUAL
    """Of the set: `v2` looks like what people photograph, `v1` is harder than that on every fit."""

    def specifications(self) -> list[Specification]:
        """What the photos show.

        Raises:
            InputError: a number is out of range.
        """
        if not 128 <= self.photo_px <= 4096 or self.seed < 0:
            raise InputError(
                "Expected --photo-px from 128 to 4096 and --seed 0 or more, "
                f"got {self.photo_px} and {self.seed}."
            )
        return [
            specify(self.seed, i, self.kind, self.photo_px, self.edition)
            for i in case_indices(self.cases, self.split)
        ]

    def list_cases(self, data: Path) -> list[Case]:
        """The cases, which must have been generated."""
        listed = []
        for spec in self.specifications():
            photo, truth = data / f"{spec.name}.jpg", data / f"{spec.name}.h5"
            if not truth.is_file():
                raise InputError(f"{data} lacks {truth.name}: generate the set first.")
            listed.append(Case(spec.name, groups_of(spec), photo, (truth,)))
        return listed

    def find_prediction(self, case: Case, predictions: Path) -> tuple[Path, ...]:
        """`NAME.h5` of ours, or any system's neutral mesh with NoW's seven landmarks."""
        own = predictions / f"{case.name}.h5"
        return (own,) if own.is_file() else find_mesh_and_landmarks(predictions, case.name)

    def save_face(self, face: FittedFace, case: Case, predictions: Path) -> None:
        """Everything that is scored."""
        write_prediction(face, predictions / f"{case.name}.h5")

    def score(self, case: Case, files: tuple[Path, ...]) -> Score:
        """All numbers that the prediction allows."""
        truth = read_truth(case.truth[0])
        if len(files) == 1:
            numbers, picture = score_face(truth, read_prediction(files[0]))
        else:
            numbers, picture = score_mesh(truth, *read_mesh_and_landmarks(files))
        return Score(numbers, picture.errors_mm, picture)

    def summarise(self, outcomes: Sequence[Outcome]) -> list[Row]:
        """A row for all and for each bin of yaw, skin tone, focal length and occlusion."""
        rows: list[Row] = []
        for group in (None, *sorted(group_names(outcomes), key=_order)):
            row: Row = {"group": group or "all", **count_statuses(outcomes, group)}
            scores = [score for _, score in scored(outcomes, group)]
            for number in dict.fromkeys(n for score in scores for n in score.numbers):
                values = [s.numbers[number] for s in scores if number in s.numbers]
                mean = np.median if number in MEDIANS else np.mean
                row[number] = float(mean(values))
            rows.append(row)
        return rows

    def curves(self, outcomes: Sequence[Outcome]) -> Curves:
        """NoW's distances: all, and each bin."""
        groups = (None, *sorted(group_names(outcomes), key=_order))
        values = {group or "all": pooled(outcomes, group) for group in groups[:7]}
        return Curves("distance of true points to the prediction [mm]", 8.0, values)


_GROUPS = (
    "yaw 0-20", "yaw 20-40", "yaw 40-60", "tone dark", "tone medium", "tone light",
    "focal 24-35", "focal 35-70", "focal 70-135", "focal over 135", "clear", "occluded",
    "at rest", "expression",
)  # fmt: skip


def groups_of(spec: Specification) -> tuple[str, ...]:
    """The bins that a case counts in."""
    yaw = abs(spec.yaw_deg)
    return (
        "yaw 0-20" if yaw < 20 else "yaw 20-40" if yaw < 40 else "yaw 40-60",
        "tone dark" if spec.tone < 0.08 else "tone medium" if spec.tone < 0.21 else "tone light",
        _focal_group(spec.focal_35mm),
        "occluded" if spec.occluder else "clear",
        "expression" if spec.expression else "at rest",
    )


def _focal_group(focal_35mm: float) -> str:
    if focal_35mm < 70:
        return "focal 24-35" if focal_35mm < 35 else "focal 35-70"
    # Beyond lie photos cut out of larger ones.
    return "focal 70-135" if focal_35mm < 135 else "focal over 135"


def _order(group: str) -> int:
    return _GROUPS.index(group)
