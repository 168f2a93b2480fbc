"""Points that ride on a model's surface, and where they appear in the photo.

What moves points is the model's own matter: `Points.at` says where they are and how that changes
with each unknown, and everything behind it follows by the chain rule. So a model with joints takes
the same terms as a linear one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._kept import kept
from fit3dmm._tensors import TensorRecord
from fit3dmm.geometry.camera import perspective, perspective_jacobian
from fit3dmm.geometry.rotation import cross_matrix, rotation_and_jacobian
from fit3dmm.solve.problem import Values
from fit3dmm.unknowns import LOG_FOCAL, ROTATION, TRANSLATION, PhotoIntrinsics


@dataclass(frozen=True)
class Located:
    """Points of a model at some values of the unknowns, in `model`."""

    coordinates: Float[Tensor, "*batch points c"]
    """The place in mm; where a point has a normal, three more for it."""
    wrt: Mapping[str, Float[Tensor, "*any points c n"]]
    """Derivatives of the coordinates with respect to each unknown that they depend on. Where one is
    the same at all values, so is the tensor that is given."""

    @property
    def mm(self) -> Float[Tensor, "*batch points 3"]:
        return self.coordinates[..., :3]

    @property
    def normal(self) -> Float[Tensor, "*batch points 3"]:
        """Not of unit length."""
        return self.coordinates[..., 3:]


@runtime_checkable
class Points(Protocol):
    """Points on a model's surface, whatever moves it."""

    def __len__(self) -> int: ...

    def at(self, values: Values) -> Located:
        """Where they are; batch axes that lead the values lead the points too."""
        ...

    def select(self, rows: Tensor) -> "Points":
        """Some of the points."""
        ...

    def shifted(self, by: Float[Tensor, "points c"]) -> "Points":
        """The same points, elsewhere by a constant."""
        ...


@dataclass(frozen=True)
class LinearPoints(TensorRecord):
    """Points that are linear in some unknowns: they carry their own bases, and a step of the solver
    touches nothing else of the model."""

    mean: Float[Tensor, "points c"]
    """On the mean face."""
    basis: Float[Tensor, "points c k"]
    """Movement by each coefficient of the unknowns, one unknown after another."""
    unknowns: tuple[str, ...]
    sizes: tuple[int, ...]
    """Coefficients of each unknown."""

    def __len__(self) -> int:
        return self.mean.shape[0]

    def at(self, values: Values) -> Located:
        """See `Points`."""
        moved = combined(self.basis, torch.cat([values[name] for name in self.unknowns], -1))
        return Located(self.mean + moved, self._wrt)

    @cached_property
    def _wrt(self) -> dict[str, Float[Tensor, "points c n"]]:
        # Always the same tensors, so that what is made of them can be kept.
        parts = zip(self.unknowns, self.basis.split(self.sizes, -1), strict=True)
        return {name: part for name, part in parts if part.shape[-1]}

    def select(self, rows: Tensor) -> "LinearPoints":
        """See `Points`."""
        return self.replace(mean=self.mean[rows], basis=self.basis[rows])

    def followed_by(self, *others: "LinearPoints") -> "LinearPoints":
        """These points and others of the same unknowns, one after another."""
        every = (self, *others)
        return self.replace(
            mean=torch.cat([one.mean for one in every]),
            basis=torch.cat([one.basis for one in every]),
        )

    def shifted(self, by: Float[Tensor, "points c"]) -> "LinearPoints":
        """See `Points`."""
        return self.replace(mean=self.mean + by)

    def times(self, factor: Float[Tensor, "points"]) -> "LinearPoints":
        """Each point's coordinates times a number."""
        return self.replace(
            mean=factor[:, None] * self.mean, basis=factor[:, None, None] * self.basis
        )

    def beside(self, other: "LinearPoints") -> "LinearPoints":
        """With the other's coordinates, of the same unknowns, behind their own."""
        return self.replace(
            mean=torch.cat([self.mean, other.mean], 1),
            basis=torch.cat([self.basis, other.basis], 1),
        )


def combined(
    basis: Float[Tensor, "points c k"], coefficients: Float[Tensor, "*batch k"]
) -> Float[Tensor, "*batch points c"]:
    """Sum of the columns of a basis, each times its coefficient."""
    flat = coefficients @ basis.flatten(0, 1).mT
    return flat.unflatten(-1, basis.shape[:2])


