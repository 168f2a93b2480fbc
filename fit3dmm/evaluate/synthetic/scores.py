"""How far a fit is from the truth, number by number."""

import numpy as np
import torch
from jaxtyping import Float

from fit3dmm.evaluate.fitter import FittedFace, FittedScene
from fit3dmm.evaluate.now_error import align_prediction, crop_scan
from fit3dmm.evaluate.protocol import SurfacePicture
from fit3dmm.geometry.alignment import solve_similarity
from fit3dmm.geometry.harmonics import sh_basis
from fit3dmm.geometry.transform import Similarity
from fit3dmm.geometry.triangle_mesh import Mesh, keep_vertices
from fit3dmm.model.landmarks import NOW7_IN_IBUG68
from fit3dmm.synthetic.probes import Probe, SphereMap
from fit3dmm.synthetic.truth import Truth

Numbers = dict[str, int | float]

# The last of MediaPipe's 478: five an eye.
_N_IRIS_POINTS = 10


def score_face(truth: Truth, face: FittedFace) -> tuple[Numbers, SurfacePicture]:
    """All numbers that the fit allows; the picture shows NoW's distances."""
    landmarks7 = face.ibug68.take(NOW7_IN_IBUG68).locate(face.neutral_mm, face.triangles)
    numbers, picture = score_mesh(truth, Mesh(face.neutral_mm, face.triangles), landmarks7)
    numbers["nme_percent"] = landmark_error_percent(truth.landmarks68_px, face.landmarks_px)
    if face.scene is not None:
        pairs = corresponding(truth, face)
        if pairs is not None:
            numbers |= shape_errors(truth, face, face.scene, pairs)
        numbers |= camera_errors(truth, face, face.scene)
        if face.scene.irradiance_sh is not None:
            numbers |= light_errors(truth, face.scene.irradiance_sh)
        if face.scene.albedo_linear is not None and same_mesh(truth, face):
            numbers |= albedo_errors(truth, face.scene.albedo_linear)
        numbers |= coverage(truth, face, face.scene)
    return numbers, picture


def score_mesh(
    truth: Truth, prediction: Mesh, landmarks7: Float[np.ndarray, "7 3"]
) -> tuple[Numbers, SurfacePicture]:
    """NoW's distances of a neutral mesh: from the true face to the prediction."""
    scan_points = truth.landmarks68_mm[list(NOW7_IN_IBUG68)]
    outside = Mesh(truth.neutral_mm, truth.triangles)
    part, kept = crop_scan(outside, scan_points)
    # A scanner sees the face; what lies in mouth and eye sockets is no part of it.
    scanned = keep_vertices(part, np.flatnonzero(truth.face[kept] > 0.5))
    aligned = align_prediction(scanned.vertices, scan_points, prediction, landmarks7)
    distance = aligned.distance
    return {
        "now_median_mm": float(np.median(distance)),
        "now_mean_mm": float(distance.mean()),
    }, SurfacePicture(scanned.vertices, scanned.triangles, distance)


def landmark_error_percent(
    truth_px: Float[np.ndarray, "68 2"], predicted_px: Float[np.ndarray, "68 2"]
) -> float:
    """Mean distance over the root of the area of the true points' box, as on AFLW2000-3D."""
    size_px = np.sqrt(np.prod(np.ptp(truth_px, axis=0)))
    return float(100 * np.linalg.norm(predicted_px - truth_px, axis=1).mean() / size_px)


def same_mesh(truth: Truth, face: FittedFace) -> bool:
    """Whether the truth's vertices are the first ones of the prediction."""
    return face.scene is not None and face.scene.topology == truth.topology


def corresponding(truth: Truth, face: FittedFace) -> tuple[np.ndarray, ...] | None:
    """True neutral, true expressive (`cam`), predicted neutral and predicted expressive points of
    the face, one to one; None where nothing says what corresponds."""
    if same_mesh(truth, face):
        rows = np.flatnonzero(truth.face > 0.5)
        return (
            truth.neutral_mm[rows],
            truth.expressive_cam_mm[rows],
            face.neutral_mm[rows],
            face.expressive_mm[rows],
        )
    if face.scene is None or face.scene.points478 is None:
        return None
    rows = slice(0, -_N_IRIS_POINTS)
    points = face.scene.points478
    return (
        truth.points478_mm[rows],
        truth.points478_cam_mm[rows],
        points.locate(face.neutral_mm, face.triangles)[rows],
        points.locate(face.expressive_mm, face.triangles)[rows],
    )


