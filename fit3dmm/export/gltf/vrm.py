"""An avatar as VRM 1.0: for programs that expect a whole person who smiles and speaks by name.

It is the avatar of `face.glb` on the joints of a standing body (`export.body`), with the fifteen
visemes as morph targets (`viseme_aa`, ...) and VRM's expressions over its units. Bones are called
as in Mixamo's rigs, so that libraries made for Ready Player Me's avatars take it, too. Source: VRM
Consortium, "VRMC_vrm-1.0", 2022, chapters meta, humanoid, expressions, lookAt.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pygltflib as gl

from fit3dmm.export.avatar import Avatar, AvatarPart
from fit3dmm.export.body import EYES_HEIGHT_MM, SPINE, body_joints, neck_place_mm
from fit3dmm.export.gltf.document import gltf_document
from fit3dmm.export.moods import moods_of
from fit3dmm.export.morphs import MorphTarget
from fit3dmm.export.split import HEAD
from fit3dmm.export.visemes import Viseme

EXTENSION = "VRMC_vrm"
_MM_PER_M = 1000.0
_ROOT = "Armature"
_BONES = {
    "neck": "Neck",
    "head": "Head",
    "jaw": "Jaw",
    "eye_left": "LeftEye",
    "eye_right": "RightEye",
}
_HUMAN = {
    "hips": "Hips",
    "spine": "Spine",
    "chest": "Spine1",
    "upperChest": "Spine2",
    "neck": "Neck",
    "head": "Head",
    "jaw": "Jaw",
    "leftEye": "LeftEye",
    "rightEye": "RightEye",
    **{
        f"{side}{ours}": f"{side.capitalize()}{theirs}"
        for side in ("left", "right")
        for ours, theirs in (
            ("Shoulder", "Shoulder"),
            ("UpperArm", "Arm"),
            ("LowerArm", "ForeArm"),
            ("Hand", "Hand"),
            ("UpperLeg", "UpLeg"),
            ("LowerLeg", "Leg"),
            ("Foot", "Foot"),
            ("Toes", "ToeBase"),
        )
    },
}
# As targets, three of Oculus' visemes are called by other letters.
_VISEME_TARGETS = {"ih": "I", "oh": "O", "ou": "U"}
# Degrees that eyes turn at a full `eyeLook` unit.
_SIDEWARDS_DEG, _UPWARDS_DEG = 30.0, 25.0


def vrm_document(avatar: Avatar, texture_png: bytes) -> gl.GLTF2:
    """The avatar with its buffer inside.

    Args:
        avatar: of somebody.
        texture_png: the base colour, an encoded sRGB picture.
    """
    parts = tuple(_with_visemes(part, avatar.visemes) for part in avatar.parts)
    document = gltf_document(replace(avatar, parts=parts), texture_png)
    _stand(document, avatar)
    names = {node.name: number for number, node in enumerate(document.nodes)}
    human = {ours: {"node": names[bone]} for ours, bone in _HUMAN.items() if bone in names}
    document.extensionsUsed = [EXTENSION]
    document.extensions = {
        EXTENSION: {
            "specVersion": "1.0",
            "meta": _meta(avatar),
            "humanoid": {"humanBones": human},
            "expressions": _expressions(document),
            "lookAt": _look_at(avatar),
        }
    }
    return document


def _stand(document: gl.GLTF2, avatar: Avatar) -> None:
    """Put the head's bones on those of a body. The head stays upright and comes to a person's
    height; that of the eyes, where the model has eyeballs."""
    n_bones = len(avatar.bones)
    eyes = [bone.place_mm for bone in avatar.bones if bone.name.startswith("eye_")]
    eyes_mm = np.mean(eyes, axis=0) if eyes else np.zeros(3)
    shift_mm = np.array([0.0, EYES_HEIGHT_MM - eyes_mm[1], 0.0])
    for node in document.nodes[:n_bones]:
        node.name = _BONES[str(node.name)]
    places = {joint.name: joint.place_mm for joint in body_joints()}
    numbers: dict[str, int] = {}

    def add(name: str, parent: str | None) -> None:
        numbers[name] = len(document.nodes)
        away_m = (places[name] - (places[parent] if parent else 0.0)) / _MM_PER_M
        document.nodes.append(gl.Node(name=name, translation=away_m.tolist(), children=[]))
        if parent:
            _hang(document, numbers[parent], numbers[name])

    for joint in body_joints():
        add(joint.name, joint.parent)
    carrier = SPINE[-1]
    if avatar.bones[0].name != "neck":
        places["Neck"] = neck_place_mm()
        add("Neck", carrier)
        carrier = "Neck"
    first = document.nodes[0]
    first.translation = (
        (avatar.bones[0].place_mm + shift_mm - places[carrier]) / _MM_PER_M
    ).tolist()
    _hang(document, numbers[carrier], 0)
    meshes = [number for number, node in enumerate(document.nodes) if node.mesh is not None]
    # TalkingHead looks for what holds bones and meshes by this name; skinned meshes stay at the
    # top.
    document.scenes = [gl.Scene(name=_ROOT, nodes=[numbers[SPINE[0]], *meshes])]


def _hang(document: gl.GLTF2, carrier: int, carried: int) -> None:
    node = document.nodes[carrier]
    node.children = [*(node.children or []), carried]


def _with_visemes(part: AvatarPart, visemes: Mapping[str, Viseme]) -> AvatarPart:
    """The part with a target more for each viseme that moves it; the skin has all of them."""
    composed = (_composed(part, name, viseme) for name, viseme in visemes.items())
    return replace(part, targets=part.targets + tuple(one for one in composed if one is not None))


def _composed(part: AvatarPart, name: str, viseme: Viseme) -> MorphTarget | None:
    shift_mm, turn = (np.zeros_like(part.positions_mm) for _ in range(2))
    for target in part.targets:
        share = viseme.get(target.name, 0.0)
        shift_mm[target.rows] += share * target.shift_mm
        turn[target.rows] += share * target.turn
    rows = np.flatnonzero((shift_mm != 0).any(1) | (turn != 0).any(1))
    if len(rows) == 0:
        if part.name != HEAD:
            return None
        rows = np.zeros(1, np.int64)  # silence: a sparse target has one row at least
    label = f"viseme_{_VISEME_TARGETS.get(name, name)}"
    return MorphTarget(label, 0.0, rows, shift_mm[rows], turn[rows])


def _meta(avatar: Avatar) -> dict[str, Any]:
    return {
        "name": "A fitted face",
        "authors": ["fit3dmm"],
        # The face is somebody's: what VRM leaves open by default is closed.
        "licenseUrl": "https://vrm.dev/licenses/1.0/",
        "avatarPermission": "onlyAuthor",
        "commercialUsage": "personalNonProfit",
        "creditNotation": "unnecessary",
        "modification": "allowModification",
        "thirdPartyLicenses": f"{avatar.info.name}: {avatar.info.licence}",
    }


def _expressions(document: gl.GLTF2) -> dict[str, Any]:
    """VRM's presets where the model can make them, and each unit as an expression of its own."""
    units = list(dict.fromkeys(name for mesh in document.meshes for name in _targets(mesh)))
    presets = {name: _binds(document, mood) for name, mood in moods_of(units).items()}
    custom = {name: _binds(document, {name: 1.0}) for name in units if name[:7] != "viseme_"}
    return {"preset": presets, "custom": custom}


