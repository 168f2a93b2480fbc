"""An avatar as a glTF document: the one door to pygltflib.

Metres, y up, the face looks along +z, as glTF wants it and as the `model` frame is. Morph targets
are sparse accessors, positions and normals of one sharing their indices; the default weights are
the fitted expression. Source: Khronos Group, "glTF 2.0 specification", 2021, sections 3.6.2.3
(sparse), 3.7.2.2 (morph targets) and 5 (properties).
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pygltflib as gl
from jaxtyping import Float, Int

from fit3dmm._version import __version__
from fit3dmm.export.avatar import Avatar, MorphTarget
from fit3dmm.export.occlusion_roughness import ROUGHNESS

_MM_PER_M = 1000.0


def gltf_document(avatar: Avatar, texture_png: bytes) -> gl.GLTF2:
    """The avatar with its buffer inside.

    Args:
        texture_png: the base colour, an encoded sRGB picture.
    """
    buffer = _Buffer()
    primitive = gl.Primitive(
        attributes=gl.Attributes(
            POSITION=buffer.vertices(avatar.positions_mm / _MM_PER_M, bounds=True),
            NORMAL=buffer.vertices(avatar.normals),
            # glTF has the origin of textures at the top left.
            TEXCOORD_0=buffer.vertices(np.array([0, 1]) + np.array([1, -1]) * avatar.uv),
        ),
        indices=buffer.indices(avatar.triangles),
        material=0,
    )
    count = len(avatar.positions_mm)
    primitive.targets = [_morph_target(target, count, buffer) for target in avatar.targets]
    mesh = gl.Mesh(name="face", primitives=[primitive])
    if avatar.targets:
        mesh.weights = [round(target.weight, 5) for target in avatar.targets]
        # glTF has no names of morph targets; engines read these.
        mesh.extras = {"targetNames": [target.name for target in avatar.targets]}
    document = gl.GLTF2(
        asset=gl.Asset(
            generator=f"fit3dmm {__version__}",
            extras={"model": avatar.info.name, "model_licence": avatar.info.licence},
        ),
        scene=0,
        scenes=[gl.Scene(nodes=[0])],
        nodes=[gl.Node(name="face", mesh=0)],
        meshes=[mesh],
        materials=[_skin()],
        textures=[gl.Texture(sampler=0, source=0), gl.Texture(sampler=0, source=1)],
        samplers=[_sampler()],
        images=[
            gl.Image(name=name, bufferView=buffer.view(png), mimeType=gl.IMAGEPNG)
            for name, png in (
                ("base colour", texture_png),
                ("occlusion and roughness", avatar.occlusion_roughness_png),
            )
        ],
        accessors=buffer.accessors,
        bufferViews=buffer.views,
        buffers=[gl.Buffer(byteLength=buffer.length)],
    )
    document.set_binary_blob(b"".join(buffer.parts))
    return document


def _skin() -> gl.Material:
    return gl.Material(
        name="skin",
        pbrMetallicRoughness=gl.PbrMetallicRoughness(
            baseColorTexture=gl.TextureInfo(index=0),
            metallicRoughnessTexture=gl.TextureInfo(index=1),
            metallicFactor=0.0,
            roughnessFactor=ROUGHNESS,
        ),
        occlusionTexture=gl.OcclusionTextureInfo(index=1),
        # The neck is open below and the mouth inside.
        doubleSided=True,
        # A cutoff, which pygltflib has by default, belongs to masked materials alone.
        alphaCutoff=None,
    )


def _sampler() -> gl.Sampler:
    return gl.Sampler(
        magFilter=gl.LINEAR,
        minFilter=gl.LINEAR_MIPMAP_LINEAR,
        wrapS=gl.CLAMP_TO_EDGE,
        wrapT=gl.CLAMP_TO_EDGE,
    )


def _morph_target(target: MorphTarget, count: int, buffer: "_Buffer") -> gl.Attributes:
    indices = buffer.sparse_indices(target.rows, count)
    shift_m = target.shift_mm / _MM_PER_M
    return gl.Attributes(
        POSITION=buffer.sparse(shift_m, indices, count, bounds=True),
        NORMAL=buffer.sparse(target.turn, indices, count),
    )


@dataclass
class _Buffer:
    """The binary part while it grows, with the views into it and what they mean."""

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
        limits = _bounds(values) if bounds else {}
        kind = f"VEC{values.shape[1]}"
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

    def sparse(
        self,
        values: Float[np.ndarray, "rows 3"],
        indices: gl.AccessorSparseIndices,
        count: int,
        bounds: bool = False,
    ) -> int:
        """Vectors that are zero but for some rows, as an accessor; its number."""
        values = np.ascontiguousarray(values, np.float32)
        view = gl.AccessorSparseValues(bufferView=self.view(values.tobytes()))
        sparse = gl.Sparse(count=len(values), indices=indices, values=view)
        # Rows that are not named are zero, and count for the bounds.
        zeros = np.zeros((1 if len(values) < count else 0, 3), np.float32)
        limits = _bounds(np.concatenate([values, zeros])) if bounds else {}
        return self._accessor(gl.FLOAT, count, gl.VEC3, sparse=sparse, **limits)

    def _accessor(self, component: int, count: int, kind: str, **rest: Any) -> int:
        # An offset, which pygltflib writes by default, belongs to accessors with a view alone.
        accessor = gl.Accessor(
            componentType=component, count=count, type=kind, byteOffset=None, **rest
        )
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def _bounds(values: np.ndarray) -> dict[str, list[float]]:
    return {"min": values.min(0).tolist(), "max": values.max(0).tolist()}


def _narrow(indices: np.ndarray, count: int) -> tuple[int, np.ndarray]:
    """Two bytes where they suffice; the highest number is reserved by graphics hardware."""
    if count < 65535:
        return gl.UNSIGNED_SHORT, indices.astype(np.uint16)
    return gl.UNSIGNED_INT, indices.astype(np.uint32)