def shape_errors(
    truth: Truth, face: FittedFace, scene: FittedScene, pairs: tuple[np.ndarray, ...]
) -> Numbers:
    """Mean distances of corresponding points, and the turn of the head between them.

    Args:
        truth: of the photo.
        face: the fit.
        scene: its pose and camera.
        pairs: what `corresponding` gives.
    """
    true_neutral, true_cam, neutral, expressive = pairs
    rigid = solve_similarity(neutral, true_neutral, with_scale=False)
    scaled = solve_similarity(neutral, true_neutral)
    placed = _to_camera(expressive, scene)
    # Frames of different meshes are turned against each other: what turns the aligned prediction
    # is compared with what turns the truth.
    turn = truth.rotation.T @ scene.rotation @ rigid.rotation.numpy().T
    return {
        "neutral_mm": _mean_distance(rigid @ neutral, true_neutral),
        "neutral_scaled_mm": _mean_distance(scaled @ neutral, true_neutral),
        "placed_mm": _mean_distance(placed, true_cam),
        "expressive_mm": _mean_distance(_rigid(placed, true_cam) @ placed, true_cam),
        "rotation_deg": _angle_deg(turn),
        "compared_points": len(neutral),
    }


def camera_errors(truth: Truth, face: FittedFace, scene: FittedScene) -> Numbers:
    """Focal length and distance, as percent of the true ones by their logarithms."""
    focal = np.log(scene.focal_px / truth.focal_px)
    distance = np.log(_distance_mm(face, scene) / _true_distance_mm(truth))
    return {
        "focal_percent": 100 * abs(float(focal)),
        "distance_percent": 100 * abs(float(distance)),
    }


def light_errors(truth: Truth, irradiance_sh: Float[np.ndarray, "9 3"]) -> Numbers:
    """Relative error of what white surfaces reflect that face the camera half of the sphere."""
    probe = Probe(SphereMap(truth.radiance))
    front = probe.directions[probe.directions[:, 2] > 0]
    true = probe.irradiance(front)
    # The map's pixels crowd around the poles.
    weight = np.sqrt(1 - front[:, 1:2] ** 2)
    basis = sh_basis(torch.from_numpy(front)).numpy()
    return _relative_errors("light", true, basis @ irradiance_sh, weight)


def albedo_errors(truth: Truth, albedo_linear: Float[np.ndarray, "vertices 3"]) -> Numbers:
    """Relative error of the face's colours."""
    rows = np.flatnonzero(truth.face > 0.5)
    return _relative_errors(
        "albedo", truth.albedo_linear[rows], albedo_linear[rows], np.ones((1, 1))
    )


def coverage(truth: Truth, face: FittedFace, scene: FittedScene) -> Numbers:
    """Which truths lie within one and two of the fit's own standard deviations: 0, 1 or a share."""
    numbers: Numbers = {}
    if scene.focal_log_sigma:
        off = abs(np.log(scene.focal_px / truth.focal_px)) / scene.focal_log_sigma
        numbers |= {"focal_in_1": int(off < 1), "focal_in_2": int(off < 2)}
    if scene.distance_sigma_mm:
        error_mm = _distance_mm(face, scene) - _true_distance_mm(truth)
        off = abs(error_mm) / scene.distance_sigma_mm
        numbers |= {"distance_in_1": int(off < 1), "distance_in_2": int(off < 2)}
    if scene.relative_depth_sigma_mm is not None and same_mesh(truth, face):
        rows = scene.relative_depth_rows
        depth = -_to_camera(face.expressive_mm[rows], scene)[:, 2]
        true = -truth.expressive_cam_mm[rows, 2]
        error = (
            np.abs((depth - depth.mean()) - (true - true.mean())) / scene.relative_depth_sigma_mm
        )
        numbers |= {
            "relative_depth_in_1": float((error < 1).mean()),
            "relative_depth_in_2": float((error < 2).mean()),
        }
    return numbers


def _relative_errors(name: str, true: np.ndarray, found: np.ndarray, weight: np.ndarray) -> Numbers:
    """Root mean square error over that of the truth, and the same at the best overall scale."""

    def size(values: np.ndarray) -> float:
        return float(np.sqrt((weight * values**2).sum()))

    scale = (weight * true * found).sum() / max((weight * found**2).sum(), 1e-12)
    return {
        f"{name}_percent": 100 * size(found - true) / size(true),
        f"{name}_scaled_percent": 100 * size(scale * found - true) / size(true),
    }


def _to_camera(points_mm: np.ndarray, scene: FittedScene) -> np.ndarray:
    return points_mm @ scene.rotation.T + scene.translation_mm


def _distance_mm(face: FittedFace, scene: FittedScene) -> float:
    """Mean depth of the 68 landmarks: meshes have their origins in different places."""
    points = face.ibug68.locate(face.expressive_mm, face.triangles)
    return -float(_to_camera(points, scene)[:, 2].mean())


def _true_distance_mm(truth: Truth) -> float:
    return -float(truth.landmarks68_cam_mm[:, 2].mean())


def _rigid(source: np.ndarray, target: np.ndarray) -> Similarity:
    return solve_similarity(source, target, with_scale=False)


def _mean_distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b, axis=1).mean())


def _angle_deg(rotation: np.ndarray) -> float:
    # By the chord: the cosine is flat at zero and would lose small angles.
    chord = np.linalg.norm(rotation - np.eye(3)) / (2 * np.sqrt(2))
    return float(np.degrees(2 * np.arcsin(np.clip(chord, 0, 1))))
