"""`fit3dmm evaluate identity`: whether fits of one person in several photos are more alike than
those of two people, for any folder of photos named by person."""

import csv
import io
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float

from fit3dmm._errors import InputError
from fit3dmm._files import atomic_path
from fit3dmm._parallel import Progress
from fit3dmm.evaluate.curve import write_curve
from fit3dmm.evaluate.fitter import FittedFace, Fitter
from fit3dmm.evaluate.identity import (
    NeutralFace,
    coefficient_distances,
    first_of_same,
    roc_auc,
    shape_distances_mm,
)
from fit3dmm.evaluate.own_folder import claim_folder
from fit3dmm.evaluate.protocol import Case, Curves, Outcome, Row
from fit3dmm.evaluate.run import fit_cases
from fit3dmm.evaluate.synthetic.prediction import read_prediction, write_prediction

FILES = ("cache", "predictions", "pairs.csv", "summary.json", "curve.png")
SHAPE, COEFFICIENTS = "shape (mm)", "coefficients (1 - cosine)"
# What is compared of a neutral face: about the nose tip (iBUG 30), so many vertices at most.
_RADIUS_MM, _MOST_VERTICES, _NOSE_TIP = 80.0, 4000, 30
_SAME = {"1": True, "yes": True, "true": True, "0": False, "no": False, "false": False}
_LAYOUT = "FOLDER/PERSON/photo.jpg, or FOLDER/PERSON1.jpg, FOLDER/PERSON2.jpg, ..."


@dataclass(frozen=True)
class Identity:
    """Photos named by person: neutral faces within and between people."""

    name: ClassVar[str] = "identity"

    pairs: Path | None = None
    """CSV with a header: `a` and `b` name photos within --data, and `same`, which may be left out,
    says 1 or 0. Without it every photo is paired with every other one."""

    def list_cases(self, photos: Sequence[Path], data: Path) -> list[Case]:
        """A case a photo; its group is the person.

        Args:
            photos: files in `data`.
            data: the folder.
        """
        found = []
        for photo in photos:
            place = photo.relative_to(data)
            found.append(Case(place.as_posix(), (person_of(place),), photo))
        return found

    def save_face(self, face: FittedFace, case: Case, predictions: Path) -> None:
        """As `write_prediction` has it."""
        write_prediction(face, predictions / f"{case.name}.h5")


@dataclass(frozen=True)
class Pair:
    """Two photos."""

    a: str
    b: str
    same: bool
    """Whether they are of one person."""


@dataclass(frozen=True)
class IdentityResult:
    """What was found."""

    rows: list[Row]
    """The table: a row a measure."""
    lost: list[Outcome]
    """Photos without a fit."""
    pairs_left_out: int
    """Of such photos."""


def person_of(place: Path) -> str:
    """Whom a photo shows, by its name: the folder that it lies in, or, where it lies in none, its
    own name without the number at its end."""
    if place.parent.parts:
        return place.parent.as_posix()
    return re.sub(r"[ _-]?\d+$", "", place.stem) or place.stem


def run_identity(
    protocol: Identity,
    photos: Sequence[Path],
    data: Path,
    out: Path,
    fitter: Fitter,
    jobs: int = 1,
    progress: Progress = lambda doing, done, total: None,
) -> IdentityResult:
    """Fit what is not fitted yet, compare all pairs, and write the results to `out`.

    Args:
        protocol: which pairs.
        photos: files in `data`.
        data: the folder of the photos.
        out: folder for everything that is written.
        fitter: makes the faces from the photos.
        jobs: processes at once.
        progress: called with what is being done, how much of it is done, and of how much.

    Raises:
        InputError: names tell no pairs of both kinds, the list of pairs can't be used, the fits
            can't be compared, or `out` holds something else by a name to be written.
    """
    cases = protocol.list_cases(photos, data)
    pairs = read_pairs(protocol.pairs, cases) if protocol.pairs else all_pairs(cases)
    _check_both_kinds(pairs)
    named = {name for pair in pairs for name in (pair.a, pair.b)}
    cases = [case for case in cases if case.name in named]
    claim_folder(out, protocol.name, FILES)
    predictions = out / "predictions"
    lost = fit_cases(protocol, cases, fitter, predictions, out / "cache", jobs, progress)
    fitted = [case.name for case in cases if case.name not in lost]
    kept = [pair for pair in pairs if pair.a not in lost and pair.b not in lost]
    _check_both_kinds(kept)
    distances = _distances([predictions / f"{name}.h5" for name in fitted])
    place = {name: k for k, name in enumerate(fitted)}
    a = np.array([place[pair.a] for pair in kept])
    b = np.array([place[pair.b] for pair in kept])
    same = np.array([pair.same for pair in kept])
    of_pairs = {measure: matrix[a, b] for measure, matrix in distances.items()}
    rows = [_row(measure, values, a, b, same) for measure, values in of_pairs.items()]
    _write_pairs(out / "pairs.csv", kept, of_pairs)
    _write_summary(out / "summary.json", rows, cases, lost, len(pairs) - len(kept))
    shape = of_pairs[SHAPE]
    curves = {"one person": shape[same], "two people": shape[~same]}
    limit = float(np.ceil(np.percentile(shape, 99) + 0.5))
    write_curve(
        out / "curve.png",
        Curves("mean distance of corresponding vertices [mm]", limit, curves),
        "identity: share of the pairs below a bound",
    )
    return IdentityResult(rows, list(lost.values()), len(pairs) - len(kept))


