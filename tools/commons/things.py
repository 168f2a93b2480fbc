"""Things that the build makes itself: closed forms of quads in a frame of their own."""

from dataclasses import dataclass

import numpy as np

from fit3dmm.geometry.subdivision import composed_operator, refine_levels

_LEVEL = 2


@dataclass(frozen=True)
class Thing:
    """One part of the head, before it is put into its place.

    A thing that lies on the mid-line is its own mirror image; eyeballs are made for the left and
    mirrored by whoever cuts the head.
    """

    part: str
    points_mm: np.ndarray
    """(points, 3) control points in the thing's own frame, whose axes are those of the head."""
    quads: np.ndarray
    """(quads, 4), counter-clockwise from outside."""
    mirror: np.ndarray
    """(points,) the point mirrored across x = 0, where the thing is symmetric."""
    uv: np.ndarray
    """(uv points, 2) in any unit: whoever lays out the texture scales it."""
    uv_quads: np.ndarray


def through(points_mm: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """Control points whose subdivided surface passes through the given points at its vertices."""
    n = len(points_mm)
    smooth = composed_operator(refine_levels(quads, n, _LEVEL), n)[:n]
    return np.linalg.solve(smooth.toarray(), points_mm)


def grid_quads(rows: int, columns: int, closed: bool = False) -> np.ndarray:
    """Quads of a grid of points, row by row; `closed` joins the last column to the first."""
    row, column = np.meshgrid(
        np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij"
    )
    after = (column + 1) % columns
    a, b = row * columns + column, row * columns + after
    return np.stack([a, b, b + columns, a + columns], axis=-1).reshape(-1, 4)


def outwards(points_mm: np.ndarray, quads: np.ndarray, centre_mm: np.ndarray) -> np.ndarray:
    """The quads, all turned around if most of them face the centre."""
    corners = points_mm[quads]
    normals = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    facing = (normals * (corners.mean(axis=1) - centre_mm)).sum(axis=1)
    return quads if facing.sum() > 0 else quads[:, ::-1]


def with_mirror_image(part: str, pieces: list[Thing]) -> Thing:
    """Pieces of the left half and their mirror images as one thing."""
    points, quads, uv, uv_quads = [], [], [], []
    n, n_uv = 0, 0
    for piece in pieces:
        points.append(piece.points_mm)
        quads.append(piece.quads + n)
        uv.append(piece.uv)
        uv_quads.append(piece.uv_quads + n_uv)
        n, n_uv = n + len(piece.points_mm), n_uv + len(piece.uv)
    left, left_uv = np.concatenate(points), np.concatenate(uv)
    left_quads, left_uv_quads = np.concatenate(quads), np.concatenate(uv_quads)
    return Thing(
        part=part,
        points_mm=np.concatenate([left, left * [-1, 1, 1]]),
        quads=np.concatenate([left_quads, left_quads[:, ::-1] + n]),
        mirror=np.concatenate([np.arange(n) + n, np.arange(n)]),
        uv=np.concatenate([left_uv, left_uv * [-1, 1]]),
        uv_quads=np.concatenate([left_uv_quads, left_uv_quads[:, ::-1] + n_uv]),
    )
