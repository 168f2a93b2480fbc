"""DEODR's compiled renderer on the same mesh, with the same silhouette edges."""

import numpy as np
import torch

from fit3dmm.render import cpu
from fit3dmm.render.fragments import pixels_from_clip
from heads import Mesh
from silhouettes import silhouette_sides
from stopwatch import Action, clocks, since


def deodr_actions(mesh: Mesh, size: int) -> dict[str, Action]:
    """DEODR's compiled renderer with the same silhouette edges; it has float64 and one thread."""
    from deodr import differentiable_renderer as deodr

    clip = mesh.clip(size)
    px = pixels_from_clip(clip, size, size)[0].double().numpy()
    faces = mesh.topology.triangles.numpy().astype(np.uint32)
    n = len(px)
    scene = deodr.Scene2D(
        faces=faces,
        faces_uv=faces,
        ij=np.ascontiguousarray(px),
        depths=clip[0, :, 3].double().numpy().copy(),
        textured=np.zeros(len(faces), dtype=bool),
        uv=np.zeros((n, 2)),
        shade=np.zeros(n),
        colors=mesh.colours.double().numpy().copy(),
        shaded=np.zeros(len(faces), dtype=bool),
        edgeflags=silhouette_sides(torch.from_numpy(px), mesh.topology).numpy(),
        height=size,
        width=size,
        nb_colors=3,
        texture=np.zeros((2, 2, 3)),
        background_color=np.zeros(3),
        clockwise=False,
        backface_culling=True,
        integer_pixel_centers=False,
    )
    image, depth = np.zeros((size, size, 3)), np.zeros((size, size))
    weight = np.random.default_rng(0).standard_normal((size, size, 3))

    def forward() -> tuple[float, float]:
        start = clocks()
        deodr.renderScene(scene, 1.0, image, depth, False, None, None, False)
        return since(start)

    def backward() -> tuple[float, float]:
        scene.clear_gradients()
        # It changes both of them, so they are copies.
        drawn, gradient = image.copy(), weight.copy()
        start = clocks()
        deodr.renderSceneB(scene, 1.0, drawn, depth, gradient, False, None, None, None, False)
        return since(start)

    forward()
    ours = cpu.rasterise(clip, mesh.topology.triangles, size, size)
    share = float((ours.covered[0].numpy() == (image.any(-1))).mean())
    if share < 0.98:
        raise RuntimeError(f"DEODR covers other pixels than we do ({share:.1%} agree).")
    return {"deodr picture, forward": forward, "deodr picture, backward": backward}
