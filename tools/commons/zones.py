"""Areas of the head that colour follows: lashes, lid rims, beard, cheeks, mouth, teeth."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from commons.fine import FineHead
from commons.mouth_light import mouth_light
from commons.organs import MOUTH_THINGS
from commons.skins import smoothstep

# Thickness of the lower and the upper lid's edge in front of the ball.
_LID_MM = (1.35, 2.1)


@dataclass(frozen=True)
class Zones:
    """Weights 0..1, each (vertices,)."""

    beard: np.ndarray
    """Where stubble grows: upper lip, chin, jaw, sideburns, throat."""
    lashes: np.ndarray
    """The dark line along the lids, stronger above."""
    lid_rims: np.ndarray
    """The moist pink edge of the lower lids and the caruncles."""
    linings: np.ndarray
    """What is white behind the lids, beside the eyeballs."""
    lid_shade: np.ndarray
    """What lies in the shade of the upper lids and their lashes."""
    cheeks: np.ndarray
    nose: np.ndarray
    under_eyes: np.ndarray
    upper_lids: np.ndarray
    around_mouth: np.ndarray
    forehead: np.ndarray
    ears: np.ndarray
    mouth: np.ndarray
    """1 on what lies behind the lips."""
    mouth_depth: np.ndarray
    """0 at the lips, 1 where no light reaches."""
    teeth: np.ndarray
    gums: np.ndarray
    tongue: np.ndarray
    mouth_light: np.ndarray
    """What lips, cheeks and neighbours leave of the light on teeth, gums and tongue."""
    eyes: np.ndarray
    """1 on the eyeballs."""


def find_zones(fine: FineHead) -> Zones:
    points, skin = fine.points_mm, fine.in_part("skin").astype(float)
    rims = [points[rim] for rim in fine.lid_rims]
    left_eye = rims[0].mean(axis=0)
    lips = points[fine.lip_rim]
    nose = _nose_tip(fine, left_eye[1], lips[:, 1].mean())
    corner = lips[lips[:, 0].argmax()]
    ear = points[np.where(skin > 0, points[:, 0], -np.inf).argmax()]
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    # Distances are measured on the left half; |x| makes them hold for both.
    folded = np.stack([x, y, z], axis=1)

    def bump(centre, *sigmas_mm) -> np.ndarray:
        squares = ((folded - centre) / np.array(sigmas_mm)) ** 2
        return np.exp(-squares.sum(axis=1) / 2) * skin

    edge_mm, edge_height, edge_outward = _lid_edges(fine)
    from_lips = KDTree(lips).query(points)[0]
    inside = fine.in_part("mouth")
    caruncles = [rim[np.abs(rim[:, 0]).argmin()] for rim in rims]
    from_rims = KDTree(np.concatenate(rims)).query(points)[0]
    from_caruncle = KDTree(np.array(caruncles)).query(points)[0]
    moist = np.maximum(smoothstep(from_caruncle, 6.0, 2.5), 0.8 * smoothstep(from_rims, 1.2, 0.3))
    upper = smoothstep(edge_height, 0.35, 0.75)
    on_edge = smoothstep(edge_mm, _LID_MM[0], 0.4 * _LID_MM[0])
    return Zones(
        beard=_beard(folded, skin, left_eye, nose, lips, ear),
        lashes=_lashes(edge_mm, edge_height, edge_outward) * skin,
        lid_rims=moist * fine.in_part("socket") + (1 - upper) * on_edge * skin,
        linings=(1 - moist) * fine.in_part("socket"),
        lid_shade=0.85 * upper * smoothstep(from_caruncle, 2.0, 7.0) * fine.in_part("socket"),
        cheeks=bump([left_eye[0] + 10, nose[1] + 3, nose[2] - 32], 15, 13, 25),
        nose=bump(nose - [0, 0, 5], 12, 10, 14),
        under_eyes=bump(left_eye - [1, 12, 0], 11, 5, 14),
        upper_lids=bump(left_eye - [-1, -8, 0], 12, 4, 14),
        around_mouth=bump([0, corner[1], lips[:, 2].mean()], 26, 20, 25),
        forehead=bump([0, left_eye[1] + 48, nose[2] - 20], 45, 20, 40),
        ears=bump(ear - [4, 0, 0], 7, 26, 16),
        mouth=inside.astype(float),
        mouth_depth=smoothstep(from_lips, 0.2, 8.0) * inside,
        teeth=fine.in_part("teeth_upper", "teeth_lower").astype(float),
        gums=fine.in_part("gums_upper", "gums_lower").astype(float),
        tongue=fine.in_part("tongue").astype(float),
        mouth_light=_mouth_light(fine),
        eyes=fine.in_part("eye_left", "eye_right").astype(float),
    )


def _mouth_light(fine: FineHead) -> np.ndarray:
    inside = fine.in_part(*MOUTH_THINGS)
    teeth, tongue = fine.in_part("teeth_upper", "teeth_lower"), fine.in_part("tongue")
    lit = mouth_light(fine.points_mm, fine.normals(), teeth, tongue, fine.lip_rim)
    return np.where(inside, lit, 1.0)


def _nose_tip(fine: FineHead, eye_height: float, mouth_height: float) -> np.ndarray:
    x, y, z = fine.points_mm.T
    middle = (np.abs(x) < 4) & (y < eye_height) & (y > mouth_height + 8) & fine.in_part("skin")
    return fine.points_mm[np.where(middle, z, -np.inf).argmax()] * [0, 1, 1]


def _lid_edges(fine: FineHead) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each vertex: mm to the visible edge of a lid; height 0..1 and outwardness 0..1 there.

    The ball pokes through the lids a little in front of their rim, so their visible edge is where
    skin and ball meet.
    """
    away = np.full(fine.n_vertices, np.inf)
    height, outward = np.zeros(fine.n_vertices), np.zeros(fine.n_vertices)
    for name, rim, centre in zip(
        ("eye_left", "eye_right"), fine.lid_rims, fine.eye_centres_mm, strict=True
    ):
        rim_mm, ball_mm = fine.points_mm[rim], fine.points_mm[fine.in_part(name)]
        from_centre = np.linalg.norm(fine.points_mm - centre, axis=1)
        from_rim, nearest = KDTree(rim_mm).query(fine.points_mm)
        ball_there = KDTree(ball_mm).query(fine.points_mm)[1]
        above_ball = from_centre - np.linalg.norm(ball_mm[ball_there] - centre, axis=1)
        to_edge = np.where(from_rim < 7, np.minimum(np.maximum(above_ball, 0), from_rim), from_rim)
        closer = to_edge < away
        away = np.where(closer, to_edge, away)
        rim_height = (rim_mm[:, 1] - rim_mm[:, 1].min()) / np.ptp(rim_mm[:, 1])
        across = np.abs(rim_mm[:, 0])
        rim_outward = (across - across.min()) / np.ptp(across)
        height = np.where(closer, rim_height[nearest], height)
        outward = np.where(closer, rim_outward[nearest], outward)
    return away, height, outward


