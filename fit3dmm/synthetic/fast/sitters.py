"""What all people of one model have in common, worked out once for all pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import KDTree

from fit3dmm.geometry.mesh import Topology
from fit3dmm.geometry.surface_points import SurfacePoints
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.render import cpu
from fit3dmm.synthetic.fast.lamps import lit_share
from fit3dmm.synthetic.heads import (
    carried_by_skin,
    explained_directions,
    face_weights,
    outer_face,
    random_deformation_mm,
)
from fit3dmm.synthetic.noise import random_waves
from fit3dmm.synthetic.shading import evenly_around
from fit3dmm.synthetic.skin import beard_zone, flush_zone

_NOISE_MM = (9.0, 2.5, 1.2)
_FIELDS = 8
_MOVEMENT_MM, _MOVEMENTS = 25.0, 16
_DEFORMATIONS = 48
_SKY = 48
"""Directions from which ambient occlusion is looked for."""
_INNER = ("mouth_interior", "teeth", "tongue", "gums", "eyes", "eye_socket")


@dataclass(frozen=True)
class Sitters:
    """The people of a model, as far as they are alike. Arrays are float32."""

    model: MorphableModel
    topology: Topology
    mean_mm: Float[np.ndarray, "vertices 3"]
    normals: Float[np.ndarray, "vertices 3"]
    regions: dict[str, Float[np.ndarray, "vertices"]]
    outer: Float[np.ndarray, "vertices"]
    """1 on skin, 0 on eyes, teeth and what else lies behind lips and lids."""
    face: Float[np.ndarray, "vertices"]
    open_sky: Float[np.ndarray, "vertices"]
    """Ambient occlusion of the mean head: share of the sky that is seen."""
    noise: dict[float, Float[np.ndarray, "fields vertices"]]
    """Random fields by their length in mm."""
    movement: Float[np.ndarray, "movements base"]
    """How much more or less places move than the model says, in standard deviations."""
    deformations_mm: Float[np.ndarray, "deformations base 3"]
    """Shapes that no coefficients explain, 1 mm in the mean over the face; none for models whose
    people the fitted model can't represent anyway."""
    points: SurfacePoints[np.ndarray]
    """Those that make the labels."""
    points68: SurfacePoints[np.ndarray]

    @property
    def triangles(self) -> Int[np.ndarray, "triangles 3"]:
        return self.topology.triangles.numpy()

    @cached_property
    def flush(self) -> Float[np.ndarray, "vertices"]:
        """Where blood shows: cheeks and the tip of the nose."""
        return flush_zone(self.mean_mm, self.landmarks68_mm(self.mean_mm)).astype(np.float32)

    @cached_property
    def beard(self) -> Float[np.ndarray, "vertices"]:
        """Where beards grow."""
        zone = beard_zone(self.mean_mm, self.landmarks68_mm(self.mean_mm))
        return (zone * (1 - self.regions["lips"]) * self.outer).astype(np.float32)

    @cached_property
    def eyeballs(self) -> Float[np.ndarray, "triangles"]:
        """1 for triangles of the eyeballs."""
        return self.regions["eyes"][self.triangles].min(axis=1)

    @cached_property
    def skin_tree(self) -> tuple[KDTree, Int[np.ndarray, "skin"]]:
        """The outer vertices of the mean head, to hang things on."""
        rows = np.flatnonzero(self.outer > 0.5)
        return KDTree(self.mean_mm[rows]), rows

    def points_mm(
        self, vertices_mm: Float[np.ndarray, "vertices 3"]
    ) -> Float[np.ndarray, "points 3"]:
        """The named points of a head."""
        return self.points.locate(vertices_mm, self.triangles)

    def landmarks68_mm(
        self, vertices_mm: Float[np.ndarray, "vertices 3"]
    ) -> Float[np.ndarray, "68 3"]:
        """The 68 landmarks of a head."""
        return self.points68.locate(vertices_mm, self.triangles)


def gather_sitters(model: MorphableModel, point_sets: Sequence[str], deformed: bool) -> Sitters:
    """Prepare a model; takes a few seconds.

    Args:
        point_sets: names of the model's landmark sets that make the labels, one after another.
        deformed: prepare shapes outside the model's span.
    """
    topology = model.surface.topology
    mean = model.shape_mm(model.zeros())
    normals = cpu.vertex_normals(mean[None], topology)[0].numpy()
    regions = {name: weight.float().numpy() for name, weight in model.regions.items()}
    inner = [regions[name] for name in _INNER if name in regions]
    face = outer_face(model).astype(np.float32)
    sets = [model.landmarks[name].numpy() for name in point_sets]
    draw = np.random.default_rng(0)
    base = model.mean_mm.numpy()
    return Sitters(
        model=model,
        topology=topology,
        mean_mm=mean.numpy(),
        normals=normals,
        regions=regions,
        outer=1 - np.max(inner, axis=0),
        face=face,
        open_sky=_open_sky(mean.numpy(), normals, topology),
        noise={
            length: _standard([random_waves(mean.numpy(), length, draw) for _ in range(_FIELDS)])
            for length in _NOISE_MM
        },
        movement=_standard([random_waves(base, _MOVEMENT_MM, draw) for _ in range(_MOVEMENTS)]),
        deformations_mm=_deformations(model, draw) if deformed else np.zeros((0, len(base), 3)),
        points=SurfacePoints(
            np.concatenate([points.triangle for points in sets]),
            np.concatenate([points.barycentric for points in sets]),
        ),
        points68=model.landmarks["ibug68"].numpy(),
    )


def _standard(fields: list[np.ndarray]) -> np.ndarray:
    return np.clip(np.stack(fields), -3.5, 3.5).astype(np.float32)


def _open_sky(mean_mm: np.ndarray, normals: np.ndarray, topology: Topology) -> np.ndarray:
    """By shadow maps from all around."""
    seen, full = np.zeros(len(mean_mm)), np.zeros(len(mean_mm))
    for direction in evenly_around(_SKY).astype(np.float32):
        cosine = np.maximum(normals @ direction, 0)
        seen += cosine * lit_share(mean_mm, topology.triangles, direction)
        full += cosine
    return np.clip(seen / np.maximum(full, 1e-6), 0.05, 1).astype(np.float32)


def _deformations(model: MorphableModel, draw: np.random.Generator) -> np.ndarray:
    """Smooth, mostly symmetric, and orthogonal to all that the coefficients can do."""
    weight = face_weights(model)
    face = np.flatnonzero(weight > 0.5)
    root = np.sqrt(np.repeat(weight, 3))
    known = explained_directions(model)
    directions = np.linalg.qr((known * root).T)[0]
    fields = []
    for _ in range(_DEFORMATIONS):
        weighted = random_deformation_mm(model, face, draw).ravel() * root
        rest = weighted - directions @ (directions.T @ weighted)
        # Where nothing weighs, the field itself stays.
        field = np.where(root > 0, rest / np.maximum(root, 1e-9), 0).reshape(-1, 3)
        field = carried_by_skin(model, field)
        fields.append(field / np.sqrt((field[face] ** 2).sum(axis=1).mean()))
    return np.stack(fields).astype(np.float32)
