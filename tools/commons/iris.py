"""Centre and rim of the irises on the eyeballs, as MediaPipe numbers them."""

import numpy as np

from commons.eyes import IRIS_DIAMETER_MM, optical_axis
from commons.surface_points import HeadSurface, Points, joined

# MediaPipe's points after the centre, on both eyes alike: towards the picture's right, up, left and
# down for a face that looks into the camera.
_RIM = np.array([(1, 0, 0), (0, 1, 0), (-1, 0, 0), (0, -1, 0)])
# The same places seen in a mirror.
_MIRRORED = [0, 3, 2, 1, 4]


def iris_points(surface: HeadSurface) -> Points:
    """(10,) points: 468..472 of the subject's right eye, 473..477 of the left."""
    ball = surface.vertices_mm[np.unique(surface.triangles[surface.rows["eye_right"]])]
    centre, radius_mm, axis = optical_axis(ball)
    sideways = _RIM - (_RIM @ axis)[:, None] * axis
    sideways /= np.linalg.norm(sideways, axis=1, keepdims=True)
    angle = np.arcsin(IRIS_DIAMETER_MM / 2 / radius_mm)
    rim = np.cos(angle) * axis + np.sin(angle) * sideways
    right = surface.nearest(centre + radius_mm * np.vstack([axis, rim]), "eye_right")
    return joined([right, surface.mirrored(right)[_MIRRORED]])
