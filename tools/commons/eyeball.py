"""The eyeball: a ball with the bulge of the cornea, rings around the axis through the pupil.

Its frame has the centre of the ball as origin and the axes of the head.
"""

import numpy as np

from commons.things import Thing, grid_quads, outwards, through

# An adult eyeball is 24 mm across and hardly differs between people. Ours is a little larger,
# because MakeHuman's lids were drawn on a larger one and would gape at the inner corner.
EYE_RADIUS_MM = 13.0
IRIS_DIAMETER_MM = 11.7
"""Mean of adults, with little spread: the ruler that a face carries."""
# Looking straight ahead, a little below the horizon, as the lids of the mean head sit.
GAZE = np.array([0.0, -0.045, 1.0]) / np.linalg.norm([0.0, -0.045, 1.0])
# The cornea's own radius is 7.8 mm; lids that move in straight lines would be pierced by as much,
# so it is flattened a little. Its edge, the limbus, is the iris' rim.
_CORNEA_RADIUS_MM = 8.6
LIMBUS_RAD = np.arcsin(IRIS_DIAMETER_MM / 2 / EYE_RADIUS_MM)
_AROUND = 12
# Angles from the axis: pupil, iris, limbus, then the white of the eye to its back.
_RINGS_RAD = np.append(LIMBUS_RAD * np.array([0.34, 0.66, 0.92, 1.12]), np.radians([46, 72, 102]))
_POLE_UV_RADIUS = 0.28
# Both poles are closed by three by three quads: twelve points of a ring and four inside.
_INNER_SHARE = np.full(4, 0.42)
_INNER_TURN_RAD = np.pi * (np.arange(4) + 0.5) / 2
_PATCH = np.array(
    [[7, 8, 14, 6], [8, 9, 15, 14], [9, 10, 11, 15], [6, 14, 13, 5], [14, 15, 12, 13],
     [15, 11, 0, 12], [5, 13, 3, 4], [13, 12, 2, 3], [12, 0, 1, 2]]
)  # fmt: skip


def radius_mm(angle_rad: np.ndarray) -> np.ndarray:
    """Distance of the surface from the ball's centre, at angles from the axis."""
    # The cornea is a smaller sphere that meets the ball at the limbus.
    limbus = EYE_RADIUS_MM * np.array([np.sin(LIMBUS_RAD), np.cos(LIMBUS_RAD)])
    centre = limbus[1] - np.sqrt(_CORNEA_RADIUS_MM**2 - limbus[0] ** 2)
    along = centre * np.cos(angle_rad)
    bulge = along + np.sqrt(np.maximum(along**2 - centre**2 + _CORNEA_RADIUS_MM**2, 0))
    return np.where(angle_rad < LIMBUS_RAD, np.maximum(bulge, EYE_RADIUS_MM), EYE_RADIUS_MM)


def eyeball(part: str) -> Thing:
    """A whole ball. It is symmetric, so one shape serves the left and the right eye."""
    around = 2 * np.pi * (np.arange(_AROUND) + 0.5) / _AROUND
    first, last = _RINGS_RAD[0], _RINGS_RAD[-1]
    angle = np.concatenate(
        [
            np.repeat(_RINGS_RAD, _AROUND),
            first * _INNER_SHARE,
            np.pi - (np.pi - last) * _INNER_SHARE,
        ]
    )
    turn = np.concatenate([np.tile(around, len(_RINGS_RAD)), _INNER_TURN_RAD, _INNER_TURN_RAD])
    points = _direction(angle, turn) * radius_mm(angle)[:, None]
    n = len(_RINGS_RAD) * _AROUND
    front = np.where(_PATCH < _AROUND, _PATCH, _PATCH - _AROUND + n)
    back = np.where(_PATCH < _AROUND, _PATCH + n - _AROUND, _PATCH - _AROUND + n + 4)
    rings = grid_quads(len(_RINGS_RAD), _AROUND, closed=True)
    quads = np.concatenate([outwards(points, q, np.zeros(3)) for q in (rings, front, back)])
    mirror = np.linalg.norm(points[:, None] * [-1, 1, 1] - points, axis=2).argmin(axis=1)
    # The white behind is never seen and gets less of the texture, its pole a disc of its own.
    from_axis = np.where(angle < np.pi / 2, angle, np.pi / 2 + 0.6 * (angle - np.pi / 2))
    uv = from_axis[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    rim = _POLE_UV_RADIUS * np.stack([np.cos(around), np.sin(around)], axis=1)
    pole = np.concatenate([rim, _POLE_UV_RADIUS * uv[-4:] / from_axis[-4:, None] * _INNER_SHARE[0]])
    # Seen from behind, the pole turns the other way.
    pole[:, 0] *= -1
    corner = from_axis[:-8].max() - _POLE_UV_RADIUS
    pole_quads = np.where(back < n, back - n + _AROUND, back - n - 4 + _AROUND) + len(uv) - 4
    uv_quads = quads.copy()
    uv_quads[-9:] = pole_quads[:, ::-1] if not np.array_equal(quads[-9:], back) else pole_quads
    return Thing(
        part,
        through(points, quads),
        quads,
        mirror,
        np.concatenate([uv[:-4], pole + corner]),
        uv_quads,
    )


def _direction(angle_rad: np.ndarray, turn_rad: np.ndarray) -> np.ndarray:
    """(n, 3) unit vectors at angles from the axis, turned about it from the left upwards."""
    left = np.array([1.0, 0.0, 0.0])
    up = np.cross(GAZE, left)
    sideways = np.outer(np.cos(turn_rad), left) + np.outer(np.sin(turn_rad), up)
    return np.outer(np.cos(angle_rad), GAZE) + np.sin(angle_rad)[:, None] * sideways
