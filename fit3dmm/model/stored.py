"""A model as it lies in a file: plain arrays on the base mesh, and how they become a model."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm.geometry.subdivision import refine_levels
from fit3dmm.geometry.surface_points import SurfacePoints
from fit3dmm.model.levels import MAX_LEVEL, refine_values, vertex_counts
from fit3dmm.model.morphable import ModelInfo, MorphableModel
from fit3dmm.model.parts import parts_from_regions, triangles_in_part
from fit3dmm.model.stored_rig import StoredRig
from fit3dmm.model.surface import Surface, build_surface, points_at_level
from fit3dmm.model.validate import (
    check_array,
    check_expression_factor,
    check_indices,
    check_joint,
    check_parts,
)


@dataclass(frozen=True)
class StoredModel:
    """Everything a model file holds. Shapes and regions live on the base mesh.

    The albedo has a level of its own, because colour needs more resolution than shape. Vertex k of
    a level is vertex k of every finer level, so a coarser surface takes the first rows of the
    albedo and a finer one refines it linearly. A record that exists is sound: making one with
    shapes that disagree, indices out of range or numbers that are not finite is an InputError,
    a sentence for the person whose file it is; so the shapes are not jaxtyping's to check.
    """

    info: ModelInfo
    base_faces: np.ndarray
    """(faces, 4) quads or (faces, 3) triangles, counter-clockwise from outside."""
    base_mirror: np.ndarray
    """(base,) for each vertex the one that lies mirrored across x = 0."""
    base_uv: np.ndarray
    """(base_uv_points, 2) texture coordinates 0..1, origin at the bottom left."""
    base_uv_faces: np.ndarray
    """(faces, corners) rows of `base_uv`."""
    mean_mm: np.ndarray
    """(base, 3)"""
    identity_basis_mm: np.ndarray
    """(identity, base, 3), times sigma, as are all bases."""
    detail_basis_mm: np.ndarray
    """(detail, base, 3)"""
    expression_basis_mm: np.ndarray
    """(expression, base, 3)"""
    expression_names: tuple[str, ...]
    expression_sigma: np.ndarray
    """(expression,)"""
    expression_bounds: np.ndarray
    """(expression, 2)"""
    albedo_level: int
    albedo_mean_linear: np.ndarray
    """(albedo_vertices, 3); no rows where the source has no colour: complete such a model first."""
    albedo_basis_linear: np.ndarray
    """(albedo, albedo_vertices, 3)"""
    landmarks: Mapping[str, SurfacePoints[np.ndarray]] = field(default_factory=dict)
    """Named points on the triangles of the base mesh."""
    contours: Mapping[str, SurfacePoints[np.ndarray]] = field(default_factory=dict)
    regions: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Weights 0..1 of the base vertices."""
    default_level: int = 0
    """The level that `load_model` takes when none is asked for."""
    parts: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Rows of `base_faces` of each thing (`skin`, `eye_left`, `teeth_upper`, `tongue`, ...); each
    face belongs to one. None at all: the regions say which faces are eyes and mouth."""
    joints: Mapping[str, np.ndarray] = field(default_factory=dict)
    """(base,) weights that add up to 1, of the base vertices whose weighted sum at rest is the
    centre about which a part turns: `eye_left`, `eye_right`, `jaw`."""
    expression_covariance_factor: np.ndarray | None = None
    """(expression, expression) lower triangular L: the prior covariance of the expression
    coefficients is L L^T, whose diagonal is `expression_sigma` squared. None: they are
    independent."""
    rig: StoredRig | None = None
    """Joints that turn parts of the head; None where all that moves is linear."""

    def __post_init__(self) -> None:
        self._check_mesh()
        for name, shape in self._shapes().items():
            check_array(name, getattr(self, name), shape, finite=name != "expression_bounds")
        n_base = len(self.mean_mm)
        for name, weights in self.regions.items():
            check_array(f"region {name}", weights, (n_base,))
        check_indices("base_faces", self.base_faces, n_base)
        check_indices("base_mirror", self.base_mirror, n_base)
        check_indices("base_uv_faces", self.base_uv_faces, len(self.base_uv))
        if np.isnan(self.expression_bounds).any():
            raise InputError("expression_bounds holds values that are not numbers.")
        if self.expression_covariance_factor is not None:
            check_expression_factor(self.expression_covariance_factor, self.expression_sigma)
        check_parts(self.parts, len(self.base_faces))
        for name, weights in self.joints.items():
            check_joint(name, weights, n_base)
        if self.rig is not None:
            self.rig.check(n_base)
        n_triangles = len(self.base_faces) * (self.base_faces.shape[1] - 2)
        for name, points in {**self.landmarks, **self.contours}.items():
            if len(points.names) != len(points):
                raise InputError(f"Point set {name} has {len(points)} points without names.")
            check_array(f"point set {name}", points.barycentric, (*points.triangle.shape, 3))
            check_indices(f"point set {name}", points.triangle, n_triangles)

    def _check_mesh(self) -> None:
        corners = self.base_faces.shape[-1]
        if corners not in (3, 4):
            raise InputError(f"base_faces must have 3 or 4 corners a face, got {corners}.")
        if not 0 <= self.albedo_level <= MAX_LEVEL or (corners == 3 and self.albedo_level):
            raise InputError(f"albedo_level {self.albedo_level} does not exist for this mesh.")

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """What each array's shape must be, as told by the mesh and the numbers of components."""
        n_base, (n_faces, corners) = len(self.mean_mm), self.base_faces.shape
        k_expression, k_albedo = len(self.expression_names), len(self.albedo_basis_linear)
        n_albedo = 0
        if len(self.albedo_mean_linear) > 0:
            n_albedo = vertex_counts(self.base_faces, n_base, self.albedo_level)[-1]
        return {
            "base_faces": (n_faces, corners),
            "base_mirror": (n_base,),
            "base_uv": (len(self.base_uv), 2),
            "base_uv_faces": (n_faces, corners),
            "mean_mm": (n_base, 3),
            "identity_basis_mm": (len(self.identity_basis_mm), n_base, 3),
            "detail_basis_mm": (len(self.detail_basis_mm), n_base, 3),
            "expression_basis_mm": (k_expression, n_base, 3),
            "expression_sigma": (k_expression,),
            "expression_bounds": (k_expression, 2),
            "albedo_mean_linear": (n_albedo, 3),
            "albedo_basis_linear": (k_albedo, n_albedo, 3),
        }

    @property
    def is_quad_mesh(self) -> bool:
        return self.base_faces.shape[1] == 4

    def at_level(self, level: int | None = None) -> MorphableModel:
        """The model on the surface of a subdivision level, as float32 tensors on the CPU.

        Raises:
            InputError: the level does not exist for this mesh, or the model has no colours.
        """
        if len(self.albedo_mean_linear) == 0:
            raise InputError(
                f"Model {self.info.name!r} holds shapes only, so it can't be rendered or fitted: "
                "`fit3dmm model convert` makes a whole model of it."
            )
        level = self.default_level if level is None else level
        highest = MAX_LEVEL if self.is_quad_mesh else 0
        if not 0 <= level <= highest:
            raise InputError(
                f"Model {self.info.name!r} has the subdivision levels 0 to {highest}, got {level}: "
                "choose one of these (triangle meshes have level 0 only)."
            )
        surface = build_surface(
            self.base_faces, self.base_mirror, self.base_uv, self.base_uv_faces, level
        )
        return MorphableModel(
            info=self.info,
            surface=surface,
            mean_mm=_tensor(self.mean_mm),
            identity_basis_mm=_tensor(self.identity_basis_mm),
            detail_basis_mm=_tensor(self.detail_basis_mm),
            expression_basis_mm=_tensor(self.expression_basis_mm),
            expression_names=tuple(self.expression_names),
            expression_sigma=_tensor(self.expression_sigma),
            expression_bounds=_tensor(self.expression_bounds),
            expression_covariance_factor=_tensor(self.expression_factor),
            albedo_mean_linear=_tensor(self._albedo_at(level, self.albedo_mean_linear[None])[0]),
            albedo_basis_linear=_tensor(self._albedo_at(level, self.albedo_basis_linear)),
            landmarks={k: points_at_level(points, surface) for k, points in self.landmarks.items()},
            contours={k: points_at_level(points, surface) for k, points in self.contours.items()},
            regions=self._regions_on(surface),
            parts=self._parts_on(surface),
            joints={name: _tensor(weights) for name, weights in self.joints.items()},
            rig=None if self.rig is None else self.rig.tensors(),
        )

    @property
    def expression_factor(self) -> np.ndarray:
        """(expression, expression) `expression_covariance_factor`, also where none is stored."""
        if self.expression_covariance_factor is None:
            return np.diag(self.expression_sigma)
        return self.expression_covariance_factor

    def _parts_on(self, surface: Surface) -> dict[str, Bool[Tensor, "triangles"]]:
        parts = self.parts or parts_from_regions(self.base_faces, self.regions)
        n_faces, corners = self.base_faces.shape
        n_triangles = len(surface.triangles)
        return {
            name: torch.from_numpy(triangles_in_part(rows, n_faces, corners, n_triangles))
            for name, rows in parts.items()
        }

    def _regions_on(self, surface: Surface) -> dict[str, Float[Tensor, "vertices"]]:
        if not self.regions:
            return {}
        # One product for all: lifting them one by one takes longer than reading the file.
        weights = _tensor(np.stack(list(self.regions.values()), axis=-1))
        lifted = surface.lift(weights).clamp(0, 1).T.contiguous()
        return dict(zip(self.regions, lifted.unbind(), strict=True))

    def _albedo_at(
        self, level: int, values: Float[np.ndarray, "k albedo_vertices 3"]
    ) -> Float[np.ndarray, "k vertices 3"]:
        if level == self.albedo_level:
            return values
        if level < self.albedo_level:
            return values[:, : vertex_counts(self.base_faces, len(self.mean_mm), level)[level]]
        steps = refine_levels(self.base_faces, len(self.mean_mm), level)[self.albedo_level :]
        return refine_values(steps, values)


def _tensor(values: np.ndarray) -> Tensor:
    """Sharing the array's memory, where it can be: colours alone fill 50 MB."""
    return torch.from_numpy(np.require(values, np.float32, ("C", "W")))
