"""Points between the named ones: spread evenly over forehead, cheeks, jaw, ears, hairline and neck.

A detector's points are dense where features are and leave the rest of the head bare. These fill it,
each as far from all others as it can be (farthest-point sampling: T. Gonzalez, "Clustering to
minimize the maximum intercluster distance", 1985), for networks that predict dense points.
Networks learn these places, so they were chosen once, on version 2.0, and are kept in
spread_table.json: on another mean face the farthest place is another one.
"""

import json
from pathlib import Path

import numpy as np
from scipy.spatial import KDTree

from commons.surface_points import LEVEL, HeadSurface, Points, joined, symmetric_points
from fit3dmm.geometry.subdivision import composed_operator, refine_levels
from fit3dmm.geometry.surface_points import SurfacePoints

COUNTS = {"forehead": 32, "cheek": 44, "jaw": 36, "ear": 32, "hairline": 28, "neck": 28}
"""Points of each area; both sides together."""
TABLE = Path(__file__).with_name("spread_table.json")
_ON_MIDLINE_MM = 0.6
_HAIRLINE_HALF_WIDTH_MM = 7.0
_THROAT_DEPTH_MM = 75.0


def read_spread_points() -> SurfacePoints[np.ndarray]:
    """Those that were chosen, on the base mesh."""
    table = json.loads(TABLE.read_text())
    return SurfacePoints(
        np.array(table["triangle"]), np.array(table["barycentric"]), tuple(table["names"])
    )


def write_spread_points(points: SurfacePoints[np.ndarray]) -> None:
    """Replace those that were chosen: networks that know the old ones know none of these."""
    table = {
        "names": list(points.names or ()),
        "triangle": points.triangle.tolist(),
        "barycentric": points.barycentric.round(7).tolist(),
    }
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in table.items())
    TABLE.write_text(f"{{\n{lines}\n}}\n")


def spread_points(
    surface: HeadSurface,
    regions: dict[str, np.ndarray],
    ibug68: SurfacePoints[np.ndarray],
    mediapipe: Points,
) -> SurfacePoints[np.ndarray]:
    """About 200 points, named by area and number; `_left` and `_right` are mirror images."""
    taken_mm = np.concatenate(
        [surface.locate(Points(ibug68.triangle, ibug68.barycentric)), surface.locate(mediapipe)]
    )
    names, found = [], []
    for area, mask in _areas(surface, regions, surface.locate(mediapipe)).items():
        wanted_mm, side = _farthest(surface, mask, taken_mm, COUNTS[area])
        taken_mm = np.concatenate([taken_mm, wanted_mm])
        row = np.arange(len(wanted_mm))
        # Pairs follow each other, right before left.
        mirror = np.where(side == "right", row + 1, np.where(side == "left", row - 1, row))
        found.append(symmetric_points(wanted_mm, mirror, surface))
        number = np.cumsum(side != "left") - 1
        names += [
            f"{area}_{k:02d}{'_' + s if s else ''}" for k, s in zip(number, side, strict=True)
        ]
    points = joined(found)
    return SurfacePoints(points.triangle, points.barycentric, tuple(names))


def _areas(
    surface: HeadSurface, regions: dict[str, np.ndarray], mediapipe_mm: np.ndarray
) -> dict[str, np.ndarray]:
    """(vertices,) masks of the level-2 vertices of each area."""
    n = surface.head.n_base
    operator = composed_operator(refine_levels(surface.head.quads, n, LEVEL), n)
    weight = {name: operator @ values for name, values in regions.items()}
    _, y, z = surface.vertices_mm.T
    face = (weight["face"] > 0.5) & (weight["lips"] < 0.3) & (weight["nose"] < 0.4)
    # MediaPipe's 105 and 334 lie on the brows, 61 and 291 in the corners of the mouth.
    brow, mouth = mediapipe_mm[[105, 334], 1].mean(), mediapipe_mm[[61, 291], 1].mean()
    ear_z = z[weight["ears"] > 0.5].max()
    skin = np.zeros(len(y), dtype=bool)
    skin[np.unique(surface.triangles[surface.rows["skin"]])] = True
    on_edge = _edge_of_face(surface, regions)
    edge_mm = on_edge[on_edge[:, 1] > mediapipe_mm[[33, 263], 1].mean()]
    hairline = KDTree(edge_mm).query(surface.vertices_mm)[0] < _HAIRLINE_HALF_WIDTH_MM
    below = (y < mouth) & (z > ear_z - 10) & (weight["ears"] < 0.2)
    under_chin = mediapipe_mm[152, 1]
    return {
        "forehead": face & (y > brow) & ~hairline,
        "cheek": face & (y < brow) & (y > mouth) & ~hairline,
        "jaw": skin & below & (y > under_chin - 4) & (weight["lips"] < 0.3),
        "ear": weight["ears"] > 0.6,
        "hairline": hairline & skin & (weight["ears"] < 0.2),
        "neck": (weight["neck"] > 0.6) & (y < under_chin - 8) & (z > ear_z - _THROAT_DEPTH_MM),
    }


def _edge_of_face(surface: HeadSurface, regions: dict[str, np.ndarray]) -> np.ndarray:
    """(points, 3) where the region `face` ends on the skin."""
    quads = surface.head.quads[surface.head.quad_part == 0]
    inside = regions["face"][quads] > 0.5
    mixed = inside.any(axis=1) & ~inside.all(axis=1)
    rim = np.unique(quads[mixed][inside[mixed]])
    return surface.vertices_mm[rim]


def _farthest(
    surface: HeadSurface, mask: np.ndarray, taken_mm: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """(count, 3) places and whether each is on the `right`, the `left` or in the middle (``)."""
    places = surface.vertices_mm[mask & (surface.vertices_mm[:, 0] < _ON_MIDLINE_MM)]
    distance = KDTree(taken_mm).query(places)[0]
    chosen, side = [], []
    while len(chosen) < count:
        # One place left: only the middle has a single point.
        allowed = np.abs(places[:, 0]) < _ON_MIDLINE_MM if len(chosen) == count - 1 else slice(None)
        usable = np.full(len(places), -1.0)
        usable[allowed] = distance[allowed]
        place = places[usable.argmax()]
        if usable.max() < 0:
            break
        middle = abs(place[0]) < _ON_MIDLINE_MM
        new = [place * [0, 1, 1]] if middle else [place, place * [-1, 1, 1]]
        side += [""] if middle else ["right", "left"]
        chosen += new
        distance = np.minimum(distance, KDTree(np.array(new)).query(places)[0])
    return np.array(chosen), np.array(side)
