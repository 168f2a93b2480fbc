"""A picture against the slow reference: what `fit3dmm doctor` tries at the end."""

import time

import numpy as np
import torch

from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.mesh import Topology, build_topology
from fit3dmm.geometry.subdivision import composed_operator, quads_to_triangles, refine_levels
from fit3dmm.render import cpu
from fit3dmm.render.backend import BackendName
from fit3dmm.render.synthesise import Rendering, render_mesh
from fit3dmm.scene import Lighting

_CUBE = [[0, 3, 2, 1], [4, 5, 6, 7], [0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7]]


def draw_ball_twice() -> str:
    """Draw a ball fast and with the slow reference; says what was done.

    Raises:
        RuntimeError: the pictures differ, or the derivative is wrong.
    """
    points, topology = _ball()
    camera = Camera.centred(300.0, 64, 64)
    points.requires_grad_()
    start = time.perf_counter()
    drawn = _draw(points, topology, camera)
    (gradient,) = torch.autograd.grad(drawn.coverage.sum(), points)
    seconds = time.perf_counter() - start
    truth = _draw(points.detach(), topology, camera, "reference")
    error = float((drawn.rgb_linear.detach() - truth.rgb_linear).abs().mean())
    nearer = float(gradient[..., 2].sum())
    if not (error < 1e-3 and nearer > 0 and bool(gradient.isfinite().all())):
        raise RuntimeError(
            f"The renderer's self-test failed (mean error {error:.2g}, derivative {nearer:.2g}): "
            f"delete {cpu.kernel_cache()} and run it again; if it stays, report it with this table."
        )
    return f"a picture and its derivative in {1e3 * seconds:.0f} ms"


def _draw(
    points: torch.Tensor, topology: Topology, camera: Camera, backend: BackendName = "auto"
) -> Rendering:
    white = torch.ones_like(points)
    return render_mesh(points, white, topology, camera, Lighting.ambient_white(), backend=backend)


def _ball() -> tuple[torch.Tensor, Topology]:
    """A cube, smoothed three times, half a metre in front of the camera."""
    corners = np.array(
        [[x, y, z] for z in (-1, 1) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    )
    steps = refine_levels(np.array(_CUBE), 8, 3)
    points = torch.from_numpy(composed_operator(steps, 8) @ (60.0 * corners)).float()
    triangles = torch.from_numpy(quads_to_triangles(steps[-1].quads))
    return points - torch.tensor([0.0, 0.0, 500.0]), build_topology(triangles, len(points))
