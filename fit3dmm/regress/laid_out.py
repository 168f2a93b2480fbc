"""A network laid out for many looks on a processor, as the frames of a video ask for them."""

import copy
import warnings

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fit3dmm.regress.network import FaceNetwork
from fit3dmm.regress.trunks import Features, Trunk


def laid_out(network: FaceNetwork, size_px: int) -> FaceNetwork:
    """The same network, with a trunk that takes half the time.

    Norms become part of the convolutions before them, as does what cuts off behind, and weights lie
    as oneDNN reads them. To lay them out takes about a second, so it pays from some fifty looks on.
    What the network says differs by rounding.

    Args:
        network: a trained one. On another device than the processor it is given back as it is,
            and where PyTorch has no such layouts.
        size_px: side of the crops.
    """
    like = network.mean_points
    if like.device.type != "cpu" or not hasattr(torch.jit, "optimize_for_inference"):
        return network
    quick = copy.deepcopy(network).eval()
    with torch.no_grad(), warnings.catch_warnings():
        # PyTorch means to give up TorchScript; what it names instead asks for a C++ compiler. It
        # warns, too, of shapes that are checked while it traces, and are those of every picture.
        warnings.simplefilter("ignore")
        picture = torch.zeros(1, 3, size_px, size_px, dtype=like.dtype)
        traced = torch.jit.trace(_Plain(quick.trunk), picture, check_trace=False)
        assert isinstance(traced, torch.jit.ScriptModule)
        quick.trunk = _LaidOut(torch.jit.optimize_for_inference(traced), quick.trunk.channels)
    return quick


class _Plain(nn.Module):
    """A trunk whose features are a tuple: what can be traced."""

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self._trunk = trunk

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = self._trunk(image)
        return features.fine, features.middle, features.coarse


class _LaidOut(Trunk):
    """The traced trunk, with features by their names again."""

    def __init__(self, traced: nn.Module, channels: tuple[int, int, int]) -> None:
        super().__init__()
        self._traced = traced
        self.channels = channels

    def forward(self, image: Float[Tensor, "batch 3 height width"]) -> Features:
        with torch.autocast(image.device.type, enabled=False):
            return Features(*self._traced(image))