def all_pairs(cases: Sequence[Case]) -> list[Pair]:
    """Every photo with every other one, by their people."""
    return [
        Pair(one.name, other.name, one.groups == other.groups)
        for one, other in itertools.combinations(cases, 2)
    ]


def read_pairs(path: Path, cases: Sequence[Case]) -> list[Pair]:
    """The pairs of a list.

    Raises:
        InputError: it can't be read, or names a photo that there is none of.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Can't read the pairs in {path}: {error}.") from error
    lines = csv.DictReader(io.StringIO(text))
    if not {"a", "b"} <= set(lines.fieldnames or ()):
        raise InputError(f"Expected a header with a and b in {path}, such as `a,b,same`.")
    known = {case.name: case for case in cases}
    pairs = []
    for number, line in enumerate(lines, start=2):
        a, b = ((line[end] or "").strip() for end in ("a", "b"))
        for name in (a, b):
            if name not in known:
                raise InputError(f"{path}, line {number}: there is no photo {name!r} in --data.")
        told = (line.get("same") or "").strip().lower()
        if told and told not in _SAME:
            raise InputError(f"{path}, line {number}: expected 1 or 0 for same, got {told!r}.")
        by_name = known[a].groups == known[b].groups
        pairs.append(Pair(a, b, _SAME[told] if told else by_name))
    return pairs


def _check_both_kinds(pairs: Sequence[Pair]) -> None:
    same = sum(pair.same for pair in pairs)
    if not same or same == len(pairs):
        raise InputError(
            f"Expected pairs of one person and of two people, got {same} and "
            f"{len(pairs) - same} with a fit: name photos as {_LAYOUT}, or say it in --pairs."
        )


def _distances(files: Sequence[Path]) -> dict[str, Float[np.ndarray, "photos photos"]]:
    """Of every photo from every other one, by measure."""
    faces, coefficients, rows, size = [], [], None, -1
    for file in files:
        face = read_prediction(file)
        if rows is None:
            rows, size = _compared(face), len(face.neutral_mm)
        if len(face.neutral_mm) != size:
            raise InputError("Faces can be compared where all fits have the same vertices.")
        points = face.ibug68.locate(face.neutral_mm, face.triangles)
        faces.append(NeutralFace(face.neutral_mm[rows], points))
        coefficients.append(face.coefficients)
    found = {SHAPE: shape_distances_mm(faces, faces)}
    if all(one is not None and one.any() for one in coefficients):
        stacked = np.stack(coefficients)
        found[COEFFICIENTS] = coefficient_distances(stacked, stacked)
    return found


def _compared(face: FittedFace) -> np.ndarray:
    """Rows of the vertices that are compared: those of all fits correspond."""
    nose_mm = face.ibug68.locate(face.neutral_mm, face.triangles)[_NOSE_TIP]
    near = np.flatnonzero(np.linalg.norm(face.neutral_mm - nose_mm, axis=1) < _RADIUS_MM)
    return near[:: max(1, -(-len(near) // _MOST_VERTICES))]


def _row(
    measure: str,
    distances: Float[np.ndarray, "pairs"],
    a: np.ndarray,
    b: np.ndarray,
    same: Bool[np.ndarray, "pairs"],
) -> Row:
    within, between = distances[same], distances[~same]
    firsts = []
    for photo in np.unique(np.concatenate([a, b])):
        of_photo = (a == photo) | (b == photo)
        kinds = same[of_photo]
        if kinds.any() and not kinds.all():
            firsts.append(first_of_same(distances[of_photo], kinds))
    row: Row = {
        "measure": measure,
        "within": float(within.mean()),
        "between": float(between.mean()),
        "roc_auc": roc_auc(within, between),
    }
    # Photos that were paired with both kinds can be asked who is nearest.
    if firsts:
        row |= {"rank1": float(np.mean(firsts)), "probes": len(firsts)}
    return row | {"pairs_within": len(within), "pairs_between": len(between)}


def _write_pairs(path: Path, pairs: Sequence[Pair], of_pairs: Mapping[str, np.ndarray]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = {SHAPE: "shape_mm", COEFFICIENTS: "coefficients"}
    writer.writerow(["a", "b", "same", *(columns[measure] for measure in of_pairs)])
    for k, pair in enumerate(pairs):
        values = [f"{distances[k]:.6g}" for distances in of_pairs.values()]
        writer.writerow([pair.a, pair.b, int(pair.same), *values])
    with atomic_path(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def _write_summary(
    path: Path, rows: list[Row], cases: Sequence[Case], lost: Mapping[str, Outcome], left_out: int
) -> None:
    content = {
        "format": "fit3dmm-evaluation",
        "protocol": Identity.name,
        "version": version("fit3dmm"),
        "photos": len(cases),
        "people": len({case.groups for case in cases}),
        "without_fit": {name: outcome.reason for name, outcome in sorted(lost.items())},
        "pairs_left_out": left_out,
        "table": rows,
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
