"""Meshes with a colour and a number at each vertex, as binary PLY."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from fit3dmm._files import atomic_path
from fit3dmm.geometry.triangle_mesh import Mesh


def write_ply(
    path: Path,
    mesh: Mesh,
    colours_srgb: UInt8[np.ndarray, "vertices 3"],
    quality: Float[np.ndarray, "vertices"],
    comment: str,
) -> None:
    """Write positions, colours and triangles; little-endian.

    Args:
        path: of the file.
        mesh: in whatever frame and unit `comment` says.
        colours_srgb: of the vertices.
        quality: a number for each, by the name that MeshLab shows it under.
        comment: one line for the top of the file.

    Raises:
        InputError: the file can't be written.
    """
    vertices = np.zeros(
        len(mesh.vertices), np.dtype([("place", "<f4", 3), ("colour", "u1", 3), ("quality", "<f4")])
    )
    vertices["place"], vertices["colour"] = mesh.vertices, colours_srgb
    vertices["quality"] = quality
    faces = np.zeros(len(mesh.triangles), np.dtype([("corners", "u1"), ("rows", "<i4", 3)]))
    faces["corners"], faces["rows"] = 3, mesh.triangles
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"comment {comment}",
        f"element vertex {len(vertices)}",
        *(f"property float {axis}" for axis in "xyz"),
        *(f"property uchar {channel}" for channel in ("red", "green", "blue")),
        "property float quality",
        f"element face {len(faces)}",
        "property list uchar int vertex_indices",
        "end_header",
    ]
    with atomic_path(Path(path)) as temporary:
        content = "\n".join(header).encode("ascii") + b"\n"
        temporary.write_bytes(content + vertices.tobytes() + faces.tobytes())
