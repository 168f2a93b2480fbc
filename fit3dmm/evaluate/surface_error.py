"""Surface error of MICC Florence, FaceWarehouse and BU-3DFE: crop, similarity, distances both ways.

The papers (A. T. Tran et al., CVPR 2017; K. Genova et al., CVPR 2018; Y. Deng et al., CVPRW 2019)
say "ICP with isotropic scale" and "point-to-plane distance", but neither which surface is measured
from which, nor whose plane. All variants are computed and named, so that a number can be compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from fit3dmm._errors import InputError
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
    scored,
)
from fit3dmm.evaluate.refine import refine_alignment
from fit3dmm.geometry.alignment import solve_similarity
from fit3dmm.geometry.closest_point import closest_points, index_surface
from fit3dmm.geometry.subdivision import unique_edges
from fit3dmm.geometry.transform import Similarity
from fit3dmm.geometry.triangle_mesh import Mesh, keep_vertices, triangle_normals, vertex_normals

VARIANTS = ("truth_plane", "prediction_plane", "surface")
"""Distance along the truth's normal, along the prediction's normal, and to the nearest point."""

_ALONG = {
    "truth_plane": "truth's normal",
    "prediction_plane": "prediction's normal",
    "surface": "shortest way",
}

DIRECTIONS = ("truth_to_prediction", "prediction_to_truth")

HEADLINE = "truth_to_prediction_truth_plane_mm"
"""The variant of the tables: from every cropped vertex of the truth, along its normal."""


@dataclass(frozen=True)
class Direction:
    """Distances measured from the vertices of one surface to the other, in mm."""

    truth_plane: Float[np.ndarray, "points"]
    prediction_plane: Float[np.ndarray, "points"]
    surface: Float[np.ndarray, "points"]


@dataclass(frozen=True)
class SurfaceError:
    """What was measured, and where the prediction came to lie."""

    truth_to_prediction: Direction
    prediction_to_truth: Direction
    T_truth_prediction: Similarity
    crop: Mesh
    """The part of the truth that counted."""


def surface_error(
    truth_mm: Mesh,
    inside: Bool[np.ndarray, "vertices"],
    truth_landmarks_mm: Float[np.ndarray, "points 3"],
    prediction: Mesh,
    predicted_landmarks: Float[np.ndarray, "points 3"],
    *,
    with_scale: bool = True,
) -> SurfaceError:
    """Align by landmarks, refine on the crop's vertices, and measure both ways.

    The way from the prediction counts a predicted vertex only if its nearest point on the whole
    truth lies inside the crop, not on the scan's rim, and both surfaces face the same way there:
    the back of a predicted head has no counterpart.

    Args:
        truth_mm: the whole scan.
        inside: which of its vertices count.
        truth_landmarks_mm: points of the scan.
        prediction: in any frame and unit.
        predicted_landmarks: the same points of the prediction.
        with_scale: also fit the size.

    Raises:
        InputError: nothing lies inside the crop, or the landmarks are unusable.
    """
    kept = np.flatnonzero(inside)
    if len(kept) == 0:
        raise InputError(
            "No vertex of the scan lies inside the crop; expected scan and landmarks in the same "
            "frame, in mm."
        )
    crop = keep_vertices(truth_mm, kept)
    start = solve_similarity(predicted_landmarks, truth_landmarks_mm, with_scale=with_scale)
    refined = refine_alignment(
        index_surface(prediction.vertices, prediction.triangles),
        crop.vertices,
        start,
        with_scale=with_scale,
    )
    moved = Mesh(refined.T_scan_mesh @ prediction.vertices, prediction.triangles)
    moved_normals = triangle_normals(moved)

    gap = crop.vertices - refined.nearest
    towards = _measured(gap, vertex_normals(truth_mm)[kept], moved_normals[refined.triangle])
    back = _from_prediction(truth_mm, inside, moved)
    return SurfaceError(towards, back, refined.T_scan_mesh, crop)


def _from_prediction(truth: Mesh, inside: np.ndarray, moved: Mesh) -> Direction:
    nearest = closest_points(index_surface(truth.vertices, truth.triangles), moved.vertices)
    normals, truth_normals = vertex_normals(moved), triangle_normals(truth)[nearest.triangle]
    inner = inside[truth.triangles].all(axis=1) & ~_at_rim(truth)
    counts = inner[nearest.triangle] & ((normals * truth_normals).sum(axis=1) > 0)
    gap = moved.vertices[counts] - nearest.points[counts]
    return _measured(gap, truth_normals[counts], normals[counts])


def _measured(gap: np.ndarray, truth_normals: np.ndarray, predicted_normals: np.ndarray):
    return Direction(
        truth_plane=np.abs((gap * truth_normals).sum(axis=1)),
        prediction_plane=np.abs((gap * predicted_normals).sum(axis=1)),
        surface=np.linalg.norm(gap, axis=1),
    )


def _at_rim(mesh: Mesh) -> Bool[np.ndarray, "triangles"]:
    """Triangles with an edge that no other triangle has."""
    _, edge_of_side, uses = unique_edges(mesh.triangles)
    return (uses[edge_of_side] == 1).any(axis=1)


def score_of(error: SurfaceError, axes: Float[np.ndarray, "3 3"]) -> Score:
    """Means of all variants, and a picture along the axes."""
    numbers: dict[str, int | float] = {}
    for direction in DIRECTIONS:
        for variant in VARIANTS:
            values = getattr(getattr(error, direction), variant)
            numbers[f"{direction}_{variant}_mm"] = float(values.mean()) if len(values) else np.nan
    numbers["truth_points"] = len(error.truth_to_prediction.surface)
    numbers["prediction_points"] = len(error.prediction_to_truth.surface)
    numbers["scale"] = float(error.T_truth_prediction.scale)
    picture = SurfacePicture(
        error.crop.vertices @ axes.T, error.crop.triangles, error.truth_to_prediction.truth_plane
    )
    return Score(numbers, picture=picture)


def sphere_score(
    scan_mm: Mesh,
    points8_mm: Float[np.ndarray, "8 3"],
    prediction: Mesh,
    predicted_landmarks7: Float[np.ndarray, "7 3"],
    radius_mm: float,
    *,
    with_scale: bool,
) -> Score:
    """Score within a sphere about the nose tip, the last of eight points.

    Args:
        scan_mm: the truth.
        points8_mm: NoW's seven points on it and the tip of the nose.
        prediction: in any frame and unit.
        predicted_landmarks7: NoW's seven points on it.
        radius_mm: of the sphere.
        with_scale: whether the prediction is scaled when it is aligned.

    Raises:
        InputError: as `surface_error`.
    """
    inside = np.linalg.norm(scan_mm.vertices - points8_mm[7], axis=1) <= radius_mm
    error = surface_error(
        scan_mm,
        inside,
        points8_mm[:7],
        prediction,
        predicted_landmarks7,
        with_scale=with_scale,
    )
    return score_of(error, face_axes(points8_mm[:7]))


def summarise_units(
    outcomes: Sequence[Outcome], unit_of: dict[str, str] | None = None
) -> list[Row]:
    """Mean and std over units, for all and each group, for every direction and variant.

    Args:
        outcomes: of all cases.
        unit_of: case name to the unit, such as a video, whose cases are averaged first; None
            takes each case for itself.
    """
    rows: list[Row] = []
    for group in (None, *group_names(outcomes)):
        have = scored(outcomes, group)
        counts = count_statuses(outcomes, group)
        for direction in DIRECTIONS:
            for variant in VARIANTS:
                row: Row = {
                    "group": group or "all",
                    "from": direction.partition("_")[0],
                    "along": _ALONG[variant],
                    **counts,
                }
                values = _unit_means(have, f"{direction}_{variant}_mm", unit_of)
                if len(values):
                    row |= {"mean_mm": float(values.mean()), "std_mm": float(values.std())}
                rows.append(row)
    return rows


def _unit_means(have: Sequence[tuple[Case, Score]], number: str, unit_of: dict[str, str] | None):
    units: dict[str, list[float]] = {}
    for case, score in have:
        unit = case.name if unit_of is None else unit_of[case.name]
        units.setdefault(unit, []).append(score.numbers[number])
    return np.array([np.mean(values) for values in units.values()])


def surface_curves(outcomes: Sequence[Outcome]) -> Curves:
    """Of the cases' headline errors: all, and each group."""
    values = {
        group or "all": np.array([s.numbers[HEADLINE] for _, s in scored(outcomes, group)])
        for group in (None, *group_names(outcomes))
    }
    return Curves("point-to-plane error of a case [mm]", 5.0, values)
