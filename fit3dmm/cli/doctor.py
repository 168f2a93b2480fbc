"""`fit3dmm doctor`: what is installed, what can't be used and why, and whether rendering works."""

import importlib.metadata
import os
import platform
import time
from dataclasses import dataclass

import numpy as np
import torch
from rich.table import Table

from fit3dmm import __version__
from fit3dmm.cli.console import console
from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.mesh import Topology, build_topology
from fit3dmm.geometry.subdivision import composed_operator, quads_to_triangles, refine_levels
from fit3dmm.model.library import installed_models
from fit3dmm.render import cpu
from fit3dmm.render.backend import BackendName, unavailable_backends
from fit3dmm.render.synthesise import Rendering, render_mesh
from fit3dmm.scene import Lighting

_PACKAGES = (
    "torch",
    "numpy",
    "numba",
    "scipy",
    "h5py",
    "kornia",
    "mediapipe",
    "scikit-learn",
    "pillow",
    "trimesh",
)
_CUBE = [[0, 3, 2, 1], [4, 5, 6, 7], [0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7]]


@dataclass(frozen=True)
class Doctor:
    """Check the installation: versions, devices, renderers, models, and a self-test."""

    def run(self) -> None:
        table = Table("", "", show_header=False, box=None, pad_edge=False)
        for facts in (_versions(), _devices(), _renderers(), _models(), _self_test()):
            for name, value in facts.items():
                table.add_row(name, value)
            table.add_section()
        console().print(table)


def _versions() -> dict[str, str]:
    facts = {
        "fit3dmm": __version__,
        "python": f"{platform.python_version()} on {platform.platform()}",
    }
    for package in _PACKAGES:
        try:
            facts[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            facts[package] = f"missing: pip install {package}"
    return facts


def _devices() -> dict[str, str]:
    policy = os.environ.get("OMP_WAIT_POLICY", "not set (PASSIVE is faster on busy machines)")
    facts = {
        "processor": f"{os.cpu_count()} cores, torch uses {torch.get_num_threads()} threads",
        "OMP_WAIT_POLICY": policy,
    }
    for k in range(torch.cuda.device_count()):
        facts[f"cuda:{k}"] = torch.cuda.get_device_name(k)
    if not torch.cuda.is_available():
        facts["cuda"] = "no device: pictures are rendered on the processor"
    return facts


def _renderers() -> dict[str, str]:
    reasons = unavailable_backends()
    facts = {f"renderer {name}": reasons.get(name, "ready") for name in ("cpu", "nvdiffrast")}
    was_cached = cpu.kernels_cached()
    seconds = cpu.warm_up()
    done = "loaded from" if was_cached else "compiled, once on this machine, into"
    facts["kernels"] = f"{done} {cpu.kernel_cache()} in {seconds:.1f} s"
    return facts


def _models() -> dict[str, str]:
    try:
        models = installed_models()
    except FileNotFoundError as error:
        return {"models": str(error)}
    return {f"model {name}": str(path) for name, path in models.items()}


def _self_test() -> dict[str, str]:
    """A ball against the slow reference: the same picture, and a derivative of the right sign."""
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
    return {"self-test": f"passed: a picture and its derivative in {1e3 * seconds:.0f} ms"}


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


COMMAND = Doctor
