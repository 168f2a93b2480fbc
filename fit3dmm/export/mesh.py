"""Meshes as Wavefront OBJ, with texture coordinates and a material that names the texture."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm._files import atomic_path
from fit3dmm.geometry.obj_files import ObjTexture, write_obj
from fit3dmm.geometry.triangle_mesh import Mesh
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.render.depth import posed
from fit3dmm.scene import Scene

MATERIAL = "face"


@dataclass(frozen=True)
class TexturedMesh:
    """Positions and texture coordinates, each with its own indices, as OBJ keeps them."""

    vertices_mm: Float[np.ndarray, "vertices 3"]
    triangles: Int[np.ndarray, "triangles 3"]
    uv: Float[np.ndarray, "uv_points 2"]
    """0..1, origin at the bottom left."""
    uv_triangles: Int[np.ndarray, "triangles 3"]
    frame: str
    """What the coordinates mean, in words: it is written into the file."""


def neutral_mesh(model: MorphableModel, scene: Scene) -> TexturedMesh:
    """The person at rest, in the `model` frame."""
    points = model.shape_mm(scene.coefficients.neutral())
    return _mesh(
        model, points, "model: x to the subject's left, y up, z out of the face, origin in the head"
    )


def posed_mesh(model: MorphableModel, scene: Scene) -> TexturedMesh:
    """The face as the camera saw it, in OpenCV's axes: the camera matrix projects it."""
    points = posed(model, scene)
    frame = "camera, OpenCV axes: x right, y down, z forward, origin in the camera"
    return _mesh(model, opencv_from_cam(points), frame)


def opencv_from_cam(points_cam_mm: Float[Tensor, "*b points 3"]) -> Float[Tensor, "*b points 3"]:
    """Half a turn about x: from y up and z backwards to y down and z forwards."""
    return points_cam_mm * points_cam_mm.new_tensor([1.0, -1.0, -1.0])


def write_textured_obj(mesh: TexturedMesh, path: Path, material_file: str | None = None) -> None:
    """Write a mesh; 0.0001 mm is kept.

    Args:
        material_file: name of an MTL file in the same folder that describes `MATERIAL`.

    Raises:
        InputError: the folder can't be written to.
    """
    write_obj(
        path,
        Mesh(mesh.vertices_mm, mesh.triangles),
        ObjTexture(mesh.uv, mesh.uv_triangles, MATERIAL, material_file),
        comment=f"fit3dmm: mm; {mesh.frame}",
        decimals=4,
    )


def write_material(path: Path, texture_file: str) -> None:
    """Write the MTL file of a matte surface with a texture from the same folder.

    Raises:
        InputError: the folder can't be written to.
    """
    with atomic_path(Path(path)) as temporary:
        temporary.write_text(
            f"newmtl {MATERIAL}\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nillum 1\nmap_Kd {texture_file}\n",
            encoding="ascii",
        )


def _mesh(model: MorphableModel, points_mm: Tensor, frame: str) -> TexturedMesh:
    surface = model.surface
    arrays = (points_mm, surface.triangles, surface.uv, surface.uv_triangles)
    vertices, triangles, uv, uv_triangles = (a.detach().cpu().numpy() for a in arrays)
    return TexturedMesh(vertices, triangles, uv, uv_triangles, frame)
