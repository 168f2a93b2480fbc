"""Eyeballs, teeth, gums and tongue put into their places, and lids and lips that close on them."""

import numpy as np

from commons.eyeball import EYE_RADIUS_MM
from commons.head import PARTS, Head
from commons.lips import LipSeam

# The pupil's distance towards the temple from the middle of the lid opening; anatomy has 1.8 mm.
_OUTWARD_MM = 1.0
# The lids slide on the eyeball; their rims are a little outside it.
_LID_GAP_MM = 0.35
# The lining of the lids ends just under the eyeball's surface, inside the opening's outline.
_LINING_DEPTH_MM = 0.15
_LINING_INWARD = 0.93
# How far lids close, in units of MakeHuman's way: who looks from the side still saw the eye, by the
# inner corners.
_LIDS_CLOSE = 1.01
# How much further than MakeHuman's the lids go with the eyes, up and down.
_LIDS_FOLLOW = (1.5, 1.3)
_CLOSED_LIDS_OFF_MM = 1.3
# The upper front teeth show a little below resting lips and stand behind them.
_EDGE_BELOW_MM, _BEHIND_LIPS_MM = 2.0, 8.0
_FRONT_MM = 6.0
# Skin around the lips that tells how large the jaws are.
_AROUND_MOUTH_MM = 40.0
MOUTH_THINGS = ("teeth_upper", "teeth_lower", "gums_upper", "gums_lower", "tongue")
_EYES = ("eye_left", "eye_right")


def with_things(mean_mm: np.ndarray, head: Head) -> np.ndarray:
    """(base, 3) the mean with everything in its place.

    Args:
        mean_mm: (cut, 3) of the vertices that come from MakeHuman.
    """
    result = head.own_mm.copy()
    result[: head.n_cut] = mean_mm
    for part, rim, outward in zip(_EYES, head.lid_rims, (1.0, -1.0), strict=True):
        result[head.in_part(part)] += _centre_behind(mean_mm[rim], outward)
    result = with_lid_linings(result, head)
    result[: head.n_cut] = LipSeam(head, mean_mm).closed(result[: head.n_cut])
    lips = result[head.lip_rim]
    front = lips[np.abs(lips[:, 0]) < _FRONT_MM].mean(axis=0)
    result[head.in_part(*MOUTH_THINGS)] += front * [0, 1, 1] - [0, _EDGE_BELOW_MM, _BEHIND_LIPS_MM]
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


def with_lid_linings(mean_mm: np.ndarray, head: Head) -> np.ndarray:
    """The mean with the inside of the lids, and the caruncle, reaching from rim to eyeball."""
    result = mean_mm.copy()
    for part, rim in zip(_EYES, head.lid_rims, strict=True):
        first, second = _lining(head, rim)
        result[second] = _under_lids(mean_mm[rim], head.origin_mm(part, mean_mm))
        result[first] = (mean_mm[rim] + result[second]) / 2
    return result


def _under_lids(rim_mm: np.ndarray, centre_mm: np.ndarray) -> np.ndarray:
    """(rim, 3) places just under the ball's surface behind the lids."""
    towards_rim = rim_mm - centre_mm
    # Flattened towards the middle of the opening, the direction meets the ball behind the lid.
    towards_rim[:, :2] *= _LINING_INWARD
    direction = towards_rim / np.linalg.norm(towards_rim, axis=1, keepdims=True)
    return centre_mm + (EYE_RADIUS_MM - _LINING_DEPTH_MM) * direction


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


