"""The binary part of a glTF document while it grows.

Source: Khronos Group, "glTF 2.0 specification", 2021, sections 3.6.2 (accessors; 3.6.2.3 sparse
ones) and 3.7.3.3 (joints and weights of skinned meshes).
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pygltflib as gl
from jaxtyping import Float, Int, UInt8, UInt16

_BONES_A_VERTEX = 4


@dataclass
class Buffer:
    """Bytes, the views into them and what they mean."""

    parts: list[bytes] = field(default_factory=list)
    views: list[gl.BufferView] = field(default_factory=list)
    accessors: list[gl.Accessor] = field(default_factory=list)
    length: int = 0

    def view(self, data: bytes, target: int | None = None) -> int:
        """Append bytes, aligned to four, and give the view's number."""
        view = gl.BufferView(buffer=0, byteOffset=self.length, byteLength=len(data), target=target)
        padded = data + b"\0" * (-len(data) % 4)
        self.parts.append(padded)
        self.length += len(padded)
        self.views.append(view)
        return len(self.views) - 1

    def vertices(self, values: Float[np.ndarray, "n c"], bounds: bool = False) -> int:
        """Vectors, one a vertex, as an accessor; its number."""
        values = np.ascontiguousarray(values, np.float32)
        view = self.view(values.tobytes(), gl.ARRAY_BUFFER)
        limits = bounds_of(values) if bounds else {}
        kind = f"VEC{values.shape[1]}"
        return self._accessor(gl.FLOAT, len(values), kind, bufferView=view, **limits)

    def normals(self, values: Float[np.ndarray, "n 3"]) -> int:
        """Unit vectors, one a vertex, as an accessor; its number."""
        return self.vertices(values)

    def tangents(self, values: Float[np.ndarray, "n 4"]) -> int:
        """Unit vectors and which side the third is on (1 or -1), as an accessor; its number."""
        return self.vertices(values)

    def uv(self, values: Float[np.ndarray, "n 2"]) -> int:
        """Places in the texture, one a vertex, as an accessor; its number."""
        return self.vertices(values)

    def bone_shares(self, weights: Float[np.ndarray, "n bones"]) -> tuple[int, int]:
        """The bones of each vertex and its shares of them, as two accessors; their numbers."""
        bone, share = strongest_bones(weights)
        views = [self.view(array.tobytes(), gl.ARRAY_BUFFER) for array in (bone, share)]
        return (
            self._accessor(gl.UNSIGNED_BYTE, len(bone), gl.VEC4, bufferView=views[0]),
            self._accessor(
                gl.UNSIGNED_SHORT, len(bone), gl.VEC4, bufferView=views[1], normalized=True
            ),
        )

    def matrices(self, values: Float[np.ndarray, "n 4 4"]) -> int:
        """Matrices as an accessor; its number."""
        # glTF stores columns one after another.
        columns = np.ascontiguousarray(values.transpose(0, 2, 1), np.float32)
        view = self.view(columns.tobytes())
        return self._accessor(gl.FLOAT, len(values), gl.MAT4, bufferView=view)

    def keys(
        self, values: Float[np.ndarray, "n"] | Float[np.ndarray, "n c"], bounds: bool = False
    ) -> int:
        """Numbers or vectors of an animation's keys, as an accessor; its number."""
        values = np.ascontiguousarray(values, np.float32)
        kind = gl.SCALAR if values.ndim == 1 else f"VEC{values.shape[1]}"
        limits = bounds_of(values.reshape(len(values), -1)) if bounds else {}
        view = self.view(values.tobytes())
        return self._accessor(gl.FLOAT, len(values), kind, bufferView=view, **limits)

    def indices(self, triangles: Int[np.ndarray, "triangles 3"]) -> int:
        """Corners of triangles as an accessor; its number."""
        kind, array = _narrow(triangles.ravel(), int(triangles.max()) + 1)
        view = self.view(array.tobytes(), gl.ELEMENT_ARRAY_BUFFER)
        return self._accessor(kind, len(array), gl.SCALAR, bufferView=view)

    def sparse_indices(self, rows: Int[np.ndarray, "rows"], count: int) -> gl.AccessorSparseIndices:
        """The rows that several sparse accessors of `count` rows share."""
        kind, array = _narrow(rows, count)
        return gl.AccessorSparseIndices(bufferView=self.view(array.tobytes()), componentType=kind)

    def shifts(
        self, values: Float[np.ndarray, "rows 3"], indices: gl.AccessorSparseIndices, count: int
    ) -> int:
        """Movements in metres, zero but for some rows, as an accessor; its number."""
        values = np.ascontiguousarray(values, np.float32)
        return self._sparse(values, gl.FLOAT, indices, count, **bounds_of(values, count))

    def turns(
        self, values: Float[np.ndarray, "rows 3"], indices: gl.AccessorSparseIndices, count: int
    ) -> int:
        """What is added to normals, zero but for some rows, as an accessor; its number."""
        return self._sparse(np.ascontiguousarray(values, np.float32), gl.FLOAT, indices, count)

    def _sparse(
        self,
        values: np.ndarray,
        component: int,
        indices: gl.AccessorSparseIndices,
        count: int,
        **rest: Any,
    ) -> int:
        view = gl.AccessorSparseValues(bufferView=self.view(values.tobytes()))
        sparse = gl.Sparse(count=len(values), indices=indices, values=view)
        return self._accessor(component, count, gl.VEC3, sparse=sparse, **rest)

    def _accessor(self, component: int, count: int, kind: str, **rest: Any) -> int:
        # An offset, which pygltflib writes by default, belongs to accessors with a view alone.
        accessor = gl.Accessor(
            componentType=component, count=count, type=kind, byteOffset=None, **rest
        )
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def strongest_bones(
    weights: Float[np.ndarray, "n bones"], kind: type = np.uint16
) -> tuple[UInt8[np.ndarray, "n 4"], UInt16[np.ndarray, "n 4"] | UInt8[np.ndarray, "n 4"]]:
    """The four bones of largest share, and the shares in parts of the largest whole number of the
    kind (65535 or 255), which add up to it."""
    full = np.iinfo(kind).max
    missing = max(_BONES_A_VERTEX - weights.shape[1], 0)
    weights = np.pad(weights, ((0, 0), (0, missing)))
    bone = np.argsort(-weights, axis=1, kind="stable")[:, :_BONES_A_VERTEX]
    share = np.take_along_axis(weights, bone, axis=1)
    whole = np.floor(full * share / share.sum(1, keepdims=True)).astype(np.int64)
    # What rounding takes from all goes to the strongest.
    whole[:, 0] += full - whole.sum(1)
    return np.where(whole > 0, bone, 0).astype(np.uint8), whole.astype(kind)


def bounds_of(values: np.ndarray, count: int | None = None) -> dict[str, list[float] | list[int]]:
    """Least and largest values, column by column.

    Args:
        values: vectors, one a row.
        count: how many rows there are with those that are not given, which are zero.
    """
    if count is not None and len(values) < count:
        values = np.concatenate([values, np.zeros_like(values[:1])])
    return {"min": values.min(0).tolist(), "max": values.max(0).tolist()}


def _narrow(indices: np.ndarray, count: int) -> tuple[int, np.ndarray]:
    """Two bytes where they suffice; the highest number is reserved by graphics hardware."""
    if count < 65535:
        return gl.UNSIGNED_SHORT, indices.astype(np.uint16)
    return gl.UNSIGNED_INT, indices.astype(np.uint32)