@dataclass(frozen=True)
class Projection:
    """Points of a model in a photo, at some values of the unknowns."""

    located: Located
    turned_mm: Float[Tensor, "*batch points 3"]
    """Rotated but not shifted: `cam` axes, the model's origin."""
    cam_mm: Float[Tensor, "*batch points 3"]
    px: Float[Tensor, "*batch points 2"]
    """In the photo."""
    rotation: Float[Tensor, "*batch 3 3"]
    rotation_jacobian: Float[Tensor, "*batch 3 3"]
    """`left_jacobian` of the rotation vector."""
    px_wrt_cam: Float[Tensor, "*batch points 2 3"]
    """Derivative of `px` with respect to `cam_mm`."""
    px_wrt_log_focal: Float[Tensor, "*batch points 2"]

    def pull_back(
        self, wrt_px: Float[Tensor, "*any points rows 2"], free: tuple[str, ...]
    ) -> dict[str, Float[Tensor, "*batch all_rows _"]]:
        """Derivatives with respect to the free unknowns of rows whose derivatives with respect to
        `px` are given."""
        parts = self.pull_back_cam(wrt_px @ self.px_wrt_cam, free)
        if LOG_FOCAL in free:
            rows = wrt_px @ self.px_wrt_log_focal[..., None]
            parts[LOG_FOCAL] = rows.flatten(-3, -2)
        return parts

    def pull_back_cam(
        self, wrt_cam: Float[Tensor, "*batch points rows 3"], free: tuple[str, ...]
    ) -> dict[str, Float[Tensor, "*batch all_rows _"]]:
        """The same for rows whose derivatives with respect to `cam_mm` are given."""
        parts = {}
        if TRANSLATION in free:
            parts[TRANSLATION] = wrt_cam.flatten(-3, -2)
        if ROTATION in free:
            rows = wrt_rotation(self.turned_mm, wrt_cam, self.rotation_jacobian)
            parts[ROTATION] = rows.flatten(-3, -2)
        wrt_model = unturned(wrt_cam, self.rotation)
        for name, coordinates in self.located.wrt.items():
            if name in free:
                parts[name] = (wrt_model @ coordinates[..., :3, :]).flatten(-3, -2)
        return parts


def project(points: Points, values: Values, intrinsics: PhotoIntrinsics) -> Projection:
    """Where the points are, and how they move."""
    located = points.at(values)
    focal_px = intrinsics.focal_px(values)
    # All terms of an evaluation ask for the same turn; derivatives have a graph of their own.
    turn = rotation_and_jacobian if torch.is_grad_enabled() else _known_turn
    rotation, rotation_jacobian = turn(values[ROTATION])
    turned = located.mm @ rotation.mT
    cam = turned + values[TRANSLATION][..., None, :]
    from_axis = perspective(cam, focal_px)
    return Projection(
        located,
        turned,
        cam,
        from_axis + intrinsics.principal_point_px[..., None, :],
        rotation,
        rotation_jacobian,
        perspective_jacobian(cam, focal_px),
        # The distance from the axis is proportional to the focal length.
        from_axis,
    )


_known_turn = kept(most=1)(rotation_and_jacobian)


def wrt_rotation(
    turned: Float[Tensor, "*batch points 3"],
    wrt_turned: Float[Tensor, "*batch points rows 3"],
    rotation_jacobian: Float[Tensor, "*batch 3 3"],
) -> Float[Tensor, "*batch points rows 3"]:
    """Derivatives with respect to the rotation vector of rows whose derivatives with respect to a
    turned vector are given."""
    return unturned(-(wrt_turned @ cross_matrix(turned)), rotation_jacobian)


def unturned(
    wrt_turned: Float[Tensor, "*batch points rows 3"], rotation: Float[Tensor, "*batch 3 3"]
) -> Float[Tensor, "*batch points rows 3"]:
    """Derivatives with respect to vectors before a linear map, from those behind it."""
    # One product for all rows: for each point by itself it takes far longer.
    rows = wrt_turned.flatten(-3, -2) @ rotation
    return rows.unflatten(-2, wrt_turned.shape[-3:-1])


def isotropic_whitening(sigma_px: Float[Tensor, "points"]) -> Float[Tensor, "points 2 2"]:
    """For `Projection.pull_back`: the same noise in all directions."""
    return torch.eye(2, dtype=sigma_px.dtype, device=sigma_px.device) / sigma_px[:, None, None]
