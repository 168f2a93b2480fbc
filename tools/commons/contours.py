"""Lines along which the visible outline of the face slides when the head turns.

Each line is cut out of the skin by a half-plane that ends in an axis from front to back at the
height of the nasal bridge, so it crosses the outline about at right angles all around the face.
"""

import numpy as np

from commons.surface_points import HeadSurface, Points, joined

N_CANDIDATES = 16
# The axis lies this far below the outer corners of the eyes, and the point on it from which the
# lines are sampled this far behind them.
_AXIS_BELOW_EYES_MM = 10.0
_AXIS_BEHIND_EYES_MM = 29.0
# Angles at that point from straight ahead backwards, at which a line is sampled.
_SWEEP_RAD = np.radians(np.arange(15.0, 135.0, 0.25))
# The outline of a frontal view lies where the skin has turned away: beside the eyes, where the
# head goes on widening towards the ears, as far as this cosine between its normal and the way to
# the front; at the chin, whose underside is never hidden wholly, as far as the second.
_LIMB_COSINE = (0.18, 0.25)
# How far a line reaches behind and before a point: the limb of a frontal view for the jaw, whose
# points always slide, or a point that slides only where it is turned away, so forwards.
_JAW_REACH_MM = (26.0, 38.0)
_OVAL_REACH_MM = (10.0, 40.0)
_JAW_POINTS = 17


