"""Which renderer is used: the choice by device, and the reason for each that can't be."""

import importlib
import importlib.util
from typing import Literal, Protocol, cast, runtime_checkable

import torch
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm.geometry.mesh import Topology
from fit3dmm.render import nvdiffrast, reference
from fit3dmm.render.fragments import Fragments
from fit3dmm.render.silhouette import SilhouettePairs

BackendName = Literal["auto", "cpu", "nvdiffrast", "reference"]


@runtime_checkable
class Backend(Protocol):
    """A module that keeps the contract of `render.fragments`."""

    NAME: str

    def rasterise(self, clip: Tensor, triangles: Tensor, height: int, width: int) -> Fragments:
        """Find what each pixel of pictures of `height` times `width` pixels shows of the
        `triangles`, whose corners are rows of `clip` (as `Camera.to_clip` makes them)."""
        ...

    def interpolate(self, values: Tensor, triangles: Tensor, fragments: Fragments) -> Tensor: ...

    def find_silhouettes(
        self, clip: Tensor, fragments: Fragments, topology: Topology
    ) -> SilhouettePairs: ...

    def vertex_normals(self, points: Tensor, topology: Topology) -> Tensor: ...


def choose_backend(name: BackendName, device: torch.device) -> Backend:
    """The backend of this name, or for `auto` the fast one of the device.

    Raises:
        InputError: the device has no backend of this name, or it is not installed.
    """
    if name == "auto":
        name = "cpu" if device.type == "cpu" else "nvdiffrast"
    if name == "reference":
        return cast(Backend, reference)
    serves = "cpu" if name == "cpu" else "cuda"
    if device.type != serves:
        raise InputError(
            f"The backend {name!r} renders tensors on {serves!r}, these are on {device.type!r}: "
            "move the model and the scene with `.to(device)`, or use backend 'auto'."
        )
    reason = unavailable_backends().get(name)
    if reason is not None:
        raise InputError(f"The backend {name!r} can't be used: {reason}")
    # numba takes a third of a second to import: only what renders on the processor waits for it.
    module = importlib.import_module("fit3dmm.render.cpu") if name == "cpu" else nvdiffrast
    return cast(Backend, module)


def unavailable_backends() -> dict[str, str]:
    """The reason for each backend that can't be used here, with the remedy."""
    reasons = {}
    if importlib.util.find_spec("numba") is None:
        reasons["cpu"] = "numba is not installed: pip install numba"
    no_cuda = nvdiffrast.missing()
    if no_cuda is not None:
        reasons["nvdiffrast"] = no_cuda
    return reasons
