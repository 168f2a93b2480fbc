"""Centre and rim of the irises on the eyeballs, as MediaPipe numbers them."""

import numpy as np

from commons.eyeball import EYE_RADIUS_MM, GAZE, LIMBUS_RAD
from commons.surface_points import HeadSurface, Points, joined

# MediaPipe's points after the centre, on both eyes alike: towards the picture's right, up, left and
# down for a face that looks into the camera.
_RIM = np.array([(1, 0, 0), (0, 1, 0), (-1, 0, 0), (0, -1, 0)])
# The same places seen in a mirror.
_MIRRORED = [0, 3, 2, 1, 4]


def iris_points(surface: HeadSurface) -> Points:
    """(10,) points: 468..472 of the subject's right eye, 473..477 of the left."""
    centre = surface.head.origin_mm("eye_right", surface.control_mm)
    sideways = _RIM - (_RIM @ GAZE)[:, None] * GAZE
    sideways /= np.linalg.norm(sideways, axis=1, keepdims=True)
    rim = np.cos(LIMBUS_RAD) * GAZE + np.sin(LIMBUS_RAD) * sideways
    right = surface.nearest(centre + EYE_RADIUS_MM * np.vstack([GAZE, rim]), "eye_right")
    return joined([right, surface.mirrored(right)[_MIRRORED]])
