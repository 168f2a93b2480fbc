"""How an avatar's parts look: one pair of textures for all but hair, a material for each kind."""

from collections.abc import Sequence

import pygltflib as gl

from fit3dmm.export.hair_hanging import HAIR_ROUGHNESS, HANGING
from fit3dmm.export.occlusion_roughness import ROUGHNESS
from fit3dmm.export.split import HEAD

COLOUR, OCCLUSION, RELIEF, HAIR = "base colour", "occlusion and roughness", "relief", "hair"
"""Names of the textures."""
COLOURS = (COLOUR, HAIR)
"""Those that hold colours, and not numbers."""
_KINDS = {
    HEAD: "skin",
    "eye_left": "eyes",
    "eye_right": "eyes",
    "tongue": "tongue",
    HANGING: HANGING,
}
# The neck is open below and the mouth inside; the tongue has no root, nor gums a back.
_CLOSED = ("eyes", HANGING)


def material_of(part: str) -> str:
    """Name of the material that a part of the avatar has."""
    return _KINDS.get(part, "teeth")


def has_relief(material: str) -> bool:
    """Whether a material shows the normals of the skin, where they are known."""
    return material == _KINDS[HEAD]


def materials(names: Sequence[str], pictures: Sequence[str]) -> list[gl.Material]:
    """The named ones.

    Args:
        names: of the materials.
        pictures: names of the textures, in their order: some of the constants above.
    """
    return [
        gl.Material(
            name=name,
            pbrMetallicRoughness=_hair(pictures) if name == HANGING else _skin(pictures),
            occlusionTexture=(
                None
                if name == HANGING
                else gl.OcclusionTextureInfo(index=pictures.index(OCCLUSION))
            ),
            normalTexture=(
                gl.NormalMaterialTexture(index=pictures.index(RELIEF))
                if RELIEF in pictures and has_relief(name)
                else None
            ),
            doubleSided=name not in _CLOSED,
            # A cutoff, which pygltflib has by default, belongs to masked materials alone.
            alphaCutoff=None,
        )
        for name in names
    ]


def _skin(pictures: Sequence[str]) -> gl.PbrMetallicRoughness:
    return gl.PbrMetallicRoughness(
        baseColorTexture=gl.TextureInfo(index=pictures.index(COLOUR)),
        metallicRoughnessTexture=gl.TextureInfo(index=pictures.index(OCCLUSION)),
        metallicFactor=0.0,
        roughnessFactor=ROUGHNESS,
    )


def _hair(pictures: Sequence[str]) -> gl.PbrMetallicRoughness:
    return gl.PbrMetallicRoughness(
        baseColorTexture=gl.TextureInfo(index=pictures.index(HAIR)),
        metallicFactor=0.0,
        roughnessFactor=HAIR_ROUGHNESS,
    )


def sampler() -> gl.Sampler:
    """Smooth at every size, and never over the texture's border."""
    return gl.Sampler(
        magFilter=gl.LINEAR,
        minFilter=gl.LINEAR_MIPMAP_LINEAR,
        wrapS=gl.CLAMP_TO_EDGE,
        wrapT=gl.CLAMP_TO_EDGE,
    )
