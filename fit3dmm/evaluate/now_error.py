"""The NoW challenge's distance: crop the scan, align by landmarks, refine, measure.

S. Sanyal, T. Bolkart, H. Feng, M. J. Black, "Learning to regress 3D face shape and expression from
an image without 3D supervision", CVPR 2019, section 5. Written from the protocol; the official
code, which may not be used commercially, was the oracle of the tests only.
"""

import numpy as np
import torch
from jaxtyping import Float, Int

from fit3dmm._errors import InputError
from fit3dmm.evaluate.refine import Refinement, refine_alignment
from fit3dmm.geometry.alignment import solve_similarity
from fit3dmm.geometry.closest_point import index_surface
from fit3dmm.geometry.transform import Similarity
from fit3dmm.geometry.triangle_mesh import Mesh, crop_to_sphere

LANDMARKS = (
    "right eye, outer corner",
    "right eye, inner corner",
    "left eye, inner corner",
    "left eye, outer corner",
    "nose bottom",
    "right mouth corner",
    "left mouth corner",
)
"""The seven points in order; right and left are the subject's."""


def face_sphere(
    landmarks7: Float[np.ndarray, "7 3"], factor: float = 1.4
) -> tuple[Float[np.ndarray, "3"], float]:
    """Centre and radius of the part of a scan that counts. NoW's factor is 1.4, FG2018's 1.2."""
    nose_bottom = landmarks7[4]
    nose_bridge = (landmarks7[1] + landmarks7[2]) / 2
    width = np.linalg.norm(landmarks7[0] - landmarks7[3])
    height = np.linalg.norm(nose_bridge - nose_bottom)
    centre = nose_bottom + 0.3 * (nose_bridge - nose_bottom)
    return centre, float(factor * (width + height) / 2)


def face_axes(landmarks7: Float[np.ndarray, "7 3"]) -> Float[np.ndarray, "3 3"]:
    """Rows: towards the subject's left, up, and out of the face, in the scan's frame."""
    left = landmarks7[3] - landmarks7[0]
    left = left / np.linalg.norm(left)
    up = (landmarks7[1] + landmarks7[2]) / 2 - landmarks7[4]
    up = up - (up @ left) * left
    up = up / np.linalg.norm(up)
    return np.stack([left, up, np.cross(left, up)])


def crop_scan(
    scan_mm: Mesh, landmarks7_mm: Float[np.ndarray, "7 3"], factor: float = 1.4
) -> tuple[Mesh, Int[np.ndarray, "kept"]]:
    """The part of a scan that counts, and the rows of its vertices.

    Raises:
        InputError: no vertex is near the landmarks, so that they belong to another scan or unit.
    """
    centre, radius = face_sphere(landmarks7_mm, factor)
    part, kept = crop_to_sphere(scan_mm, centre, radius)
    if len(kept) == 0:
        raise InputError(
            f"No vertex of the scan lies within {radius:.0f} mm of its landmarks; expected scan "
            "and landmarks in the same frame and unit."
        )
    return part, kept


def landmark_start(
    predicted_landmarks7: Float[np.ndarray, "7 3"],
    scan_landmarks7_mm: Float[np.ndarray, "7 3"],
    unit_mm: float | None = None,
) -> Similarity:
    """Alignment that the refinement starts from, prediction to scan.

    Args:
        predicted_landmarks7: in the prediction's unit.
        scan_landmarks7_mm: the same points of the scan.
        unit_mm: the prediction's unit for the metrical challenge; None fits the scale.
    """
    fitted = solve_similarity(predicted_landmarks7, scan_landmarks7_mm, may_mirror=True)
    if unit_mm is None:
        return fitted
    # The official code keeps the translation of the scaled fit. Only the start depends on it.
    return fitted.replace(scale=torch.full_like(fitted.scale, unit_mm))


def align_prediction(
    points_mm: Float[np.ndarray, "points 3"],
    scan_landmarks7_mm: Float[np.ndarray, "7 3"],
    prediction: Mesh,
    predicted_landmarks7: Float[np.ndarray, "7 3"],
    unit_mm: float | None = None,
) -> Refinement:
    """Align a prediction to the cropped scan's points as NoW does: landmarks, then refinement.

    Args:
        points_mm: of the scan, cropped.
        scan_landmarks7_mm: NoW's seven points on the scan.
        prediction: in any frame and unit.
        predicted_landmarks7: the seven points on it.
        unit_mm: millimetres in the prediction's unit, for the metrical challenge; None fits the
            scale.
    """
    return refine_alignment(
        index_surface(prediction.vertices, prediction.triangles),
        points_mm,
        landmark_start(predicted_landmarks7, scan_landmarks7_mm, unit_mm),
        with_scale=unit_mm is None,
    )


def now_errors_mm(
    scan_vertices_mm: Float[np.ndarray, "scan 3"],
    scan_landmarks7_mm: Float[np.ndarray, "7 3"],
    predicted_vertices: Float[np.ndarray, "vertices 3"],
    predicted_triangles: Int[np.ndarray, "triangles 3"],
    predicted_landmarks7: Float[np.ndarray, "7 3"],
    unit_mm: float | None = None,
) -> Float[np.ndarray, "points"]:
    """NoW's distances of one case: one for each scan vertex in the crop.

    Args:
        scan_vertices_mm: the whole scan.
        scan_landmarks7_mm: its seven points, in the order of `LANDMARKS`.
        predicted_vertices: neutral face in any frame.
        predicted_triangles: its triangles.
        predicted_landmarks7: the same seven points of the prediction.
        unit_mm: millimetres in the prediction's unit (cm: 10, m: 1000) for the metrical
            challenge; None fits the scale too, which is the usual one.

    Raises:
        InputError: a landmark or vertex is not finite, there is no triangle, or scan and landmarks
            do not fit together.
    """
    empty = np.zeros((0, 3), dtype=np.int64)
    part, _ = crop_scan(Mesh(scan_vertices_mm, empty), scan_landmarks7_mm)
    return align_prediction(
        part.vertices,
        scan_landmarks7_mm,
        Mesh(predicted_vertices, predicted_triangles),
        predicted_landmarks7,
        unit_mm,
    ).distance
