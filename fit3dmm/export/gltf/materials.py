"""How an avatar's parts look: one pair of textures for all, a material for each kind."""

from collections.abc import Sequence

import pygltflib as gl

from fit3dmm.export.occlusion_roughness import ROUGHNESS
from fit3dmm.export.split import HEAD

_KINDS = {HEAD: "skin", "eye_left": "eyes", "eye_right": "eyes", "tongue": "tongue"}
# The neck is open below and the mouth inside; the tongue has no root, nor gums a back.
_CLOSED = ("eyes",)


def material_of(part: str) -> str:
    """Name of the material that a part of the avatar has."""
    return _KINDS.get(part, "teeth")


def has_relief(material: str) -> bool:
    """Whether a material shows the normals of the skin, where they are known."""
    return material == _KINDS[HEAD]


def materials(names: Sequence[str], relief: bool) -> list[gl.Material]:
    """The named ones; texture 0 is the base colour, 1 occlusion and roughness.

    Args:
        names: of the materials.
        relief: whether there is a texture 2, the normals of the skin.
    """
    return [
        gl.Material(
            name=name,
            pbrMetallicRoughness=gl.PbrMetallicRoughness(
                baseColorTexture=gl.TextureInfo(index=0),
                metallicRoughnessTexture=gl.TextureInfo(index=1),
                metallicFactor=0.0,
                roughnessFactor=ROUGHNESS,
            ),
            occlusionTexture=gl.OcclusionTextureInfo(index=1),
            normalTexture=(
                gl.NormalMaterialTexture(index=2) if relief and has_relief(name) else None
            ),
            doubleSided=name not in _CLOSED,
            # A cutoff, which pygltflib has by default, belongs to masked materials alone.
            alphaCutoff=None,
        )
        for name in names
    ]


def sampler() -> gl.Sampler:
    """Smooth at every size, and never over the texture's border."""
    return gl.Sampler(
        magFilter=gl.LINEAR,
        minFilter=gl.LINEAR_MIPMAP_LINEAR,
        wrapS=gl.CLAMP_TO_EDGE,
        wrapT=gl.CLAMP_TO_EDGE,
    )