def following_the_skin(factor_mm: np.ndarray, mean_mm: np.ndarray, head: Head) -> np.ndarray:
    """(n, base, 3) displacements of heads in which eyeballs move with their lids, teeth and tongue
    with the lips, growing as the skin around the mouth does, and the lips together.

    Args:
        factor_mm: (n, cut, 3) of the vertices that come from MakeHuman.
        mean_mm: (base, 3) of `with_things`.
    """
    result = np.zeros((len(factor_mm), head.n_base, 3))
    result[:, : head.n_cut] = factor_mm
    seam = LipSeam(head, mean_mm[: head.n_cut])
    result[:, head.lip_rim] = seam.together(factor_mm)
    for part, rim in zip(_EYES, head.lid_rims, strict=True):
        moved = factor_mm[:, rim].mean(axis=1, keepdims=True)
        result[:, head.in_part(part)] = moved
        first, second = _lining(head, rim)
        result[:, second] = moved
        result[:, first] = (factor_mm[:, rim] + moved) / 2
    mouth = head.in_part(*MOUTH_THINGS)
    middle = mean_mm[head.lip_rim].mean(axis=0)
    growth = _growth_around_mouth(factor_mm, mean_mm, head)
    result[:, mouth] = factor_mm[:, head.lip_rim].mean(axis=1, keepdims=True)
    result[:, mouth] += growth[:, None, None] * (mean_mm[mouth] - middle)
    return result


def _growth_around_mouth(factor_mm: np.ndarray, mean_mm: np.ndarray, head: Head) -> np.ndarray:
    """(n,) relative change of size of the skin around the mouth."""
    middle = mean_mm[head.lip_rim].mean(axis=0)
    near = np.linalg.norm(mean_mm - middle, axis=1) < _AROUND_MOUTH_MM
    near = np.flatnonzero(near & (head.part == PARTS.index("skin")))
    offset = mean_mm[near] - mean_mm[near].mean(axis=0)
    return np.einsum("nvc,vc->n", factor_mm[:, near], offset) / (offset**2).sum()


def _off_the_ball(unit_mm: np.ndarray, mean_mm: np.ndarray, head: Head, part: str) -> np.ndarray:
    """(cut, 3) what takes closed lids as far from the ball as some people's lids need.

    Balls are of one size and lids are not: those of the mean must leave room.
    """
    offset = mean_mm[: head.n_cut] + unit_mm - head.origin_mm(part, mean_mm)
    radius = np.linalg.norm(offset, axis=1, keepdims=True)
    lacking = np.maximum(EYE_RADIUS_MM + _CLOSED_LIDS_OFF_MM - radius, 0)
    before = (offset[:, 2:] > 0) & head.in_part("skin")[: head.n_cut, None]
    return np.where(before & (radius > EYE_RADIUS_MM - 1), lacking * offset / radius, 0.0)


def lids_sliding(expressions_mm: np.ndarray, mean_mm: np.ndarray, head: Head) -> np.ndarray:
    """(n, cut, 3) expressions in which the lining of the lids goes with their rims, on the ball.

    Args:
        expressions_mm: (n, cut, 3)
        mean_mm: (base, 3) of `with_things`.
    """
    result = expressions_mm.copy()
    for part, rim in zip(_EYES, head.lid_rims, strict=True):
        first, second = _lining(head, rim)
        centre = head.origin_mm(part, mean_mm)
        for moved, unit in zip(result, expressions_mm, strict=True):
            moved[second] = _under_lids(mean_mm[rim] + unit[rim], centre) - mean_mm[second]
            moved[first] = (unit[rim] + moved[second]) / 2
    return result


def lids_meeting(
    names: tuple[str, ...], expressions_mm: np.ndarray, mean_mm: np.ndarray, head: Head
) -> np.ndarray:
    """(n, cut, 3) expressions whose blinks leave nothing of the eyes, and whose lids follow them.

    MakeHuman's upper lids go on over the lower ones, and follow eyes that turn less than ours.
    """
    result = expressions_mm.copy()
    for side in ("Left", "Right"):
        blink = names.index(f"eyeBlink{side}")
        result[blink] *= _LIDS_CLOSE
        part = f"eye_{side.lower()}"
        result[blink] += _off_the_ball(result[blink], mean_mm, head, part)
        for way, follow in zip(("Up", "Down"), _LIDS_FOLLOW, strict=True):
            result[names.index(f"eyeLook{way}{side}")] *= follow
    return result
