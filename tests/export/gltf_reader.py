"""A reader of avatars by the letter of the glTF specification, which shares nothing with ours."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pygltflib

_TYPES = {
    5120: np.int8,
    5121: np.uint8,
    5122: np.int16,
    5123: np.uint16,
    5125: np.uint32,
    5126: np.float32,
}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


@dataclass(frozen=True)
class Drawn:
    """One mesh as an engine would draw it."""

    points_mm: np.ndarray
    normals: np.ndarray
    uv: np.ndarray
    """As glTF has them: the origin at the top left."""
    triangles: np.ndarray


class ReadAvatar:
    """A GLB file, posed by activations of blendshapes and by turns of bones."""

    def __init__(self, path: Path) -> None:
        self.gltf = pygltflib.GLTF2().load_binary(str(path))
        self.meshes = {mesh.name: mesh for mesh in self.gltf.meshes}
        self.nodes = {node.name: node for node in self.gltf.nodes}

    def values(self, number: int) -> np.ndarray:
        """An accessor's rows; those of a normalised one are shares."""
        accessor, blob = self.gltf.accessors[number], self.gltf.binary_blob()
        width = _WIDTHS[accessor.type]

        def raw(view_number: int, kind: int, count: int) -> np.ndarray:
            view = self.gltf.bufferViews[view_number]
            return np.frombuffer(blob, _TYPES[kind], count, view.byteOffset or 0)

        kind = _TYPES[accessor.componentType]
        if accessor.bufferView is None:
            dense = np.zeros((accessor.count, width), kind)
        else:
            stride = self.gltf.bufferViews[accessor.bufferView].byteStride
            apart = width if stride is None else stride // np.dtype(kind).itemsize
            flat = raw(accessor.bufferView, accessor.componentType, accessor.count * apart)
            dense = flat.reshape(-1, apart)[:, :width].copy()
        if accessor.sparse is not None:
            sparse = accessor.sparse
            rows = raw(sparse.indices.bufferView, sparse.indices.componentType, sparse.count)
            part = raw(sparse.values.bufferView, accessor.componentType, sparse.count * width)
            dense[rows] = part.reshape(-1, width)
        if accessor.normalized:
            dense = dense / np.iinfo(dense.dtype).max
        return dense

    def names(self, mesh: str) -> list[str]:
        """Of a mesh's morph targets."""
        return self.meshes[mesh].extras.get("targetNames", [])

    def drawn(
        self,
        mesh: str,
        activations: dict[str, float] | None = None,
        turns: dict[str, np.ndarray] | None = None,
    ) -> Drawn:
        """Morphed, then skinned.

        Args:
            activations: by the targets' names; the file's own weights if left out.
            turns: (3, 3) rotations of bones by name.
        """
        primitive = self.meshes[mesh].primitives[0]
        attributes = primitive.attributes
        points = self.values(attributes.POSITION).astype(float)
        normals = self.values(attributes.NORMAL).astype(float)
        weights = self.meshes[mesh].weights or []
        if activations is not None:
            weights = [activations.get(name, 0.0) for name in self.names(mesh)]
        for weight, target in zip(weights, primitive.targets or [], strict=True):
            points += weight * self.values(target["POSITION"])
            normals += weight * self.values(target["NORMAL"])
        moved = self._skinning(attributes, turns or {})
        points = np.einsum("nij,nj->ni", moved, np.c_[points, np.ones(len(points))])[:, :3]
        normals = np.einsum("nij,nj->ni", moved[:, :3, :3], normals)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        triangles = self.values(primitive.indices).reshape(-1, 3).astype(np.int64)
        return Drawn(1000 * points, normals, self.values(attributes.TEXCOORD_0), triangles)

    def bone_weights(self, mesh: str) -> np.ndarray:
        """(n, bones) shares of the skin's joints."""
        attributes = self.meshes[mesh].primitives[0].attributes
        joints, shares = self.values(attributes.JOINTS_0), self.values(attributes.WEIGHTS_0)
        result = np.zeros((len(joints), len(self.gltf.skins[0].joints)))
        for k in range(4):
            np.add.at(result, (np.arange(len(joints)), joints[:, k]), shares[:, k])
        return result

    def bone_names(self) -> list[str]:
        return [self.gltf.nodes[k].name for k in self.gltf.skins[0].joints]

    def bone_place_mm(self, name: str) -> np.ndarray:
        """(3,) where a bone's joint is at rest."""
        return 1000 * self._globals({})[self.bone_names().index(name)][:3, 3]

    def _skinning(self, attributes: pygltflib.Attributes, turns: dict) -> np.ndarray:
        skin = self.gltf.skins[0]
        inverse = self.values(skin.inverseBindMatrices).reshape(-1, 4, 4).transpose(0, 2, 1)
        matrices = self._globals(turns) @ inverse.astype(float)
        joints, shares = self.values(attributes.JOINTS_0), self.values(attributes.WEIGHTS_0)
        return np.einsum("nk,nkij->nij", shares, matrices[joints])

    def _globals(self, turns: dict) -> np.ndarray:
        """(bones, 4, 4) from each joint's frame to the scene's, in the skin's order."""
        found = {}

        def visit(number: int, above: np.ndarray) -> None:
            node, local = self.gltf.nodes[number], np.eye(4)
            local[:3, 3] = node.translation or 0.0
            local[:3, :3] = turns.get(node.name, np.eye(3))
            found[number] = above @ local
            for child in node.children or []:
                visit(child, found[number])

        for root in self.gltf.scenes[0].nodes:
            visit(root, np.eye(4))
        return np.stack([found[number] for number in self.gltf.skins[0].joints])
