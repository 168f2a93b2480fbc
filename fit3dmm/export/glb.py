"""The face as binary glTF 2.0: texture, normals, and a morph target for each expression unit.

Metres, y up, the face looks along +z, as glTF wants it and as the `model` frame is. The mesh is the
person at rest; the default weights of the morph targets are the fitted expression. Targets move a
part of the face only, so they are stored as sparse accessors. The mesh is the coarser one that
avatars have, its vertices and normals those of the fine surface. Source: Khronos Group, "glTF 2.0
specification", 2021, sections 3.6.2.3 (sparse), 3.7.2.2 (morph targets) and 4.4 (GLB).
"""

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm import __version__
from fit3dmm._files import atomic_path
from fit3dmm.geometry.mesh import topology_of
from fit3dmm.model.morphable import Coefficients, MorphableModel
from fit3dmm.model.surface import Surface, build_surface
from fit3dmm.render.backend import choose_backend

LEVEL = 1
"""Subdivision level of the mesh: 16,000 vertices for Commons, which phones can animate."""
ROUGHNESS = 0.6
_MM_PER_M = 1000.0
# What a unit moves by less stays out of its morph target.
_STILL_MM = 0.01
_STILL_NORMAL = 0.01

_FLOAT, _UINT16, _UINT32 = 5126, 5123, 5125
_VERTEX_DATA, _INDEX_DATA = 34962, 34963
_LINEAR, _LINEAR_MIPMAPS, _CLAMP = 9729, 9987, 33071
_MAGIC, _JSON_CHUNK, _BINARY_CHUNK = b"glTF", b"JSON", b"BIN\0"


@dataclass(frozen=True)
class SplitVertices:
    """Vertices of a mesh cut open along the borders of its texture islands.

    glTF has one index for position and texture, so that a vertex on a border is there twice.
    """

    vertex: Int[np.ndarray, "split"]
    """Which vertex of the surface each is."""
    uv_point: Int[np.ndarray, "split"]
    """Which texture coordinate it has."""
    triangles: Int[np.ndarray, "triangles 3"]


def drawn_surface(model: MorphableModel, level: int = LEVEL) -> Surface:
    """The model's surface, or a coarser one whose vertices are its first."""
    fine = model.surface
    if fine.level <= level:
        return fine
    base = (fine.base_faces, fine.base_mirror, fine.base_uv, fine.base_uv_faces)
    return build_surface(*(array.cpu().numpy() for array in base), level=level)


def split_vertices(surface: Surface) -> SplitVertices:
    """One vertex for each pair of a surface vertex and a texture coordinate that occurs."""
    corner = surface.triangles.cpu().numpy().ravel().astype(np.int64)
    corner_uv = surface.uv_triangles.cpu().numpy().ravel().astype(np.int64)
    n_uv = len(surface.uv)
    pairs, index = np.unique(corner * n_uv + corner_uv, return_inverse=True)
    return SplitVertices(pairs // n_uv, pairs % n_uv, index.reshape(-1, 3))


def write_glb(
    model: MorphableModel, coefficients: Coefficients, texture_png: bytes, path: Path
) -> None:
    """Write the face of one person.

    Args:
        texture_png: the base colour, an encoded sRGB picture.

    Raises:
        InputError: the folder can't be written to.
    """
    document, binary = face_document(model, coefficients, texture_png)
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    length = 12 + 8 + len(text) + 8 + len(binary)
    with atomic_path(Path(path)) as temporary, temporary.open("wb") as file:
        file.write(_MAGIC + struct.pack("<II", 2, length))
        file.write(struct.pack("<I", len(text)) + _JSON_CHUNK + text)
        file.write(struct.pack("<I", len(binary)) + _BINARY_CHUNK + binary)


def face_document(
    model: MorphableModel, coefficients: Coefficients, texture_png: bytes
) -> tuple[dict[str, Any], bytes]:
    """The JSON and the binary part."""
    surface = drawn_surface(model)
    split = split_vertices(surface)
    buffer = _Buffer()
    neutral_mm = model.shape_mm(coefficients.neutral()).detach()
    normals = _normals(model, neutral_mm)
    attributes = {
        "POSITION": buffer.vertices(_rows(neutral_mm, split) / _MM_PER_M, bounds=True),
        "NORMAL": buffer.vertices(_unit(_rows(normals, split))),
        "TEXCOORD_0": buffer.vertices(_gltf_uv(surface)[split.uv_point]),
    }
    indices = buffer.indices(split.triangles)
    targets = _morph_targets(model, neutral_mm, normals, split, buffer)
    image = buffer.view(texture_png)
    weights = [round(float(w), 5) for w in coefficients.expression]
    weights += [0.0] * (model.n_expression - len(weights))
    primitive = {"attributes": attributes, "indices": indices, "material": 0, "targets": targets}
    mesh: dict[str, Any] = {"name": "face", "primitives": [primitive]}
    if targets:
        mesh |= {"weights": weights, "extras": {"targetNames": list(model.expression_names)}}
    else:
        del primitive["targets"]
    binary = buffer.joined()
    document = {
        "asset": {
            "version": "2.0",
            "generator": f"fit3dmm {__version__}",
            "extras": {"model": model.info.name, "model_licence": model.info.licence},
        },
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": "face", "mesh": 0}],
        "meshes": [mesh],
        "materials": [
            {
                "name": "skin",
                "pbrMetallicRoughness": {
                    "baseColorTexture": {"index": 0},
                    "metallicFactor": 0.0,
                    "roughnessFactor": ROUGHNESS,
                },
                # The neck is open below and the mouth inside.
                "doubleSided": True,
            }
        ],
        "textures": [{"sampler": 0, "source": 0}],
        "samplers": [
            {"magFilter": _LINEAR, "minFilter": _LINEAR_MIPMAPS, "wrapS": _CLAMP, "wrapT": _CLAMP}
        ],
        "images": [{"name": "base colour", "bufferView": image, "mimeType": "image/png"}],
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(binary)}],
    }
    return document, binary


