"""Points that stay with a mesh as it deforms."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm._tensors import TensorRecord

Array = TypeVar("Array", np.ndarray, Tensor)


@dataclass(frozen=True)
class SurfacePoints(TensorRecord, Generic[Array]):
    """Points on a mesh, each a triangle and barycentric weights of its corners.

    A plain set has one point a name. A contour has several candidates a name, ordered along the
    line on which the visible contour can slide: then `*points` is `names candidates`.

    Files and scores hold NumPy's arrays, models in use hold tensors. What is done with points is
    written the same for both.

    Raises:
        InputError: names, triangles and weights are not equally many.
    """

    triangle: Int[Array, "..."]
    """(*points) rows of the mesh's triangles. On a mesh of quads, quad q has the triangles 2q
    (corners 0 1 2) and 2q + 1 (corners 0 2 3)."""
    barycentric: Float[Array, "..."]
    """(*points, 3) weights of the triangle's corners; they sum to 1."""
    names: tuple[str, ...] = ()
    """What each entry of the first axis is called, in order; empty where points have no names."""

    def __post_init__(self) -> None:
        # By hand and not by jaxtyping, because files bring points that may disagree.
        shape = tuple(self.triangle.shape)
        if self.names and shape[:1] != (len(self.names),):
            raise InputError(
                f"Points on a surface need one name each: got {len(self.names)} names for "
                f"{shape[0] if shape else 0} points."
            )
        if tuple(self.barycentric.shape) != (*shape, 3):
            raise InputError(
                f"Points on a surface need three weights each: got weights of shape "
                f"{tuple(self.barycentric.shape)} for points of shape {shape}."
            )

    def __len__(self) -> int:
        return len(self.triangle)

    def index(self, *names: str) -> list[int]:
        """Positions of names, in the order given."""
        position = {name: i for i, name in enumerate(self.names)}
        try:
            return [position[name] for name in names]
        except KeyError as error:
            raise KeyError(f"No point is called {error.args[0]!r} in this set.") from None

    def take(self, rows: Sequence[int]) -> "SurfacePoints[Array]":
        """Some of the points, in the order given."""
        chosen = list(rows)
        names = tuple(self.names[row] for row in chosen) if self.names else ()
        return SurfacePoints(self.triangle[chosen], self.barycentric[chosen], names)

    def select(self, *names: str) -> "SurfacePoints[Array]":
        """The named points alone."""
        return self.take(self.index(*names))

    def flat(self) -> "SurfacePoints[Array]":
        """The candidates of a contour as a plain set, line by line."""
        triangle = self.triangle.reshape(-1)
        per_name = len(triangle) // max(len(self), 1)
        names = tuple(f"{name}/{k}" for name in self.names for k in range(per_name))
        return SurfacePoints(triangle, self.barycentric.reshape(-1, 3), names)

    def locate(
        self, values: Float[Array, "*batch vertices c"], triangles: Int[Array, "triangles 3"]
    ) -> Float[Array, "*batch_points c"]:
        """Interpolate vertex values (positions, colours, ...) at the points.

        Args:
            values: one row a vertex of the mesh.
            triangles: the mesh's.

        Returns:
            The values at the points, shape `(*batch, *points, c)`.
        """
        corners: Any = values[..., triangles[self.triangle], :]
        return (corners * self.barycentric[..., None]).sum(-2)

    def numpy(self) -> "SurfacePoints[np.ndarray]":
        """The same points as arrays in double precision."""
        triangle, barycentric = _array(self.triangle), _array(self.barycentric)
        return SurfacePoints(triangle.astype(np.int64), barycentric.astype(np.float64), self.names)


def _array(values: Any) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else values
