"""FaceWarehouse: photos of testers against registered meshes."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from fit3dmm._errors import InputError
from fit3dmm.evaluate.mesh_files import read_mesh
from fit3dmm.evaluate.now_error import face_axes
from fit3dmm.evaluate.predictions import read_mesh_and_landmarks
from fit3dmm.evaluate.protocol import Case, Score, require_path
from fit3dmm.evaluate.surface_error import score_of, surface_error
from fit3dmm.evaluate.surface_protocol import SurfaceProtocol
from fit3dmm.geometry.alignment import solve_similarity
from fit3dmm.geometry.triangle_mesh import Mesh

LAYOUT = """\
  DATA/Tester_1/TrainingPose/pose_0.obj pose_0.png ... pose_19.obj pose_19.png
  DATA/landmark_vertices.txt          (8 vertex numbers from 0: NoW's seven points, the nose tip)
  DATA/mask.txt                       (vertex numbers from 0 that count; or give --radius-mm)
  PREDICTIONS/Tester_1/pose_0.obj     (or .ply) and pose_0.npy (or .txt): the seven points"""


@dataclass(frozen=True)
class FaceWarehouse(SurfaceProtocol):
    """FaceWarehouse: similarity ICP and distances within a mask or sphere."""

    name: ClassVar[str] = "facewarehouse"

    unit_mm: float
    """Millimetres in the meshes' unit: the set does not say, and errors are reported in mm."""
    mask: Path | None = None
    """Vertices that count, one number from 0 a line; without it mask.txt of the set."""
    radius_mm: float | None = None
    """Use a sphere about the nose tip in place of a mask."""

    def list_cases(self, data: Path) -> list[Case]:
        """One case a mesh of a pose."""
        if not self.unit_mm > 0:
            raise InputError(f"Expected --unit-mm above 0, got {self.unit_mm}.")
        points = require_path(data, "landmark_vertices.txt", LAYOUT)
        truth: tuple[Path, ...] = (points,)
        if self.radius_mm is None:
            truth += (self.mask or require_path(data, "mask.txt", LAYOUT),)
        cases = []
        meshes = sorted(data.glob("Tester_*/TrainingPose/pose_*.obj"), key=_tester_and_pose)
        for mesh in meshes:
            photo = next(
                (p for s in (".png", ".jpg") if (p := mesh.with_suffix(s)).is_file()), None
            )
            group = "neutral" if mesh.stem == "pose_0" else "expression"
            name = f"{mesh.parts[-3]}/{mesh.stem}"
            cases.append(Case(name, (group,), photo, (mesh, *truth)))
        if not cases:
            raise InputError(f"There are no meshes in {data}; expected this layout:\n{LAYOUT}")
        return cases

    def score(self, case: Case, files: tuple[Path, ...]) -> Score:
        """Errors inside the mask; also between equal vertices, where the topologies are equal."""
        raw = read_mesh(case.truth[0])
        truth = Mesh(raw.vertices * self.unit_mm, raw.triangles)
        rows = _read_rows(case.truth[1], len(truth.vertices))
        if len(rows) != 8:
            raise InputError(f"Expected 8 vertex numbers in {case.truth[1]}, got {len(rows)}.")
        points = truth.vertices[rows]
        if self.radius_mm is None:
            inside = np.zeros(len(truth.vertices), dtype=bool)
            inside[_read_rows(case.truth[2], len(inside))] = True
        else:
            inside = np.linalg.norm(truth.vertices - points[7], axis=1) <= self.radius_mm
        prediction, predicted_points = read_mesh_and_landmarks(files)
        error = surface_error(truth, inside, points[:7], prediction, predicted_points)
        score = score_of(error, face_axes(points[:7]))
        if len(prediction.vertices) == len(truth.vertices):
            pairs = prediction.vertices[inside], truth.vertices[inside]
            moved = solve_similarity(*pairs) @ pairs[0]
            score.numbers["corresponding_mm"] = float(
                np.linalg.norm(moved - pairs[1], axis=1).mean()
            )
        return score


def _read_rows(path: Path, n_vertices: int) -> np.ndarray:
    if not path.is_file():
        raise InputError(f"There is no {path}; expected vertex numbers from 0, one a line.")
    words = path.read_text(encoding="utf-8").split()
    if not words or not all(word.isdigit() for word in words):
        raise InputError(f"Expected vertex numbers from 0 in {path}, one a line.")
    rows = np.array(words, dtype=np.int64)
    if rows.max() >= n_vertices:
        raise InputError(f"{path} names vertex {rows.max()}, but the mesh has {n_vertices}.")
    return rows


def _tester_and_pose(path: Path) -> tuple[int, int, str]:
    """Numbers sort as numbers: pose_2 before pose_10."""
    tester, pose = path.parts[-3].rpartition("_")[2], path.stem.rpartition("_")[2]
    return (
        int(tester) if tester.isdigit() else 0,
        int(pose) if pose.isdigit() else 0,
        str(path),
    )
