"""Eyebrows: MakeHuman's twelve brow proxies as coverage of the skin by hair."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from commons.fine import FineHead
from commons.skins import smoothstep
from commons.sources import Sources

STYLES = tuple(f"eyebrow{number:03d}" for number in range(1, 13))
# How usual each style is: the thin arches and the bushy ones are rare.
STYLE_SHARES = np.array([14, 8, 4, 12, 9, 0.5, 3, 14, 1.5, 8, 8, 6.0])
# Hairs are finer than the mesh; the textures are blurred to about its spacing first.
_BLUR_MM = 0.55
_CARD_EDGE_MM = 0.8
_MAX_HEIGHT_MM = 5.0
_SAMPLES_A_SIDE = 10


@dataclass(frozen=True)
class BrowStyle:
    """One proxy: cards with hairs painted on them, laid over one another on the brow ridge."""

    opacity: np.ndarray
    """(height, width) image, blurred."""
    cards: tuple[tuple[KDTree, np.ndarray], ...]
    """For each card dense points on it, in mm, and where these lie in the image (row, column)."""


@dataclass(frozen=True)
class Brows:
    """Brow styles in place on the mean head."""

    styles: tuple[BrowStyle, ...]
    area: np.ndarray
    """(near,) rows of the vertices that a brow can reach."""
    points_mm: np.ndarray
    """(near, 3) these vertices."""
    normals: np.ndarray
    """(near, 3)"""

    def coverage(self, style: int, raised_mm: float, widened: float) -> np.ndarray:
        """(near,) opacity 0..1 at the vertices `area`, with the brow moved up and stretched."""
        at = (self.points_mm - [0, raised_mm, 0]) / [widened, 1, 1]
        clear = np.ones(len(at))
        for tree, pixels in self.styles[style].cards:
            nearest = tree.query(at)[1]
            offset = at - tree.data[nearest]
            height = (offset * self.normals).sum(axis=1)
            beside = np.linalg.norm(offset - height[:, None] * self.normals, axis=1)
            opacity = map_coordinates(self.styles[style].opacity, pixels[nearest].T, order=1)
            inside = smoothstep(beside, _CARD_EDGE_MM, 0.5 * _CARD_EDGE_MM)
            clear *= 1 - np.clip(opacity, 0, 1) * inside * (np.abs(height) < _MAX_HEIGHT_MM)
        return 1 - clear


def read_brows(sources: Sources, shape_mm: np.ndarray, fine: FineHead) -> Brows:
    folder = sources.makehuman / "proxies" / "eyebrows"
    styles = tuple(_read_style(folder / name, shape_mm, fine) for name in STYLES)
    hairs = KDTree(np.concatenate([tree.data for style in styles for tree, _ in style.cards]))
    near = hairs.query(fine.points_mm, distance_upper_bound=8.0)[0] < 8.0
    area = np.flatnonzero(near & fine.in_part("skin"))
    return Brows(styles, area, fine.points_mm[area], fine.normals()[area])


def _read_style(folder: Path, shape_mm: np.ndarray, fine: FineHead) -> BrowStyle:
    proxy = json.loads((folder / f"{folder.name}.json").read_text())
    row = np.full(int(fine.head.vertex.max()) + 1, -1)
    row[fine.head.vertex] = np.arange(len(fine.head.vertex))
    corners = shape_mm[row[np.array(proxy["ref_vIdxs"])]]
    vertices_mm = (corners * np.array(proxy["weights"])[..., None]).sum(axis=1)
    quads, uv_quads = _quads(proxy["faces"])
    uv = np.array(proxy["uvs"][0]).reshape(-1, 2)
    opacity = np.asarray(Image.open(folder / "textures" / f"{folder.name}.png"))[..., 3] / 255
    height, width = opacity.shape
    pixels = np.stack([(1 - uv[:, 1]) * height - 0.5, uv[:, 0] * width - 0.5], axis=1)
    size_mm = np.linalg.norm(np.ptp(vertices_mm[quads], axis=1), axis=1)
    size_px = np.linalg.norm(np.ptp(pixels[uv_quads], axis=1), axis=1)
    px_a_mm = np.median(size_px / np.maximum(size_mm, 1e-3))

    weights = _grid_weights(_SAMPLES_A_SIDE)
    card = _cards(quads, len(vertices_mm))
    cards = []
    for number in np.unique(card):
        on_card = card == number
        points = np.einsum("sk,qkc->qsc", weights, vertices_mm[quads[on_card]])
        at = np.einsum("sk,qkc->qsc", weights, pixels[uv_quads[on_card]])
        cards.append((KDTree(points.reshape(-1, 3)), at.reshape(-1, 2)))
    return BrowStyle(gaussian_filter(opacity, _BLUR_MM * px_a_mm), tuple(cards))


def _cards(quads: np.ndarray, n_vertices: int) -> np.ndarray:
    """(quads,) number of the connected piece that each quad belongs to."""
    first, others = np.repeat(quads[:, 0], 3), quads[:, 1:].ravel()
    links = sp.coo_matrix((np.ones(len(first)), (first, others)), shape=(n_vertices, n_vertices))
    return connected_components(links, directed=False)[1][quads[:, 0]]


def _grid_weights(n: int) -> np.ndarray:
    """(n * n, 4) bilinear weights of a grid of points in a quad."""
    u, v = np.meshgrid(*[(np.arange(n) + 0.5) / n] * 2)
    u, v = u.ravel(), v.ravel()
    return np.stack([(1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v], axis=1)


def _quads(stream: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Quads and texture quads of three.js' JSON format 3, whose faces start with a bit mask."""
    quads, uv_quads, at = [], [], 0
    while at < len(stream):
        kind = stream[at]
        corners = 4 if kind & 1 else 3
        at += 1
        quads.append(stream[at : at + corners])
        at += corners + bool(kind & 2) + bool(kind & 4)
        if kind & 8:
            uv_quads.append(stream[at : at + corners])
            at += corners
        at += bool(kind & 16) + corners * bool(kind & 32)
        at += bool(kind & 64) + corners * bool(kind & 128)
    # Triangles become quads with a doubled corner.
    pad = [[*face, face[-1]][:4] for face in quads], [[*face, face[-1]][:4] for face in uv_quads]
    return np.array(pad[0]), np.array(pad[1])
