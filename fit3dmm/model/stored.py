"""A model as it lies in a file: plain arrays on the base mesh, and how they become a model."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm.geometry.subdivision import refine_levels
from fit3dmm.model.landmarks import LandmarkMap
from fit3dmm.model.levels import MAX_LEVEL, refine_values, vertex_counts
from fit3dmm.model.morphable import ModelInfo, MorphableModel
from fit3dmm.model.parts import parts_from_regions, triangles_in_part
from fit3dmm.model.surface import Surface, build_surface, points_at_level
from fit3dmm.model.validate import check_model, check_points


@dataclass(frozen=True)
class StoredPoints:
    """Named points on the base mesh; the arrays' meaning is that of `LandmarkMap` at level 0."""

    names: tuple[str, ...]
    triangle: np.ndarray
    """(*points) rows of the base triangles; quad q has 2q (corners 0 1 2) and 2q + 1 (0 2 3)."""
    barycentric: np.ndarray
    """(*points, 3) weights of the triangle's corners."""

    def __post_init__(self) -> None:
        check_points(self)

    def at_level(self, surface: Surface) -> LandmarkMap:
        """The same points on the triangles of a surface made from this base mesh."""
        triangle, barycentric = points_at_level(
            np.asarray(self.triangle, np.int64), np.asarray(self.barycentric, np.float64), surface
        )
        return LandmarkMap(
            tuple(self.names),
            torch.from_numpy(np.ascontiguousarray(triangle, dtype=np.int64)),
            torch.from_numpy(np.ascontiguousarray(barycentric, dtype=np.float32)),
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
    landmarks: Mapping[str, StoredPoints] = field(default_factory=dict)
    contours: Mapping[str, StoredPoints] = field(default_factory=dict)
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

    def __post_init__(self) -> None:
        check_model(self)

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
            landmarks={name: points.at_level(surface) for name, points in self.landmarks.items()},
            contours={name: points.at_level(surface) for name, points in self.contours.items()},
            regions=self._regions_on(surface),
            parts=self._parts_on(surface),
            joints={name: _tensor(weights) for name, weights in self.joints.items()},
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
    return torch.from_numpy(np.array(values, dtype=np.float32, order="C"))
