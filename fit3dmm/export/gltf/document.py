"""An avatar as a glTF document.

Metres, y up, the face looks along +z, as glTF wants it and as the `model` frame is. Bones are nodes
in a chain from the neck; beside them lies one skinned mesh for each part. Morph targets are sparse
accessors, positions and normals of one sharing their indices. Source: Khronos Group, "glTF 2.0
specification", 2021, sections 3.7.2.2 (morph targets), 3.7.3 (skins) and 5 (properties).
"""

import numpy as np
import pygltflib as gl
from jaxtyping import Float

from fit3dmm._version import __version__
from fit3dmm.export.animation import Animation
from fit3dmm.export.avatar import Avatar, AvatarPart
from fit3dmm.export.gltf.animation import CAMERA, camera_of, clip, pose_at_start
from fit3dmm.export.gltf.buffer import Buffer
from fit3dmm.export.gltf.compact import CompactBuffer, with_webp
from fit3dmm.export.gltf.materials import (
    COLOUR,
    HAIR,
    OCCLUSION,
    RELIEF,
    has_relief,
    material_of,
    materials,
    sampler,
)
from fit3dmm.export.morphs import MorphTarget
from fit3dmm.export.skeleton import Bone
from fit3dmm.geometry.tangents import TexturedTriangles, vertex_tangents

_MM_PER_M = 1000.0
# Bones and meshes are nodes side by side, and no two of them may share a name.
_MESH_NODE = "{}_mesh"


def gltf_document(
    avatar: Avatar,
    texture_png: bytes,
    animation: Animation | None = None,
    compact: bool = False,
) -> gl.GLTF2:
    """The avatar with its buffer inside.

    Args:
        avatar: at rest.
        texture_png: the base colour, an encoded sRGB picture.
        animation: what moves it: then the file opens as the first key shows it, and has the camera
            that filmed it, at the origin.
        compact: in fewer bytes, for readers that know two extensions of glTF (`gltf.compact`).
    """
    buffer = CompactBuffer() if compact else Buffer()
    looks = list(dict.fromkeys(material_of(part.name) for part in avatar.parts))
    relief = avatar.normal_png is not None
    meshes = [_mesh(part, looks, buffer, relief) for part in avatar.parts]
    bones = _bone_nodes(avatar.bones)
    parts = [
        gl.Node(name=_MESH_NODE.format(part.name), mesh=k, skin=0)
        for k, part in enumerate(avatar.parts)
    ]
    # Skinned meshes stand at the top: their bones alone say where they are.
    roots = [0, *range(len(bones), len(bones) + len(parts))]
    pictures = {
        COLOUR: texture_png,
        OCCLUSION: avatar.occlusion_roughness_png,
        RELIEF: avatar.normal_png,
        HAIR: avatar.hair_png,
    }
    pictures = {name: png for name, png in pictures.items() if png is not None}
    clips, cameras = [], []
    if animation is not None:
        clips.append(_moving(avatar, animation, buffer, bones[0], len(bones)))
        cameras.append(camera_of(animation))
        roots.append(len(bones) + len(parts))
        parts.append(gl.Node(name=CAMERA, camera=0))
    document = gl.GLTF2(
        asset=gl.Asset(
            generator=f"fit3dmm {__version__}",
            extras={"model": avatar.info.name, "model_licence": avatar.info.licence},
        ),
        scene=0,
        scenes=[gl.Scene(nodes=roots)],
        nodes=bones + parts,
        meshes=meshes,
        skins=[_skin(avatar.bones, buffer)],
        materials=materials(looks, list(pictures)),
        samplers=[sampler()],
        accessors=buffer.accessors,
        bufferViews=buffer.views,
        animations=clips,
        cameras=cameras,
    )
    if compact:
        with_webp(document, pictures, buffer)
    else:
        document.textures = [gl.Texture(sampler=0, source=k) for k in range(len(pictures))]
        document.images = [
            gl.Image(name=name, bufferView=buffer.view(png), mimeType=gl.IMAGEPNG)
            for name, png in pictures.items()
        ]
    document.buffers = [gl.Buffer(byteLength=buffer.length)]
    if avatar.visemes:
        document.extras = {"visemes": {name: dict(v) for name, v in avatar.visemes.items()}}
    document.set_binary_blob(b"".join(buffer.parts))
    return document


def _moving(
    avatar: Avatar, animation: Animation, buffer: Buffer, root: gl.Node, n_bones: int
) -> gl.Animation:
    """The clip; the first bone is put where it begins."""
    root_m = avatar.bones[0].place_mm / _MM_PER_M
    targets = {
        n_bones + k: [target.name for target in part.targets]
        for k, part in enumerate(avatar.parts)
        if part.targets
    }
    pose_at_start(animation, root, root_m)
    return clip(animation, buffer, 0, root_m, targets)


def _mesh(part: AvatarPart, looks: list[str], buffer: Buffer, relief: bool) -> gl.Mesh:
    look = material_of(part.name)
    joints, weights = buffer.bone_shares(part.bone_weights)
    count = len(part.positions_mm)
    primitive = gl.Primitive(
        attributes=gl.Attributes(
            POSITION=buffer.vertices(part.positions_mm / _MM_PER_M, bounds=True),
            NORMAL=buffer.normals(part.normals),
            # glTF has the origin of textures at the top left.
            TEXCOORD_0=buffer.uv(np.array([0, 1]) + np.array([1, -1]) * part.uv),
            JOINTS_0=joints,
            WEIGHTS_0=weights,
        ),
        indices=buffer.indices(part.triangles),
        material=looks.index(look),
    )
    if relief and has_relief(look):
        mesh = TexturedTriangles(part.positions_mm, part.normals, part.uv, part.triangles)
        primitive.attributes.TANGENT = buffer.tangents(vertex_tangents(mesh))
    primitive.targets = [_morph_target(target, count, buffer) for target in part.targets]
    mesh = gl.Mesh(name=part.name, primitives=[primitive])
    if part.targets:
        mesh.weights = [round(target.weight, 5) for target in part.targets]
        # glTF has no names of morph targets; engines read these.
        mesh.extras = {"targetNames": [target.name for target in part.targets]}
    return mesh


def _morph_target(target: MorphTarget, count: int, buffer: Buffer) -> gl.Attributes:
    indices = buffer.sparse_indices(target.rows, count)
    shift_m = target.shift_mm / _MM_PER_M
    return gl.Attributes(
        POSITION=buffer.shifts(shift_m, indices, count),
        NORMAL=buffer.turns(target.turn, indices, count),
    )


def _bone_nodes(bones: tuple[Bone, ...]) -> list[gl.Node]:
    nodes = []
    for k, bone in enumerate(bones):
        origin = np.zeros(3) if bone.parent is None else bones[bone.parent].place_mm
        carried = [number for number, other in enumerate(bones) if other.parent == k]
        shift_m = (bone.place_mm - origin) / _MM_PER_M
        nodes.append(gl.Node(name=bone.name, translation=shift_m.tolist(), children=carried))
    return nodes


def _skin(bones: tuple[Bone, ...], buffer: Buffer) -> gl.Skin:
    matrices = buffer.matrices(np.stack([_bone_from_model(bone) for bone in bones]))
    return gl.Skin(
        name="skeleton", joints=list(range(len(bones))), skeleton=0, inverseBindMatrices=matrices
    )


def _bone_from_model(bone: Bone) -> Float[np.ndarray, "4 4"]:
    """From places in the model to places from the joint, in metres."""
    matrix = np.eye(4)
    matrix[:3, 3] = -bone.place_mm / _MM_PER_M
    return matrix
