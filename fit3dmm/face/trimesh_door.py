"""Meshes for trimesh: the one door to it, which need not be installed."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from fit3dmm._errors import InputError
from fit3dmm.export.split import split_vertices
from fit3dmm.model.surface import Surface

if TYPE_CHECKING:
    import trimesh


def textured_trimesh(
    vertices_mm: Float[np.ndarray, "vertices 3"],
    surface: Surface,
    texture: UInt8[np.ndarray, "size size 3"],
) -> "trimesh.Trimesh":
    """A mesh in mm with its texture, cut open along the borders of the texture's islands.

    Raises:
        InputError: trimesh is not installed.
    """
    try:
        import trimesh
        from trimesh.visual import TextureVisuals
        from trimesh.visual.material import PBRMaterial
    except ImportError as error:
        raise InputError(
            "A mesh of trimesh needs trimesh: `pip install trimesh`, or take vertices_mm and "
            "triangles, which need nothing."
        ) from error
    split = split_vertices(surface)
    uv = surface.uv.cpu().numpy()[split.uv_point]
    material = PBRMaterial(
        baseColorTexture=Image.fromarray(texture), metallicFactor=0.0, roughnessFactor=0.6
    )
    return trimesh.Trimesh(
        vertices_mm[split.vertex],
        split.triangles,
        visual=TextureVisuals(uv=uv, material=material),
        process=False,
    )
