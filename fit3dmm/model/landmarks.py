"""Named points on a model's surface."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm._tensors import TensorRecord


@dataclass(frozen=True)
class LandmarkMap(TensorRecord):
    """Points on the surface, each a triangle and barycentric weights of its corners.

    A plain set has one point a name. A contour set has several candidates a name, ordered along
    the line on which the visible outline can slide: then `*points` is `names candidates`.
    """

    names: tuple[str, ...]
    """What each entry of the first axis is called, in order."""
    triangle: Int[Tensor, "*points"]
    """Row of the surface's triangles."""
    barycentric: Float[Tensor, "*points 3"]
    """Weights of the triangle's corners; they sum to 1."""

    def __post_init__(self) -> None:
        if len(self.names) != self.triangle.shape[0]:
            raise ValueError(
                f"A landmark map needs one name a point: got {len(self.names)} names "
                f"for {self.triangle.shape[0]} points."
            )

    def __len__(self) -> int:
        return len(self.names)

    def index(self, *names: str) -> list[int]:
        """Positions of names, in the order given."""
        position = {name: i for i, name in enumerate(self.names)}
        try:
            return [position[name] for name in names]
        except KeyError as error:
            raise KeyError(f"No landmark is called {error.args[0]!r} in this set.") from None

    def select(self, *names: str) -> "LandmarkMap":
        """The named points alone."""
        rows = torch.tensor(self.index(*names), device=self.triangle.device)
        return LandmarkMap(names, self.triangle[rows], self.barycentric[rows])

    def flat(self) -> "LandmarkMap":
        """The candidates of a contour set as a plain set, line by line."""
        per_name = self.triangle[0].numel() if len(self) else 0
        names = tuple(f"{name}/{k}" for name in self.names for k in range(per_name))
        return LandmarkMap(names, self.triangle.flatten(), self.barycentric.flatten(0, -2))

    def locate(
        self, values: Float[Tensor, "*batch vertices c"], triangles: Int[Tensor, "triangles 3"]
    ) -> Float[Tensor, "*batch_points c"]:
        """Interpolate vertex values (positions, colours, ...) at the points.

        Args:
            values: one row a surface vertex.
            triangles: the surface's triangles.

        Returns:
            The values at the points, shape `(*batch, *points, c)`.
        """
        corners = values[..., triangles[self.triangle], :]
        return torch.einsum("...kc,...k->...c", corners, self.barycentric.to(values.dtype))
