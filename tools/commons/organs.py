"""Eyeballs and teeth: round and rigid, they follow the skin instead of deforming with it."""

import numpy as np
from scipy.interpolate import interp1d

from commons.head import Head
from fit3dmm.geometry.subdivision import composed_operator, refine_levels

# An adult eyeball is 24 mm across and hardly differs between people. Ours is a little larger,
# because MakeHuman's lids were drawn on a larger one and would gape at the inner corner.
EYE_RADIUS_MM = 13.0
# The pupil's distance towards the temple from the middle of the lid opening; anatomy has 1.8 mm.
_OUTWARD_MM = 1.0
_ROUNDING_STEPS = 8
# The lids slide on the eyeball; their rims are a little outside it.
_LID_GAP_MM = 0.35
# The lining of the lids ends just under the eyeball's surface, inside the opening's outline.
_LINING_DEPTH_MM = 0.15
_LINING_INWARD = 0.93
_TEETH_WIDTH = 0.72
_TEETH_BACK_MM = 5.5
# A usual bite: the upper front teeth show a little below resting lips and overlap the lower ones.
_EDGE_BELOW_MM, _OVERBITE_MM, _OVERJET_MM = 2.5, 1.5, 1.5
_FRONT_MM = 6.0


def with_round_eyes(mean_mm: np.ndarray, head: Head) -> np.ndarray:
    """The mean with spherical eyeballs that touch the lids from inside."""
    result = mean_mm.copy()
    to_smooth = composed_operator(refine_levels(head.quads, len(head.vertex), 2), len(head.vertex))
    for part, rim, outward in (
        ("eye_left", head.lid_rims[0], 1.0),
        ("eye_right", head.lid_rims[1], -1.0),
    ):
        ball = head.in_part(part)
        centre = _centre_behind(mean_mm[rim], outward)
        old_centre = _sphere_centre(mean_mm[ball])
        direction = mean_mm[ball] - old_centre
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        result[ball] = centre + EYE_RADIUS_MM * direction
        # Subdivision shrinks a coarse ball by a tenth: push its vertices out until it is round.
        for _ in range(_ROUNDING_STEPS):
            smooth = (to_smooth @ result)[: len(result)][ball] - centre
            radius = np.linalg.norm(smooth, axis=1, keepdims=True)
            result[ball] += smooth / radius * (EYE_RADIUS_MM - radius)
    return result


def _centre_behind(rim_mm: np.ndarray, outward: float) -> np.ndarray:
    """Centre of a ball whose front just stays inside the lid rim.

    Sideways and in height it lies behind the middle of the opening; in depth the rim's nearest
    quarter, the middle of the lids, rests on the ball.
    """
    middle = (rim_mm.min(axis=0) + rim_mm.max(axis=0)) / 2
    centre = middle + np.array([outward * _OUTWARD_MM, 0, 0])
    reach = EYE_RADIUS_MM + _LID_GAP_MM
    sideways = np.linalg.norm(rim_mm[:, :2] - centre[:2], axis=1)
    depth = rim_mm[:, 2] - np.sqrt(np.maximum(reach**2 - sideways**2, 0))
    centre[2] = np.percentile(depth, 25)
    return centre


def _sphere_centre(points_mm: np.ndarray) -> np.ndarray:
    """Least-squares centre: |p - c|^2 = r^2 is linear in c and r^2 - |c|^2."""
    system = np.column_stack([2 * points_mm, np.ones(len(points_mm))])
    return np.linalg.lstsq(system, (points_mm**2).sum(axis=1), rcond=None)[0][:3]


def with_lid_linings(mean_mm: np.ndarray, head: Head) -> np.ndarray:
    """The mean with the inside of the lids, and the caruncle, reaching from rim to eyeball."""
    result = mean_mm.copy()
    for part, rim in (("eye_left", head.lid_rims[0]), ("eye_right", head.lid_rims[1])):
        first, second = _lining(head, rim)
        centre = _sphere_centre(mean_mm[head.in_part(part)])
        towards_rim = mean_mm[rim] - centre
        # Flattened towards the middle of the opening, the direction meets the ball behind the lid.
        towards_rim[:, :2] *= _LINING_INWARD
        direction = towards_rim / np.linalg.norm(towards_rim, axis=1, keepdims=True)
        result[second] = centre + (EYE_RADIUS_MM - _LINING_DEPTH_MM) * direction
        result[first] = (mean_mm[rim] + result[second]) / 2
    return result


