"""Any two meshes: how far one lies from the other, aligned or as they are."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import torch

from fit3dmm._errors import InputError
from fit3dmm._files import atomic_path
from fit3dmm.evaluate.contact_sheet import draw_surface
from fit3dmm.evaluate.curve import write_curve
from fit3dmm.evaluate.landmark_files import read_landmarks
from fit3dmm.evaluate.mesh_files import read_mesh
from fit3dmm.evaluate.now_error import face_axes, face_sphere
from fit3dmm.evaluate.own_folder import check_folder, claim_folder
from fit3dmm.evaluate.protocol import Curves, Row, SurfacePicture
from fit3dmm.evaluate.refine import refine_alignment
from fit3dmm.evaluate.statistics import describe_errors
from fit3dmm.geometry.alignment import solve_similarity
from fit3dmm.geometry.closest_point import closest_points, index_surface
from fit3dmm.geometry.transform import Similarity
from fit3dmm.geometry.triangle_mesh import Mesh, keep_vertices

_MOST_TIMES = 10
"""Meshes whose sizes differ more are in different units."""

_FILES = ("summary.json", "curve.png", "errors.png")
Alignment: TypeAlias = Literal["similarity", "rigid", "none"]


@dataclass(frozen=True)
class MeshPair:
    """Distance between two meshes, both ways."""

    truth: Path
    """The mesh that is right; distances are in its unit, taken to be mm."""
    prediction: Path
    """The mesh that is judged."""
    out: Path
    """Folder for the results."""
    align: Alignment = "similarity"
    """What is fitted first: position, rotation and size; all but the size; or nothing."""
    truth_landmarks: Path | None = None
    """Points of the truth to start the alignment from. Without both lists it starts from where the
    meshes lie, or, where they lie apart or differ ten times in size, from one box on the other."""
    prediction_landmarks: Path | None = None
    """The same points of the prediction."""
    now_crop: bool = False
    """Count only the part of the truth that NoW counts; needs NoW's seven landmarks."""


@dataclass(frozen=True)
class PairResult:
    """What was measured."""

    rows: list[Row]
    """A row a direction."""
    T_truth_prediction: Similarity
    """Prediction to truth."""


def compare_meshes(pair: MeshPair) -> PairResult:
    """Measure a pair and write summary.json, curve.png and errors.png to its folder.

    Raises:
        InputError: a file is unusable, the options do not fit together, or `out` holds something
            else by a name to be written.
    """
    truth, prediction = read_mesh(pair.truth), read_mesh(pair.prediction)
    points = _landmarks(pair)
    inside = np.ones(len(truth.vertices), dtype=bool)
    if pair.now_crop:
        if points is None or len(points[0]) != 7:
            raise InputError("--now-crop needs the seven landmarks of NoW for both meshes.")
        centre, radius = face_sphere(points[0])
        inside = np.linalg.norm(truth.vertices - centre, axis=1) <= radius
    part = keep_vertices(truth, np.flatnonzero(inside))
    if len(part.vertices) == 0:
        raise InputError("Nothing of the truth lies within the crop; are its landmarks its own?")
    check_folder(pair.out, "mesh-pair", _FILES)
    T_truth_prediction = _align(pair.align, part, prediction, points)
    surface = index_surface(prediction.vertices, prediction.triangles)
    there = closest_points(surface, T_truth_prediction.inverse() @ part.vertices).distance
    there = there * float(T_truth_prediction.scale)
    moved = Mesh(T_truth_prediction @ prediction.vertices, prediction.triangles)
    errors = {"truth to prediction": there}
    if len(truth.triangles):
        back = closest_points(index_surface(truth.vertices, truth.triangles), moved.vertices)
        counts = np.all(inside[truth.triangles], axis=1)[back.triangle]
        if counts.any():
            errors["prediction to truth"] = back.distance[counts]
    rows: list[Row] = [
        {"direction": name, **describe_errors(values).as_dict()} for name, values in errors.items()
    ]
    _write(pair, rows, T_truth_prediction, errors, part, points, there)
    return PairResult(rows, T_truth_prediction)


def _align(align: Alignment, part: Mesh, prediction: Mesh, points) -> Similarity:
    if align == "none":
        return Similarity.identity(dtype=torch.float64)
    with_scale = align == "similarity"
    if points is not None:
        start = solve_similarity(points[1], points[0], with_scale=with_scale)
    else:
        start = _start_without_landmarks(part.vertices, prediction.vertices, with_scale)
    surface = index_surface(prediction.vertices, prediction.triangles)
    return refine_alignment(surface, part.vertices, start, with_scale=with_scale).T_scan_mesh


def _start_without_landmarks(
    truth: np.ndarray, prediction: np.ndarray, with_scale: bool
) -> Similarity:
    """Where the meshes lie, if they lie on each other; else the middle of one box on the other's.

    Far from the surface all its points are about as near, and the nearest ones say nothing.
    """
    low, high = (np.stack([f(truth, axis=0), f(prediction, axis=0)]) for f in (np.min, np.max))
    size = np.linalg.norm(high - low, axis=1).clip(min=1e-300)
    middle = (low + high) / 2
    apart = (low.max(axis=0) > high.min(axis=0)).any()
    if not apart and 1 / _MOST_TIMES < size[0] / size[1] < _MOST_TIMES:
        return Similarity.identity(dtype=torch.float64)
    scale = size[0] / size[1] if with_scale else 1.0
    shift = torch.from_numpy(middle[0] - scale * middle[1])
    return Similarity.identity(dtype=torch.float64).replace(
        translation=shift, scale=shift.new_tensor(scale)
    )


def _landmarks(pair: MeshPair):
    files = (pair.truth_landmarks, pair.prediction_landmarks)
    if files == (None, None):
        return None
    if files[0] is None or files[1] is None:
        raise InputError("Expected landmarks of both meshes or of neither.")
    truth = read_landmarks(files[0], None)
    return truth, read_landmarks(files[1], len(truth))


def _write(
    pair: MeshPair, rows, T_truth_prediction: Similarity, errors, part, points, there
) -> None:
    summary = {
        "format": "fit3dmm-mesh-pair-1",
        "align": pair.align,
        "unit": "that of the truth",
        "table": rows,
        "prediction_to_truth": {
            "scale": float(T_truth_prediction.scale),
            "rotation": T_truth_prediction.rotation.tolist(),
            "translation": T_truth_prediction.translation.tolist(),
        },
    }
    claim_folder(pair.out, "mesh-pair", _FILES)
    with atomic_path(pair.out / "summary.json") as temporary:
        temporary.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    limit = max(1.0, float(np.percentile(there, 99)))
    curves = Curves("distance [unit of the truth]", limit, errors)
    write_curve(pair.out / "curve.png", curves, "share of the vertices below a bound")
    axes = face_axes(points[0]) if points is not None and len(points[0]) == 7 else np.eye(3)
    picture = SurfacePicture(part.vertices @ axes.T, part.triangles, there)
    with atomic_path(pair.out / "errors.png") as temporary:
        draw_surface(picture, 800).save(temporary)
