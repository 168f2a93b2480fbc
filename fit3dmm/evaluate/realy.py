"""REALY: its folders, its table, its result file. The error is in `realy_error`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from fit3dmm._errors import InputError
from fit3dmm._files import atomic_path
from fit3dmm.evaluate.fitter import FittedFace
from fit3dmm.evaluate.mesh_files import find_mesh, read_mesh, read_mesh_once
from fit3dmm.evaluate.now_error import face_axes
from fit3dmm.evaluate.protocol import (
    Case,
    Curves,
    Outcome,
    Row,
    Score,
    SurfacePicture,
    count_statuses,
    group_names,
    require_path,
    scored,
)
from fit3dmm.evaluate.realy_error import REGIONS, align_globally, keypoints_on, region_error
from fit3dmm.geometry.obj_files import write_obj
from fit3dmm.geometry.surface_points import SurfacePoints
from fit3dmm.geometry.triangle_mesh import Mesh
from fit3dmm.model.landmarks import NOW7_IN_IBUG68

LAYOUT = """\
  DATA/REALY_scan_region/ID/nose.obj mouth.obj forehead.obj cheek.obj
  DATA/REALY_HIFI3D_keypoints/ID.obj              (85 vertices)
  DATA/metrical_scale.txt                         (line ID holds that scan's factor)
  DATA/images/ID.jpg ID_K.jpg                     (needed to fit, and to list the side views)
  PREDICTIONS/ID.obj ID_K.obj                     (all in one topology, with the expression)
  PREDICTIONS/template.txt                        (85 of [triangle, w0, w1], JSON)"""


@dataclass(frozen=True)
class Realy:
    """REALY: four regions of 100 scans, aligned one by one; frontal and side views."""

    name: ClassVar[str] = "realy"
    worst_by: ClassVar[str] = "all_mm"

    template: Path | None = None
    """Keypoints of the predictions' topology; without it template.txt among the predictions."""

    def list_cases(self, data: Path) -> list[Case]:
        """One case a picture; the frontal ones alone where the set comes without pictures."""
        regions = require_path(data, "REALY_scan_region", LAYOUT)
        keypoints = require_path(data, "REALY_HIFI3D_keypoints", LAYOUT)
        scale = require_path(data, "metrical_scale.txt", LAYOUT)
        scans = sorted((p for p in regions.iterdir() if p.is_dir()), key=lambda p: _number(p.name))
        names: dict[str, Path | None] = {scan.name: None for scan in scans}
        for suffix in ("jpg", "jpeg", "png"):
            names |= {p.stem: p for p in sorted((data / "images").glob(f"*.{suffix}"))}
        cases = []
        for name in sorted(names, key=_number_and_view):
            scan = name.split("_")[0]
            truth = [regions / scan / f"{region}.obj" for region in REGIONS]
            truth += [keypoints / f"{scan}.obj", scale]
            lost = [path for path in truth if not path.is_file()]
            if lost:
                raise InputError(f"There is no {lost[0]}; expected this layout:\n{LAYOUT}")
            view = "side" if "_" in name else "frontal"
            cases.append(Case(name, (view,), names[name], tuple(truth), _number(scan) - 1))
        return cases

    def find_prediction(self, case: Case, predictions: Path) -> tuple[Path, ...]:
        """Mesh and the keypoints of its topology."""
        template = self.template or predictions / "template.txt"
        if not template.is_file():
            raise InputError(
                f"There is no {template}: REALY needs the 85 keypoints of the predictions' "
                f"topology; expected this layout:\n{LAYOUT}"
            )
        mesh = find_mesh(predictions / case.name)
        return (mesh, template) if mesh is not None else ()

    def save_face(self, face: FittedFace, case: Case, predictions: Path) -> None:
        """The expressive mesh, as the pictures are compared with the scan taken with them."""
        if face.keypoints85 is None:
            raise InputError("REALY needs the 85 keypoints of a model, and this fitter has none.")
        write_obj(predictions / f"{case.name}.obj", Mesh(face.expressive_mm, face.triangles))
        with atomic_path(predictions / "template.txt") as temporary:
            temporary.write_text(_template_text(face.keypoints85), encoding="ascii")

    def score(self, case: Case, files: tuple[Path, ...]) -> Score:
        """Error of each region, and their mean."""
        scan_keypoints = read_mesh(case.truth[4]).vertices
        if len(scan_keypoints) != 85:
            raise InputError(f"Expected 85 points in {case.truth[4]}, got {len(scan_keypoints)}.")
        unit_mm = _scale_of(case.truth[5], case.row)
        prediction, points = read_mesh(files[0]), read_template(files[1])
        keypoints = keypoints_on(prediction, points.triangle, points.barycentric)
        vertices, keypoints = align_globally(prediction.vertices, keypoints, scan_keypoints)
        aligned = Mesh(vertices, prediction.triangles)
        numbers: dict[str, int | float] = {}
        parts, distances = [], []
        for region, path in zip(REGIONS, case.truth, strict=False):
            scan = read_mesh_once(path)
            found = region_error(region, scan, scan_keypoints, aligned, keypoints, unit_mm)
            numbers[f"{region}_mm"] = found.error_mm
            parts.append(scan)
            distances.append(found.distances_mm)
        numbers["all_mm"] = float(np.mean(list(numbers.values())))
        whole = _joined(parts)
        axes = face_axes(scan_keypoints[list(NOW7_IN_IBUG68)])
        return Score(
            numbers,
            picture=SurfacePicture(
                whole.vertices @ axes.T, whole.triangles, np.concatenate(distances)
            ),
        )

    def summarise(self, outcomes: Sequence[Outcome]) -> list[Row]:
        """Mean, median and sample std of each region, a row each, for each view; and their mean."""
        rows: list[Row] = []
        for view in group_names(outcomes):
            counts = count_statuses(outcomes, view)
            have = scored(outcomes, view)
            if not have:
                rows.append({"view": view, "region": "all", **counts})
                continue
            means = []
            for region in REGIONS:
                values = np.array([score.numbers[f"{region}_mm"] for _, score in have])
                means.append(float(values.mean()))
                rows.append(
                    {
                        "view": view,
                        "region": region,
                        **counts,
                        "mean_mm": means[-1],
                        "median_mm": float(np.median(values)),
                        "std_mm": float(values.std(ddof=1)) if len(values) > 1 else 0.0,
                    }
                )
            rows.append({"view": view, "region": "all", **counts, "mean_mm": float(np.mean(means))})
        return rows

    def curves(self, outcomes: Sequence[Outcome]) -> Curves:
        """Of the cases' errors, by view and region."""
        values = {
            f"{view} {region}": np.array(
                [score.numbers[f"{region}_mm"] for _, score in scored(outcomes, view)]
            )
            for view in group_names(outcomes)
            for region in (*REGIONS, "all")
        }
        return Curves("error of a case [mm]", 5.0, values)

    def write_submission(self, outcomes: Sequence[Outcome], predictions: Path, out: Path) -> str:
        """The authors' result file, one a view."""
        for view in group_names(outcomes):
            with atomic_path(out / view / "REALY_error.txt") as temporary:
                temporary.write_text(realy_error_text(scored(outcomes, view)), encoding="ascii")
        return (
            f"REALY_error.txt of each view is in {out}; send it with the meshes of {predictions}."
        )


def realy_error_text(have: Sequence[tuple[Case, Score]]) -> str:
    """The authors' format: name, empty field, nine characters a region; sorted by number."""
    ordered = sorted(have, key=lambda pair: int(pair[0].name.replace("_", "")))
    lines = [
        "\t".join([case.name, "", *(str(score.numbers[f"{region}_mm"])[:9] for region in REGIONS)])
        for case, score in ordered
    ]
    return "".join(line + "\n" for line in lines)


def read_template(path: Path) -> SurfacePoints[np.ndarray]:
    """85 rows of [triangle, w0, w1] from 0; the third weight is the rest.

    Raises:
        InputError: the file is not such a list.
    """
    try:
        rows = np.array(json.loads(path.read_text(encoding="utf-8")), dtype=np.float64)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"Can't read the keypoints {path}: {error}.") from error
    if rows.shape != (85, 3) or not np.isfinite(rows).all():
        raise InputError(f"Expected 85 rows of [triangle, w0, w1] in {path}, got {rows.shape}.")
    weights = np.concatenate([rows[:, 1:], 1 - rows[:, 1:].sum(axis=1, keepdims=True)], axis=1)
    return SurfacePoints(rows[:, 0].astype(np.int64), weights)


def _template_text(points: SurfacePoints[np.ndarray]) -> str:
    rows = zip(points.triangle.tolist(), points.barycentric[:, :2].tolist(), strict=True)
    return json.dumps([[triangle, *weights] for triangle, weights in rows])


def _scale_of(path: Path, row: int) -> float:
    words = path.read_text(encoding="utf-8").split()
    try:
        scale = float(words[row])
    except (IndexError, ValueError) as error:
        raise InputError(f"Expected a number for scan {row + 1} in {path}, one a line.") from error
    if row < 0 or not scale > 0:
        raise InputError(f"Expected a positive factor for scan {row + 1} in {path}, got {scale}.")
    return scale


def _number(scan: str) -> int:
    if not scan.isdigit():
        raise InputError(f"Expected scans named by numbers, got {scan!r}; layout:\n{LAYOUT}")
    return int(scan)


def _number_and_view(name: str) -> tuple[int, str]:
    return _number(name.split("_")[0]), name


def _joined(parts: Sequence[Mesh]) -> Mesh:
    first = np.cumsum([0, *(len(part.vertices) for part in parts)])
    return Mesh(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate([part.triangles + n for part, n in zip(parts, first, strict=False)]),
    )
