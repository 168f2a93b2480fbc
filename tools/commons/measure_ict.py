"""Measure where anatomical points lie on ICT-FaceKit's heads, and how they vary together.

ICT-FaceKit Light (MIT) is a statistical model of light-stage scans. Of it we take figures: the mean
and the 100 modes of the positions of the 68 iBUG points and of some 870 points spread over the face
between them. No mesh is taken over. Run once, with a clone of its repository:

    python tools/commons/measure_ict.py ICT-FaceKit/FaceXModel

The result is committed as ict_figures.npz, so that building Commons needs no ICT-FaceKit.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import scipy.sparse as sp

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from commons.controls import average_adult_mm
from commons.head import Head, cut_head
from commons.landmarks import build_landmarks, mediapipe_points
from commons.organs import with_things
from commons.population import PointFigures
from commons.regions import ear_quads
from commons.sources import fetch_sources, read_base_mesh
from commons.surface_points import HeadSurface, Points, head_surface, joined
from fit3dmm.geometry.nearest import NearestSurface
from fit3dmm.geometry.registration import register
from fit3dmm.geometry.subdivision import quads_to_triangles
from fit3dmm.model.formats.recognise import read_source

TABLE = Path(__file__).parent / "ict_figures.npz"
# Points on one half of the face between the anatomical ones; mirror images make it twice as many.
_N_BETWEEN = 450
# iBUG's jaw line is no anatomy: it is matched last, by the surface.
_N_JAW = 17
# A vertex that the registration leaves further away than this has no counterpart.
_MATCHED_MM = 1.0


def read_figures() -> tuple[Points, PointFigures]:
    """Points on Commons' base mesh and their figures."""
    with np.load(TABLE, allow_pickle=False) as table:
        return (
            Points(table["triangle"].astype(np.int64), table["barycentric"].astype(np.float64)),
            PointFigures(table["mean_mm"].astype(float), table["modes_mm"].astype(float)),
        )


def measure(
    head: Head,
    surface: HeadSurface,
    ibug: Points,
    mean_mm: np.ndarray,
    modes_mm: np.ndarray,
    triangles: np.ndarray,
    ibug_mm: np.ndarray,
) -> tuple[Points, PointFigures]:
    """Figures of another model's mean and modes at the points that correspond to ours.

    Args:
        mean_mm, modes_mm, triangles: the other model, (vertices, 3), (modes, vertices, 3) and its
            skin alone.
        ibug_mm: (68, 3) its own points on its mean.
    """
    base_mm = surface.vertices_mm[: head.n_base]
    skin = head.in_part("skin")
    quads = head.quads[skin[head.quads].all(axis=1)]
    corners = quads_to_triangles(head.quads)[ibug.triangle]
    rows = np.repeat(np.arange(len(ibug)), 3)
    anchors = sp.csr_matrix(
        (ibug.barycentric.ravel(), (rows, corners.ravel())), (len(ibug), len(base_mm))
    )
    target = NearestSurface(mean_mm, triangles)
    inner = slice(_N_JAW, None)
    laid = register(
        base_mm,
        quads_to_triangles(quads),
        np.where(skin, 0, -1),
        target,
        anchors[inner],
        ibug_mm[inner],
    )
    over = head_surface(head, laid.vertices_mm, ("skin",))
    matched = skin & (laid.distance_mm < _MATCHED_MM) & _face(head, base_mm)
    between = _spread(base_mm, surface.locate(ibug), matched, head)
    points = joined([over.nearest(ibug_mm), _at_vertices(head, between)])
    their = target.closest(np.concatenate([ibug_mm, laid.vertices_mm[between]]))
    at = triangles[their.triangle]
    return points, PointFigures(
        np.einsum("pkc,pk->pc", mean_mm[at], their.barycentric),
        np.einsum("mpkc,pk->mpc", modes_mm[:, at], their.barycentric),
    )


def _face(head: Head, base_mm: np.ndarray) -> np.ndarray:
    """The front two thirds of the skin: what a photo of a face shows."""
    return base_mm[:, 2] > np.percentile(base_mm[head.in_part("skin"), 2], 35)


def _spread(base_mm: np.ndarray, taken_mm: np.ndarray, allowed: np.ndarray, head: Head):
    """Base vertices as far from each other and from the taken points as possible, with mirrors."""
    candidates = np.flatnonzero(allowed & (base_mm[:, 0] > -1e-6))
    distance = np.linalg.norm(base_mm[candidates, None] - taken_mm, axis=2).min(axis=1)
    chosen = []
    for _ in range(_N_BETWEEN):
        furthest = candidates[distance.argmax()]
        chosen.append(furthest)
        away = np.linalg.norm(base_mm[candidates] - base_mm[furthest], axis=1)
        distance = np.minimum(distance, away)
    chosen = np.array(chosen)
    return np.unique(np.concatenate([chosen, head.mirror[chosen]]))


def _at_vertices(head: Head, vertices: np.ndarray) -> Points:
    triangles = quads_to_triangles(head.quads)
    triangle = np.array([np.flatnonzero((triangles == v).any(axis=1))[0] for v in vertices])
    return Points(triangle, (triangles[triangle] == vertices[:, None]).astype(float))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="ICT-FaceKit's FaceXModel folder")
    parser.add_argument("--cache", type=Path, default=Path("build/sources"))
    arguments = parser.parse_args()
    sources = fetch_sources(arguments.cache)
    mesh = read_base_mesh(sources)
    head = cut_head(mesh)
    # MediaPipe's points include the irises, which lie on the eyeballs.
    surface = head_surface(head, with_things(average_adult_mm(sources, mesh, head.bare), head))
    landmarks, _ = build_landmarks(surface, mediapipe_points(surface), ear_quads(mesh, head))
    ours = landmarks["ibug68"]
    source = read_source([arguments.source])
    their = source.stored
    # Every part that the reader tells apart lies inside the head.
    inside = np.any(list(source.own_parts.values()), axis=0)
    faces = np.asarray(their.base_faces)
    triangles = quads_to_triangles(faces) if faces.shape[1] == 4 else faces
    ibug = their.landmarks["ibug68"]
    ibug_mm = np.einsum("pk,pkc->pc", ibug.barycentric, their.mean_mm[triangles[ibug.triangle]])
    points, figures = measure(
        head,
        surface,
        Points(ours.triangle, ours.barycentric),
        np.asarray(their.mean_mm, dtype=np.float64),
        np.asarray(their.identity_basis_mm, dtype=np.float64),
        triangles[~inside[triangles].any(axis=1)],
        ibug_mm,
    )
    np.savez_compressed(
        TABLE,
        triangle=points.triangle.astype(np.uint16),
        barycentric=points.barycentric.astype(np.float32),
        mean_mm=figures.mean_mm.astype(np.float32),
        modes_mm=figures.modes_mm.astype(np.float16),
    )
    print(f"{len(points)} points, {len(figures.modes_mm)} modes -> {TABLE.name}")


if __name__ == "__main__":
    main()
