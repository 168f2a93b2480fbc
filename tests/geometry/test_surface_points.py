"""Points on a surface: the same with arrays and tensors, and a sentence for what does not fit."""

import numpy as np
import pytest
import torch

from fit3dmm._errors import InputError
from fit3dmm.geometry.surface_points import SurfacePoints

TRIANGLES = np.array([[0, 1, 2], [0, 2, 3]])
VERTICES = np.array([[0.0, 0, 0], [2, 0, 0], [2, 2, 0], [0, 2, 4]])
PLAIN = SurfacePoints(
    np.array([0, 1, 1]), np.array([[1.0, 0, 0], [0, 0.5, 0.5], [0.25, 0.25, 0.5]]), ("a", "b", "c")
)
LINES = SurfacePoints(
    np.array([[0, 1], [1, 1]]), np.eye(3)[np.array([[0, 1], [2, 0]])], ("left", "right")
)


def tensors(points: SurfacePoints) -> SurfacePoints:
    return SurfacePoints(
        torch.from_numpy(points.triangle), torch.from_numpy(points.barycentric), points.names
    )


def test_points_are_where_their_weights_say() -> None:
    np.testing.assert_array_equal(
        PLAIN.locate(VERTICES, TRIANGLES), [[0, 0, 0], [1, 2, 2], [0.5, 1.5, 2]]
    )
    # Candidates of contours and batches of shapes keep their axes.
    shapes = np.stack([VERTICES, 2 * VERTICES])
    found = LINES.locate(shapes, TRIANGLES)
    np.testing.assert_array_equal(found[0], [[[0, 0, 0], [2, 2, 0]], [[0, 2, 4], [0, 0, 0]]])
    np.testing.assert_array_equal(found[1], 2 * found[0])


@pytest.mark.parametrize("points", [PLAIN, LINES], ids=["plain", "lines"])
def test_tensors_give_what_arrays_give(points) -> None:
    located = tensors(points).locate(torch.from_numpy(VERTICES), torch.from_numpy(TRIANGLES))
    np.testing.assert_array_equal(located.numpy(), points.locate(VERTICES, TRIANGLES))
    back = tensors(points).numpy()
    np.testing.assert_array_equal(back.triangle, points.triangle)
    np.testing.assert_array_equal(back.barycentric, points.barycentric)
    assert back.names == points.names


@pytest.mark.parametrize("kind", [lambda points: points, tensors], ids=["arrays", "tensors"])
def test_points_are_chosen_by_name_and_by_row(kind) -> None:
    points = kind(PLAIN)
    assert points.index("c", "a") == [2, 0]
    chosen = points.select("c", "a")
    assert chosen.names == ("c", "a")
    assert chosen.triangle.tolist() == [1, 0]
    assert points.take([2, 0]).barycentric.tolist() == chosen.barycentric.tolist()
    with pytest.raises(KeyError, match="No point is called 'd'"):
        points.select("d")


def test_a_flat_contour_goes_line_by_line() -> None:
    flat = LINES.flat()
    assert flat.names == ("left/0", "left/1", "right/0", "right/1")
    np.testing.assert_array_equal(
        flat.locate(VERTICES, TRIANGLES), LINES.locate(VERTICES, TRIANGLES).reshape(-1, 3)
    )


def test_what_does_not_fit_is_told_in_a_sentence() -> None:
    with pytest.raises(InputError, match="2 names for 3 points"):
        SurfacePoints(PLAIN.triangle, PLAIN.barycentric, ("a", "b"))
    with pytest.raises(InputError, match=r"weights of shape \(2, 3\) for points of shape \(3,\)"):
        SurfacePoints(PLAIN.triangle, PLAIN.barycentric[:2])