def _lashes(from_ball_mm: np.ndarray, height: np.ndarray, outward: np.ndarray) -> np.ndarray:
    """A line along the lids: full above, on the lid's edge and a little beyond; thin below."""
    upper = smoothstep(height, 0.35, 0.75)
    strength = (0.22 + 0.68 * upper) * (0.35 + 0.65 * smoothstep(outward, 0.02, 0.35))
    above = smoothstep(from_ball_mm, _LID_MM[1] + 1.5 + 0.3 * outward, _LID_MM[1] + 0.5)
    below = smoothstep(np.abs(from_ball_mm - _LID_MM[0]), 0.6, 0.15)
    return strength * (upper * above + (1 - upper) * below)


def _beard(folded, skin, eye, nose, lips, ear) -> np.ndarray:
    """Below a line from under the nose over the cheek to the ear, down to the throat."""
    x, y, z = folded.T
    mouth, corner_x = lips[:, 1].mean(), lips[:, 0].max()
    around_deg = np.degrees(np.arctan2(x, z - ear[2]))
    under_nose = nose[1] - 7
    corner_deg = np.degrees(np.arctan2(corner_x, lips[lips[:, 0].argmax(), 2] - ear[2]))
    stations = np.array([0, corner_deg * 0.6, corner_deg * 1.15, 38, 58, 72, 82, 100])
    heights = np.array(
        [under_nose - 1, under_nose - 1, mouth + 6, mouth - 6, mouth + 2, nose[1] - 12, eye[1] - 18,
         eye[1] - 8]
    )  # fmt: skip
    top = np.interp(around_deg, stations, heights)
    chin = lips[:, 1].min() - 45
    below = smoothstep(y, top + 5, top - 12)
    above_throat = smoothstep(y, chin - 28, chin - 2)
    before_ear = smoothstep(z, ear[2] + 6, ear[2] + 20)
    # Bare skin beside the soul patch and around the lips.
    from_lips = KDTree(lips).query(folded)[0]
    off_lips = smoothstep(from_lips, 4, 9)
    return below * above_throat * before_ear * off_lips * skin
