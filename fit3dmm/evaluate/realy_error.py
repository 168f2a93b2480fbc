"""REALY's error: align each region on its own, deform the scan's region onto the face, measure.

Z. Chai, H. Zhang, J. Ren, D. Kang, Z. Xu, X. Zhe, C. Yuan, L. Bao, "REALY: Rethinking the
evaluation of 3D face reconstruction", ECCV 2022. The order of steps, the weights and the stopping
rules follow the authors' published procedure, because the numbers depend on them.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.spatial import KDTree

from fit3dmm._errors import InputError
from fit3dmm.evaluate.nonrigid import Deformation
from fit3dmm.geometry.alignment import solve_similarity
from fit3dmm.geometry.closest_point import closest_points, index_surface
from fit3dmm.geometry.subdivision import unique_edges
from fit3dmm.geometry.transform import Similarity
from fit3dmm.geometry.triangle_mesh import Mesh
from fit3dmm.model.landmarks import NOW7_IN_IBUG68

REGIONS = ("nose", "mouth", "forehead", "cheek")

_MOUTH = (*range(48, 61), 64)
_NOSE = tuple(range(27, 36))
_FOREHEAD = (*range(36, 48), *range(17, 27))

ALIGNING_KEYPOINTS: dict[str, tuple[int, ...]] = {
    "nose": (*_NOSE, 70, 71),
    "mouth": _MOUTH,
    "forehead": _FOREHEAD,
    "cheek": (*_MOUTH, 76, 77, 36, 41, 40, 39, 42, 47, 46, 45, 7, 8, 9),
}
"""Which of the 85 points join a region's rigid alignment; 0 to 67 are iBUG's."""

DEFORMING_KEYPOINTS: dict[str, tuple[int, ...]] = {
    "nose": _NOSE,
    "mouth": _MOUTH,
    "forehead": _FOREHEAD,
    "cheek": (),
}
"""Which of them guide a region's deformation."""

# As in the authors' procedure. rICP: most steps, and the change of the mean squared distance, in
# the scan's unit, at which it ends. bICP: most steps of a stage, and the change of all transforms
# (norm of their difference) at which the first stage ends; each later one ends at half of it.
_RIGID_STEPS = 100
_RIGID_TOLERANCE_SQUARED = 1e-6
_STEPS_A_STAGE = 11
_CHANGE_TOLERANCE = 1.0


@dataclass(frozen=True)
class RegionError:
    """One region of one prediction."""

    error_mm: float
    """Mean distance; the authors call it NMSE."""
    distances_mm: Float[np.ndarray, "region"]
    """Of each vertex of the scan's region to the point that corresponds to it."""
    aligned: Float[np.ndarray, "vertices 3"]
    """The prediction aligned to this region, in the scan's unit."""


def align_globally(
    vertices: Float[np.ndarray, "vertices 3"],
    keypoints: Float[np.ndarray, "85 3"],
    scan_keypoints: Float[np.ndarray, "85 3"],
) -> tuple[Float[np.ndarray, "vertices 3"], Float[np.ndarray, "85 3"]]:
    """Step 1, gICP: the similarity of seven points, with the scale of summed absolute values."""
    rows = list(NOW7_IN_IBUG68)
    T_scan_prediction = solve_similarity_l1(keypoints[rows], scan_keypoints[rows])
    return T_scan_prediction @ vertices, T_scan_prediction @ keypoints


def solve_similarity_l1(
    source: Float[np.ndarray, "points 3"], target: Float[np.ndarray, "points 3"]
) -> Similarity:
    """REALY's variant: its scale is the ratio of summed absolute coordinates, not least squares.

    The rotation is the least-squares one with the determinant left free.

    Raises:
        InputError: as for `solve_similarity`.
    """
    turn = solve_similarity(source, target, with_scale=False, may_mirror=True)
    offset = turn @ source - (turn @ source).mean(axis=0)
    scale = float(np.abs(target - target.mean(axis=0)).sum() / np.abs(offset).sum())
    grown = turn.replace(scale=torch.full_like(turn.scale, scale))
    shift = target.mean(axis=0) - (grown @ source).mean(axis=0)
    return grown.replace(translation=grown.translation + torch.from_numpy(shift))


def region_error(
    region: str,
    scan: Mesh,
    scan_keypoints: Float[np.ndarray, "85 3"],
    prediction: Mesh,
    keypoints: Float[np.ndarray, "85 3"],
    unit_mm: float,
) -> RegionError:
    """Steps 2 to 4 for one region of a globally aligned prediction.

    Args:
        region: one of `REGIONS`.
        scan: the region's part of the scan.
        scan_keypoints: the scan's 85 points.
        prediction: the whole predicted surface after step 1.
        keypoints: its 85 points after step 1.
        unit_mm: millimetres in the scan's unit, the set's metrical scale.

    Raises:
        InputError: the region has no triangle or is not one connected piece.
    """
    aligned, moved = _align_to_region(region, scan, scan_keypoints, prediction, keypoints)
    surface = index_surface(aligned, prediction.triangles)
    targets = closest_points(surface, scan.vertices).points
    deformed = _deform(region, scan, scan_keypoints, targets, moved)
    corresponding = closest_points(surface, deformed).points
    distances = np.linalg.norm(corresponding - scan.vertices, axis=1) * unit_mm
    return RegionError(float(distances.mean()), distances, aligned)


