"""What a donor (Commons) gives a model that it was laid over: points, colours and regions."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fit3dmm.geometry.nearest import Match, NearestSurface
from fit3dmm.geometry.subdivision import quads_to_triangles, refine_levels
from fit3dmm.geometry.surface_points import SurfacePoints
from fit3dmm.geometry.triangle_mesh import Mesh, vertex_normals
from fit3dmm.model.levels import refine_values
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.model.stored import StoredModel

REGISTERED_LEVEL, TRANSFER_LEVEL = 1, 2
"""Commons is warped at the first and read off at the second, which has four times the vertices."""
SKIN, EYES, NONE = 0, 1, -1
"""Parts of a head that are matched with their like only; none is matched with nothing."""
_BEHIND_SKIN = ("mouth_interior", "eye_socket")
_ON_SKIN = {"brows", "face", "lips", "nose", "skin"}
# Commons' mouth cavity says little about the teeth and gums of another model, so these get plain
# colours of their own, the darker one for what lies in shadow.
_MOUTH_LINEAR = {"mouth_interior": (0.22, 0.07, 0.06), "teeth": (0.45, 0.41, 0.34)}


@dataclass(frozen=True)
class Transferred:
    """The donor's finest surface, laid over the source."""

    stored: StoredModel
    model: MorphableModel
    vertices_mm: np.ndarray
    eyes: np.ndarray
    """Mask of its vertices."""

    @staticmethod
    def of(donor: StoredModel, coarse_mm: np.ndarray) -> "Transferred":
        model = donor.at_level(TRANSFER_LEVEL)
        steps = refine_levels(donor.base_faces, len(donor.mean_mm), TRANSFER_LEVEL)
        vertices = refine_values(steps[REGISTERED_LEVEL:], coarse_mm[None])[0].astype(np.float64)
        eyes = model.regions["eyes"].numpy() > 0.5
        return Transferred(donor, model, vertices, eyes)

    def points_on(self, surface: NearestSurface) -> dict[str, SurfacePoints[np.ndarray]]:
        """All its point sets and contours, on the source's surface."""
        triangles = self.model.surface.triangles.numpy()
        normals = vertex_normals(Mesh(self.vertices_mm, triangles))
        found = {}
        for name, points in {**self.model.landmarks, **self.model.contours}.items():
            points = points.numpy()
            places = points.locate(self.vertices_mm, triangles)
            facing = points.locate(normals, triangles)
            on_eyes = self.eyes[triangles[points.triangle]].all(axis=-1)
            part = np.where(on_eyes, EYES, SKIN).ravel()
            match = _lookup(surface, places.reshape(-1, 3), facing.reshape(-1, 3), part)
            shape = points.triangle.shape
            found[name] = SurfacePoints(
                match.triangle.reshape(shape), match.barycentric.reshape(*shape, 3), points.names
            )
        return found

    def at_vertices(
        self, stored: StoredModel, own_parts: Mapping[str, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """Colours (the source's own where it has any) and regions of the source's vertices."""
        triangles = self.model.surface.triangles.numpy()
        inside = self.model.regions["mouth_interior"].numpy() > 0.5
        part = np.where(self.eyes[triangles].all(axis=1), EYES, SKIN)
        part = np.where(inside[triangles].all(axis=1), NONE, part)
        eyes = own_parts.get("eyes", np.zeros(len(stored.mean_mm), bool))
        wanted = np.where(eyes, EYES, SKIN)
        mean = np.asarray(stored.mean_mm, np.float64)
        normals = vertex_normals(Mesh(mean, triangles_of(stored)))
        surface = NearestSurface(self.vertices_mm, triangles, part)
        match = _lookup(surface, mean, normals, wanted)
        corners = triangles[match.triangle]

        def read(values: np.ndarray) -> np.ndarray:
            return np.einsum("vc,...vcx->...vx", match.barycentric, values[..., corners, :])

        regions = {
            name: read(weights.numpy()[:, None])[:, 0]
            for name, weights in self.model.regions.items()
        }
        # What the source calls the inside of its head is not the skin that happens to lie nearest.
        behind = [own_parts[name] for name in _BEHIND_SKIN if name in own_parts]
        for name in _ON_SKIN & regions.keys():
            regions[name][np.any(behind, axis=0)] = 0
        regions |= {name: mask.astype(np.float64) for name, mask in own_parts.items()}
        if len(stored.albedo_mean_linear) > 0:
            return stored.albedo_mean_linear, stored.albedo_basis_linear, regions
        colour = read(self.model.albedo_mean_linear.numpy())
        modes = np.stack([read(mode.numpy()) for mode in self.model.albedo_basis_linear])
        for name, constant in _MOUTH_LINEAR.items():
            if name in own_parts:
                colour[own_parts[name]] = constant
                modes[:, own_parts[name]] = 0
        return colour, modes.astype(np.float32), regions


def _lookup(
    surface: NearestSurface, places: np.ndarray, normals: np.ndarray, part: np.ndarray
) -> Match:
    """Nearest points that face the same way, or else any way, or else of the skin."""
    match = surface.closest(places, normals, part)
    for again in (part, np.full(len(part), SKIN)):
        lost = np.flatnonzero(~np.isfinite(match.distance_mm))
        if len(lost) == 0:
            break
        other = surface.closest(places[lost], None, again[lost])
        match = Match(
            *(_with_rows(a, lost, b) for a, b in zip(_fields(match), _fields(other), strict=True))
        )
    return match


def _fields(match: Match) -> list[np.ndarray]:
    return [getattr(match, field.name) for field in dataclasses.fields(match)]


def _with_rows(values: np.ndarray, rows: np.ndarray, new: np.ndarray) -> np.ndarray:
    changed = values.copy()
    changed[rows] = new
    return changed


def triangles_of(stored: StoredModel) -> np.ndarray:
    faces = np.asarray(stored.base_faces, np.int64)
    return quads_to_triangles(faces) if stored.is_quad_mesh else faces