def jaw_lines(
    surface: HeadSurface, eyes_mm: np.ndarray, hidden: np.ndarray
) -> tuple[Points, Points]:
    """iBUG's 17 jaw points where a frontal view has them, and (17, candidates) their lines.

    The points divide the outline evenly, from the height of the eyes on the subject's right over
    the chin to the left; the second half mirrors the first. Lines run from behind to the front.

    Args:
        eyes_mm: (3,) midway between the outer corners of the eyes.
        hidden: (quads,) base quads that are never the face's outline: the ears.
    """
    down = np.radians(np.arange(-30.0, 90.5, 0.5))
    outline = [_Line(surface, eyes_mm, np.pi + angle, hidden) for angle in down]
    limb_mm = np.array([line.limb_mm for line in outline])
    first = int(np.abs(limb_mm[: len(down) // 2, 1] - eyes_mm[1]).argmin())
    length = np.append(0, np.linalg.norm(np.diff(limb_mm[:, :2], axis=0), axis=1).cumsum())
    half = _JAW_POINTS // 2
    wanted = np.linspace(length[first], length[-1], half + 1)
    angles = np.pi + np.interp(wanted, length, down)
    lines = [_Line(surface, eyes_mm, angle, hidden) for angle in angles]
    return _both_sides(surface, lines)


def oval_lines(
    surface: HeadSurface, eyes_mm: np.ndarray, hidden: np.ndarray, oval_mm: np.ndarray
) -> Points:
    """(points, candidates) lines through given points of the outline, from behind to the front."""
    around_mm = oval_mm - _axis_mm(eyes_mm)
    angles = np.arctan2(around_mm[:, 1], around_mm[:, 0])
    lines = [_Line(surface, eyes_mm, angle, hidden) for angle in angles]
    starts = [line.nearest(point) for line, point in zip(lines, oval_mm, strict=True)]
    return _stacked(
        [line.candidates(at, _OVAL_REACH_MM) for line, at in zip(lines, starts, strict=True)]
    )


def _axis_mm(eyes_mm: np.ndarray) -> np.ndarray:
    return np.array([0.0, eyes_mm[1] - _AXIS_BELOW_EYES_MM, eyes_mm[2] - _AXIS_BEHIND_EYES_MM])


class _Line:
    """The cut of one half-plane with the skin, from the front backwards."""

    def __init__(
        self, surface: HeadSurface, eyes_mm: np.ndarray, angle: float, hidden: np.ndarray
    ) -> None:
        axis_mm = _axis_mm(eyes_mm)
        outward = np.array([np.cos(angle), np.sin(angle), 0.0])
        triangle, barycentric = _first_skin(surface, axis_mm, outward, hidden)
        self.points = surface.to_base(triangle, barycentric)
        self.positions_mm = surface.locate(self.points)
        self.length_mm = np.append(
            0, np.linalg.norm(np.diff(self.positions_mm, axis=0), axis=1).cumsum()
        )
        limb_cosine = np.interp(-outward[1], (0.0, 1.0), _LIMB_COSINE)
        facing = surface.normals_at(self.points)[:, 2]
        # The cheek begins outside of the nose and lips, which turn away too.
        beyond = (self.positions_mm - axis_mm) @ outward > 0.8 * self._reach(axis_mm, outward)
        # Before the ear a broad head never turns away wholly: its outline is where it does most.
        turned = facing < max(limb_cosine, facing[beyond].min() + 1e-9)
        self.limb = int((turned & beyond).argmax())

    def _reach(self, axis_mm: np.ndarray, outward: np.ndarray) -> float:
        ahead = self.positions_mm[:, 2] > axis_mm[2]
        return float(((self.positions_mm - axis_mm) @ outward)[ahead].max())

    @property
    def limb_mm(self) -> np.ndarray:
        return self.positions_mm[self.limb]

    def nearest(self, position_mm: np.ndarray) -> int:
        """Number of the sample nearest to a position."""
        return int(np.linalg.norm(self.positions_mm - position_mm, axis=1).argmin())

    def candidates(self, at: int, reach_mm: tuple[float, float]) -> Points:
        """(candidates,) around a sample, from behind to the front; the last repeats at an end."""
        backward_mm, forward_mm = reach_mm
        wanted = self.length_mm[at] + np.linspace(backward_mm, -forward_mm, N_CANDIDATES)
        wanted = np.clip(wanted, self.length_mm[0], self.length_mm[-1])
        return self.points[np.abs(self.length_mm[:, None] - wanted).argmin(axis=0)]


def _first_skin(
    surface: HeadSurface, axis_mm: np.ndarray, outward: np.ndarray, hidden: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Level-2 triangles and barycentrics where rays from the axis point first meet the skin.

    The rays lie in the half-plane and sweep from the front backwards; they end at the first one
    behind the face that meets hidden skin.
    """
    rows = surface.rows["skin"]
    across = np.cross([0.0, 0.0, 1.0], outward)
    offset_mm = surface.vertices_mm - axis_mm
    side = offset_mm @ across
    side = np.where(side == 0, 1e-9, side)
    radial, depth = offset_mm @ outward, offset_mm[:, 2]
    corners = surface.triangles[rows]
    above = side[corners] > 0
    cut = above.any(axis=1) & ~above.all(axis=1) & (radial[corners] > 0).any(axis=1)
    rows, corners = rows[cut], corners[cut]
    ends = _crossed_edges(side[corners])
    end_radial = np.einsum("tek,tk->te", ends, radial[corners])
    end_depth = np.einsum("tek,tk->te", ends, depth[corners])
    share, distance = _ray_hits(end_radial, end_depth)
    nearest = distance.argmin(axis=1)
    met = np.isfinite(distance[np.arange(len(nearest)), nearest])
    is_hidden = hidden[(rows[nearest] // 2) % len(surface.head.quads)]
    # Further in front, rays leave through the eyes and the mouth.
    blocked = np.flatnonzero((~met | is_hidden) & (np.pi / 3 < _SWEEP_RAD))
    kept = np.flatnonzero(met[: blocked[0] if len(blocked) else None])
    hit = nearest[kept]
    s = share[kept, hit][:, None]
    return rows[hit], (1 - s) * ends[hit, 0] + s * ends[hit, 1]


def _crossed_edges(side: np.ndarray) -> np.ndarray:
    """(triangles, 2, 3) barycentrics of the two points where triangles cross the plane."""
    ends = np.zeros((len(side), 2, 3))
    count = np.zeros(len(side), dtype=int)
    for a, b in ((0, 1), (1, 2), (2, 0)):
        crossed = np.flatnonzero((side[:, a] > 0) != (side[:, b] > 0))
        weight = side[crossed, a] / (side[crossed, a] - side[crossed, b])
        ends[crossed, count[crossed], a] = 1 - weight
        ends[crossed, count[crossed], b] = weight
        count[crossed] += 1
    return ends


def _ray_hits(radial: np.ndarray, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(rays, segments) share along each segment and distance of the hit; infinite for a miss."""
    x, z = np.sin(_SWEEP_RAD)[:, None], np.cos(_SWEEP_RAD)[:, None]
    start = radial[:, 0] * z - depth[:, 0] * x
    end = radial[:, 1] * z - depth[:, 1] * x
    change = np.where(start == end, 1e-12, start - end)
    share = start / change
    distance = (radial[:, 0] + share * (radial[:, 1] - radial[:, 0])) * x
    distance += (depth[:, 0] + share * (depth[:, 1] - depth[:, 0])) * z
    hit = (share >= 0) & (share <= 1) & (distance > 0)
    return np.clip(share, 0, 1), np.where(hit, distance, np.inf)


def _both_sides(surface: HeadSurface, lines: list[_Line]) -> tuple[Points, Points]:
    """Points and lines of the right side with the chin last, completed by their mirror images."""
    limbs = joined([line.points[[line.limb]] for line in lines])
    chin = len(lines) - 1
    limbs = limbs.replaced([chin], surface.on_midline(limbs[[chin]]))
    candidates = [line.candidates(line.limb, _JAW_REACH_MM) for line in lines]
    candidates[chin] = surface.on_midline(candidates[chin])
    left = [surface.mirrored(points) for points in candidates[:chin][::-1]]
    return (
        joined([limbs, surface.mirrored(limbs[np.arange(chin)[::-1]])]),
        _stacked(candidates + left),
    )


def _stacked(lines: list[Points]) -> Points:
    return Points(
        np.stack([line.triangle for line in lines]), np.stack([line.barycentric for line in lines])
    )
