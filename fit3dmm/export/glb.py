"""The fitted face as one binary glTF 2.0 file, an avatar with texture, blendshapes and bones."""

from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from fit3dmm.export.animation import Animation
from fit3dmm.export.avatar import make_avatar
from fit3dmm.export.hair_hanging import HairShape
from fit3dmm.export.picture import write_bytes
from fit3dmm.model.morphable import Coefficients, MorphableModel


def write_glb(
    model: MorphableModel,
    coefficients: Coefficients,
    texture_png: bytes,
    path: Path,
    normal_png: bytes | None = None,
    animation: Animation | None = None,
    compact: bool = False,
    rest: Float[Tensor, "expression"] | None = None,
    hair_shape: HairShape | None = None,
) -> None:
    """Write the face of one person.

    Args:
        model: the one that was fitted.
        coefficients: the person's; the expression becomes the weights of the morph targets.
        texture_png: the base colour, an encoded sRGB picture.
        path: of the file.
        normal_png: fine relief of the skin (`export.normal_map`), where it is known.
        animation: what moves it, such as a track's (`export.animation`).
        compact: see `face_glb`.
        rest: see `face_glb`.
        hair_shape: see `face_glb`.

    Raises:
        InputError: the folder can't be written to.
    """
    how = (normal_png, animation, compact, rest, hair_shape)
    glb = face_glb(model, coefficients, texture_png, *how)
    write_bytes(glb, Path(path))


def face_glb(
    model: MorphableModel,
    coefficients: Coefficients,
    texture_png: bytes,
    normal_png: bytes | None = None,
    animation: Animation | None = None,
    compact: bool = False,
    rest: Float[Tensor, "expression"] | None = None,
    hair_shape: HairShape | None = None,
) -> bytes:
    """What `write_glb` writes.

    Args:
        model: the one that was fitted.
        coefficients: the person's; the expression becomes the weights of the morph targets.
        texture_png: the base colour, an encoded sRGB picture.
        normal_png: fine relief of the skin, where it is known.
        animation: as for `write_glb`.
        compact: less than half the bytes, for three.js, Blender and others that know the extensions
            KHR_mesh_quantization and EXT_texture_webp.
        rest: activations of the mesh itself (`export.resting`), from which targets take what is
            left of each movement; zeros if left out, as an animation's weights need them.
        hair_shape: where hair stands off and hangs; it lies flat if left out.
    """
    # pygltflib takes a moment to load, and only who writes needs it.
    from fit3dmm.export.gltf.binary import glb_bytes
    from fit3dmm.export.gltf.document import gltf_document

    avatar = make_avatar(model, coefficients, normal_png, rest, hair_shape)
    document = gltf_document(avatar, texture_png, animation, compact)
    return glb_bytes(document)


def write_vrm(
    model: MorphableModel,
    coefficients: Coefficients,
    texture_png: bytes,
    path: Path,
    normal_png: bytes | None = None,
    rest: Float[Tensor, "expression"] | None = None,
    hair_shape: HairShape | None = None,
) -> None:
    """Write the face of one person as VRM 1.0, on the joints of a body.

    Args:
        model: the one that was fitted.
        coefficients: the person's; the expression becomes the weights of the morph targets.
        texture_png: the base colour, an encoded sRGB picture.
        path: of the file.
        normal_png: see `face_glb`.
        rest: see `face_glb`.
        hair_shape: see `face_glb`.

    Raises:
        InputError: the folder can't be written to.
    """
    from fit3dmm.export.gltf.binary import glb_bytes
    from fit3dmm.export.gltf.vrm import vrm_document

    avatar = make_avatar(model, coefficients, normal_png, rest, hair_shape)
    document = vrm_document(avatar, texture_png)
    write_bytes(glb_bytes(document), Path(path))
