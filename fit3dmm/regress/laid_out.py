"""A network laid out for many looks on a processor, as the frames of a video ask for them."""

import copy
import warnings

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fit3dmm.regress.network import FaceNetwork
from fit3dmm.regress.trunks import Features, Trunk


class WholeTrunk(nn.Module):
    """A trunk whose features are a tuple (fine, middle, coarse): what can be traced."""

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self._trunk = trunk

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = self._trunk(image)
        return features.fine, features.middle, features.coarse


class ShallowTrunk(nn.Module):
    """The layers of a trunk up to a stride of 4."""

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self._trunk = trunk

    def forward(self, image: Tensor) -> Tensor:
        return self._trunk.shallow(image)


def laid_out(network: FaceNetwork, size_px: int) -> FaceNetwork:
    """The same network, with a trunk that takes half the time.

    Args:
        network: a trained one.
        size_px: side of the crops.
    """
    layers = laid_out_layers(WholeTrunk(network.trunk), size_px, network.mean_points)
    if not isinstance(layers, torch.jit.ScriptModule):
        return network
    quick = copy.deepcopy(network).eval()
    quick.trunk = _LaidOut(layers, network.trunk.channels)
    return quick


def laid_out_layers(layers: nn.Module, size_px: int, like: Tensor) -> nn.Module:
    """Layers as they are now, in half the time.

    Norms become part of the convolutions before them, as does what cuts off behind, and weights lie
    as oneDNN reads them. To lay them out takes about a second, so it pays from some fifty looks on.
    What they say differs by rounding.

    Args:
        layers: from pictures to maps.
        size_px: side of the pictures.
        like: a tensor beside the layers. On another device than the processor they are given back
            as they are, and where PyTorch has no such layouts.
    """
    if like.device.type != "cpu" or not hasattr(torch.jit, "optimize_for_inference"):
        return layers
    still = copy.deepcopy(layers).eval()
    with torch.no_grad(), warnings.catch_warnings():
        # PyTorch means to give up TorchScript; what it names instead asks for a C++ compiler. It
        # warns, too, of shapes that are checked while it traces, and are those of every picture.
        warnings.simplefilter("ignore")
        picture = torch.zeros(1, 3, size_px, size_px, dtype=like.dtype)
        traced = torch.jit.trace(still, picture, check_trace=False)
        assert isinstance(traced, torch.jit.ScriptModule)
        return torch.jit.optimize_for_inference(traced)


class _LaidOut(Trunk):
    """The traced trunk, with features by their names again."""

    def __init__(self, traced: nn.Module, channels: tuple[int, int, int]) -> None:
        super().__init__()
        self._traced = traced
        self.channels = channels

    def forward(self, image: Float[Tensor, "batch 3 height width"]) -> Features:
        with torch.autocast(image.device.type, enabled=False):
            return Features(*self._traced(image))