def _align_to_region(region, scan: Mesh, scan_keypoints, prediction: Mesh, keypoints):
    """Step 2, rICP: rigid, from the whole surface and the region's keypoints, evenly weighted."""
    rows = list(ALIGNING_KEYPOINTS[region])
    repeats = len(scan.vertices) / len(rows)
    if region == "cheek":
        repeats /= 4
    wanted = np.repeat(scan_keypoints[rows], int(repeats), axis=0)
    target = np.concatenate([scan.vertices, wanted])
    surface = index_surface(prediction.vertices, prediction.triangles)
    T_scan_prediction = Similarity.identity(dtype=torch.float64)
    before = 0.0
    for _ in range(_RIGID_STEPS):
        # The surface stays and the scan goes to it: a rigid motion keeps nearest points nearest.
        found = closest_points(surface, T_scan_prediction.inverse() @ scan.vertices)
        own = np.repeat(T_scan_prediction @ keypoints[rows], int(repeats), axis=0)
        source = np.concatenate([T_scan_prediction @ found.points, own])
        step = solve_similarity(source, target, with_scale=False, may_mirror=True)
        error = float(((step @ source - target) ** 2).sum(axis=1).mean())
        if abs(error - before) < _RIGID_TOLERANCE_SQUARED:
            break  # the authors leave this last step out
        before, T_scan_prediction = error, step @ T_scan_prediction
    return T_scan_prediction @ prediction.vertices, T_scan_prediction @ keypoints


def _deform(region, scan: Mesh, scan_keypoints, targets, keypoints):
    """Step 3, bICP: bend the scan's region onto its targets, ever less stiff."""
    rows = list(DEFORMING_KEYPOINTS[region])
    guides, guided_to = _guides(scan.vertices, scan_keypoints[rows], keypoints[rows])
    bend = Deformation(len(scan.vertices), unique_edges(scan.triangles)[0])
    tree = KDTree(targets)
    source = scan.vertices
    change, count = np.inf, 0
    before = np.zeros((4 * len(source), 3))
    if rows:
        weight, target = _pulls(len(source), guides, guided_to, 50.0)
        affine = bend.solve(source, 150.0, np.array([2.0, 2, 3, 2]), weight, target)
        change = float(np.linalg.norm(affine - before))
        source, before, count = bend.apply(source, affine), affine, 1
    for stage in range(3):
        stiffness = 50.0 * np.exp(-0.5 * stage)
        for _ in range(_STEPS_A_STAGE):
            if change <= _CHANGE_TOLERANCE * 0.5**stage:
                break
            distance, row = tree.query(source)
            near = (distance < max(2 * distance.mean(), 1.0)).astype(float)
            pull, aim = _pulls(len(source), guides, guided_to, 5.0 * np.exp(-0.9 * count))
            weight = np.sqrt(near**2 + pull**2)
            target = (near[:, None] ** 2 * targets[row] + pull[:, None] ** 2 * aim) / np.maximum(
                weight[:, None] ** 2, 1e-300
            )
            affine = bend.solve(source, stiffness, np.ones(4), weight, target)
            change = float(np.linalg.norm(affine - before))
            source, before, count = bend.apply(source, affine), affine, count + 1
    return source


def _guides(
    points: Float[np.ndarray, "vertices 3"],
    keypoints: Float[np.ndarray, "keypoints 3"],
    targets: Float[np.ndarray, "keypoints 3"],
) -> tuple[Int[np.ndarray, "guides"], Float[np.ndarray, "guides 3"]]:
    """The vertex nearest to each keypoint, and where it shall go.

    Where several keypoints share a vertex, as happens to the eyes at the rim of the forehead, the
    last one counts alone.
    """
    if len(keypoints) == 0:
        return np.zeros(0, dtype=np.int64), np.zeros((0, 3))
    nearest = np.asarray(KDTree(points).query(keypoints)[1], dtype=np.int64)
    keypoint_of = {int(vertex): place for place, vertex in enumerate(nearest)}
    return np.array(list(keypoint_of)), targets[list(keypoint_of.values())]


def _pulls(n: int, guides: np.ndarray, guided_to: np.ndarray, strength: float):
    """Weight and target of every vertex, from the guides alone."""
    weight, target = np.zeros(n), np.zeros((n, 3))
    weight[guides], target[guides] = strength, guided_to
    return weight, target


def keypoints_on(
    mesh: Mesh, triangle: Int[np.ndarray, "85"], barycentric: Float[np.ndarray, "85 3"]
) -> Float[np.ndarray, "85 3"]:
    """The 85 points of a prediction.

    Raises:
        InputError: the list belongs to a topology with more triangles.
    """
    if triangle.min() < 0 or triangle.max() >= len(mesh.triangles):
        raise InputError(
            f"The template's keypoints use triangle {triangle.max()}, but the prediction has "
            f"{len(mesh.triangles)}; expected every prediction in the template's topology."
        )
    return np.einsum("pkc,pk->pc", mesh.vertices[mesh.triangles[triangle]], barycentric)