def _lining(head: Head, rim: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two rows of socket vertices behind a lid rim, in the rim's order."""
    socket = head.in_part("socket")
    rows = [rim]
    for _ in range(2):
        step = {}
        for k in range(4):
            a, b = head.quads[:, k - 1], head.quads[:, k]
            for start, end in ((a, b), (b, a)):
                new = socket[end] & ~np.isin(end, np.concatenate(rows))
                step |= dict(zip(start[new].tolist(), end[new].tolist(), strict=True))
        rows.append(np.array([step[v] for v in rows[-1].tolist()]))
    return rows[1], rows[2]


def with_teeth_set(mean_mm: np.ndarray, head: Head) -> np.ndarray:
    """The mean with dental arches in a bite: behind the lips, also where heads are narrow, the edge
    of the upper front teeth a little below the line of the lips and before the lower ones."""
    lips_mm = mean_mm[head.lip_rim]
    line_mm = lips_mm[np.abs(lips_mm[:, 0]) < _FRONT_MM, 1].mean()
    # Subdivision rounds the edges off, by more than they should overlap.
    to_smooth = composed_operator(refine_levels(head.quads, len(head.vertex), 2), len(head.vertex))
    smooth_mm = (to_smooth @ mean_mm)[: len(mean_mm)]
    result = mean_mm.copy()
    for part, edge, below_mm, back_mm in (
        ("teeth_upper", np.min, _EDGE_BELOW_MM, _TEETH_BACK_MM),
        ("teeth_lower", np.max, _EDGE_BELOW_MM - _OVERBITE_MM, _TEETH_BACK_MM + _OVERJET_MM),
    ):
        teeth = head.in_part(part)
        front = teeth & (np.abs(mean_mm[:, 0]) < _FRONT_MM)
        down_mm = edge(smooth_mm[front, 1]) - (line_mm - below_mm)
        result[teeth] = mean_mm[teeth] * [_TEETH_WIDTH, 1, 1] - [0, down_mm, back_mm]
    return result


def with_closed_lips(mean_mm: np.ndarray, head: Head) -> np.ndarray:
    """The mean with the rims of the lips in touch; MakeHuman leaves half a millimetre between."""
    result = mean_mm.copy()
    result[head.lip_rim, 1:] = _met_halfway(mean_mm, mean_mm, head)[:, 1:]
    return result


def _met_halfway(values: np.ndarray, mean_mm: np.ndarray, head: Head) -> np.ndarray:
    """(..., rim, c) values of the lips' rim, each with that of the other lip opposite it."""
    rim = head.lip_rim
    x = mean_mm[rim, 0]
    left, right = x.argmax(), x.argmin()
    first, last = sorted((left, right))
    inside = np.zeros(len(rim), dtype=bool)
    inside[first + 1 : last] = True
    corner = np.isin(np.arange(len(rim)), (left, right))
    halves = [np.flatnonzero(inside & ~corner), np.flatnonzero(~inside & ~corner)]
    own = values[..., rim, :]
    result = own.copy()
    for half, other in (halves, halves[::-1]):
        order = other[np.argsort(x[other])]
        opposite = interp1d(x[order], own[..., order, :], axis=-2)(
            np.clip(x[half], x[order[0]], x[order[-1]])
        )
        result[..., half, :] = (own[..., half, :] + opposite) / 2
    return result


def following_the_skin(factor_mm: np.ndarray, mean_mm: np.ndarray, head: Head) -> np.ndarray:
    """Displacements of heads in which eyeballs move with their lids, teeth with the lips, and the
    lips together."""
    result = factor_mm.copy()
    result[:, head.lip_rim] = _met_halfway(factor_mm, mean_mm, head)
    for parts, rim in (
        (("eye_left",), head.lid_rims[0]),
        (("eye_right",), head.lid_rims[1]),
        (("teeth_upper", "teeth_lower"), head.lip_rim),
    ):
        result[:, head.in_part(*parts)] = factor_mm[:, rim].mean(axis=1, keepdims=True)
    for rim in head.lid_rims:
        first, second = _lining(head, rim)
        result[:, second] = factor_mm[:, rim].mean(axis=1, keepdims=True)
        result[:, first] = (factor_mm[:, rim] + result[:, second]) / 2
    return result


def lids_sliding(expressions_mm: np.ndarray, head: Head) -> np.ndarray:
    """Expressions in which the lids slide over the eyeball and their lining stretches."""
    result = expressions_mm.copy()
    for rim in head.lid_rims:
        first, second = _lining(head, rim)
        result[:, second] = 0
        result[:, first] = expressions_mm[:, rim] / 2
    return result