def _morph_targets(
    model: MorphableModel,
    neutral_mm: Float[Tensor, "vertices 3"],
    normals: Float[Tensor, "vertices 3"],
    split: SplitVertices,
    buffer: "_Buffer",
) -> list[dict[str, int]]:
    targets = []
    for basis_mm in model.expression_basis_mm:
        moved_mm = model.surface.lift(basis_mm)
        turned = _normals(model, neutral_mm + moved_mm) - normals
        shift_mm, turn = _rows(moved_mm, split), _rows(turned, split)
        moves = (np.abs(shift_mm).max(1) > _STILL_MM) | (np.abs(turn).max(1) > _STILL_NORMAL)
        # A sparse accessor must name one row at least.
        rows = np.flatnonzero(moves) if moves.any() else np.zeros(1, np.int64)
        indices, n = buffer.sparse_indices(rows, len(moves)), len(moves)
        targets.append(
            {
                "POSITION": buffer.sparse(
                    shift_mm[rows] / _MM_PER_M, rows, indices, n, bounds=True
                ),
                "NORMAL": buffer.sparse(turn[rows], rows, indices, n),
            }
        )
    return targets


def _normals(
    model: MorphableModel, points_mm: Float[Tensor, "vertices 3"]
) -> Float[Tensor, "vertices 3"]:
    topology = topology_of(model.surface.triangles, model.n_vertices)
    return choose_backend("auto", points_mm.device).vertex_normals(points_mm, topology)


def _rows(values: Float[Tensor, "vertices 3"], split: SplitVertices) -> Float[np.ndarray, "n 3"]:
    return values.cpu().numpy()[split.vertex]


def _gltf_uv(surface: Surface) -> Float[np.ndarray, "uv_points 2"]:
    """glTF has the origin of textures at the top left."""
    uv = surface.uv.cpu().numpy()
    return np.stack([uv[:, 0], 1 - uv[:, 1]], 1)


def _unit(vectors: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Unit vectors; one that is zero (a vertex of no area) points forward, as glTF wants length."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    forward = np.array([0.0, 0.0, 1.0], vectors.dtype)
    return np.where(length > 1e-6, vectors / np.maximum(length, 1e-6), forward)


@dataclass
class _Buffer:
    """The binary part while it grows, with the views into it and what they mean."""

    parts: list[bytes] = field(default_factory=list)
    views: list[dict[str, Any]] = field(default_factory=list)
    accessors: list[dict[str, Any]] = field(default_factory=list)
    length: int = 0

    def joined(self) -> bytes:
        return b"".join(self.parts)

    def view(self, data: bytes, target: int | None = None) -> int:
        """Append bytes, aligned to four, and give the view's number."""
        view = {"buffer": 0, "byteOffset": self.length, "byteLength": len(data)}
        if target is not None:
            view["target"] = target
        padded = data + b"\0" * (-len(data) % 4)
        self.parts.append(padded)
        self.length += len(padded)
        self.views.append(view)
        return len(self.views) - 1

    def accessor(self, accessor: dict[str, Any]) -> int:
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    def vertices(self, values: Float[np.ndarray, "n c"], bounds: bool = False) -> int:
        values = np.ascontiguousarray(values, np.float32)
        view = self.view(values.tobytes(), _VERTEX_DATA)
        accessor = _vectors(len(values), values.shape[1])
        limits = _bounds(values) if bounds else {}
        return self.accessor({**accessor, "bufferView": view, **limits})

    def indices(self, triangles: Int[np.ndarray, "triangles 3"]) -> int:
        kind, array = _narrow(triangles.ravel(), int(triangles.max()) + 1)
        view = self.view(array.tobytes(), _INDEX_DATA)
        return self.accessor(
            {"bufferView": view, "componentType": kind, "count": len(array), "type": "SCALAR"}
        )

    def sparse_indices(self, rows: Int[np.ndarray, "rows"], count: int) -> dict[str, int]:
        """The rows that several sparse accessors of `count` rows share."""
        kind, array = _narrow(rows, count)
        return {"bufferView": self.view(array.tobytes()), "componentType": kind}

    def sparse(
        self,
        values: Float[np.ndarray, "rows 3"],
        rows: Int[np.ndarray, "rows"],
        indices: dict[str, int],
        count: int,
        bounds: bool = False,
    ) -> int:
        """Zeros but for some rows."""
        values = np.ascontiguousarray(values, np.float32)
        sparse = {
            "count": len(rows),
            "indices": indices,
            "values": {"bufferView": self.view(values.tobytes())},
        }
        # Rows that are not named are zero, and count for the bounds.
        zeros = np.zeros((1 if len(rows) < count else 0, 3), np.float32)
        limits = _bounds(np.concatenate([values, zeros])) if bounds else {}
        return self.accessor({**_vectors(count, 3), "sparse": sparse, **limits})


def _vectors(count: int, components: int) -> dict[str, Any]:
    return {"componentType": _FLOAT, "count": count, "type": f"VEC{components}"}


def _bounds(values: np.ndarray) -> dict[str, list[float]]:
    return {"min": values.min(0).tolist(), "max": values.max(0).tolist()}


def _narrow(indices: np.ndarray, count: int) -> tuple[int, np.ndarray]:
    """Two bytes where they suffice; the highest number is reserved by graphics hardware."""
    if count < 65535:
        return _UINT16, indices.astype(np.uint16)
    return _UINT32, indices.astype(np.uint32)