def _targets(mesh: gl.Mesh) -> list[str]:
    return (mesh.extras or {}).get("targetNames", [])


def _binds(document: gl.GLTF2, units: Viseme) -> dict[str, Any]:
    binds = [
        {"node": number, "index": _targets(mesh).index(name), "weight": weight}
        for number, node in enumerate(document.nodes)
        if node.mesh is not None
        for mesh in [document.meshes[node.mesh]]
        for name, weight in units.items()
        if name in _targets(mesh)
    ]
    return {"morphTargetBinds": binds} if binds else {}


def _look_at(avatar: Avatar) -> dict[str, Any]:
    """Eyes follow by the units, which take the lids along."""
    eyes = [bone.place_mm for bone in avatar.bones if bone.name.startswith("eye_")]
    head = next(bone.place_mm for bone in avatar.bones if bone.name == "head")
    between_m = ((np.mean(eyes, axis=0) if eyes else head) - head) / _MM_PER_M
    return {
        "type": "expression",
        "offsetFromHeadBone": [0.0, *between_m[1:].tolist()],
        "rangeMapHorizontalInner": {"inputMaxValue": _SIDEWARDS_DEG, "outputScale": 1.0},
        "rangeMapHorizontalOuter": {"inputMaxValue": _SIDEWARDS_DEG, "outputScale": 1.0},
        "rangeMapVerticalDown": {"inputMaxValue": _UPWARDS_DEG, "outputScale": 1.0},
        "rangeMapVerticalUp": {"inputMaxValue": _UPWARDS_DEG, "outputScale": 1.0},
    }
