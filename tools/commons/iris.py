"""Centre and rim of the irises on the eyeballs, as MediaPipe numbers them."""

import numpy as np

from commons.surface_points import HeadSurface, Points, joined

IRIS_DIAMETER_MM = 11.7
"""Of adults; MediaPipe's own figure too (A. Ablavatski et al., 2020)."""
# Vertices of the eyeball's front ring.
_FRONT_RING = 8
# MediaPipe's points after the centre, on the subject's right eye: towards the picture's right, up,
# left and down for a face that looks into the camera.
_RIM = ((1, 0), (0, 1), (-1, 0), (0, -1))


def iris_points(surface: HeadSurface) -> Points:
    """(10,) points: 468..472 of the subject's right eye, 473..477 of the left."""
    head = surface.head
    base = surface.vertices_mm[: len(head.vertex)]
    eyeball = np.flatnonzero(head.in_part("eye_right"))
    ring = eyeball[np.argsort(base[eyeball, 2])[-_FRONT_RING:]]
    centre = base[ring].mean(axis=0)
    around = np.array([(0, 0), *_RIM]) * IRIS_DIAMETER_MM / 2
    wanted = np.column_stack([centre[:2] + around, np.full(len(around), centre[2])])
    right = surface.nearest(wanted, "eye_right")
    for _ in range(5):
        # The nearest point of a slope lies aside: come closer along the line of sight.
        wanted[:, 2] = surface.locate(right)[:, 2]
        right = surface.nearest(wanted, "eye_right")
    return joined([right, surface.mirrored(right)])
