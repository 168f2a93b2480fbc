"""What of a network learns, and how it looks at pictures meanwhile."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.regress.laid_out import ShallowTrunk, WholeTrunk, laid_out_layers
from fit3dmm.regress.network import FaceNetwork
from fit3dmm.regress.outputs import Outputs
from fit3dmm.regress.trunks import Features

Learns = Literal["all", "upper", "refiner"]


class Learner:
    """A network of which some part learns.

    Args:
        network: whose parameters are told here whether they take derivatives.
        learns: `all`; `upper`, everything but the trunk's layers up to a stride of 4; or `refiner`,
            which looks at points once more, with what the last layer makes of where they lie. But
            for `all`, norms keep their statistics: a picture is seen in the same way whatever is
            beside it, and what stays as it is can be laid out for speed.

    Raises:
        ValueError: the network has no refiner that could learn.
    """

    def __init__(self, network: FaceNetwork, learns: Learns) -> None:
        if learns == "refiner" and network.refiner is None:
            raise ValueError("A network without a refiner has none that could learn.")
        self._network, self._learns = network, learns
        network.requires_grad_(learns != "refiner")
        if learns == "refiner" and network.refiner is not None:
            network.refiner.requires_grad_(True)
            if network.reader is not None:
                network.reader.requires_grad_(True)
                network.say_rest.requires_grad_(True)
        if learns == "upper":
            for layer in network.trunk.shallow_layers():
                layer.requires_grad_(False)
        self._still: tuple[int, torch.nn.Module] | None = None

    @property
    def pictures_apart(self) -> bool:
        """Whether what is learned from a picture does not depend on those beside it."""
        return self._learns != "all"

    def look(self, image_srgb: Float[Tensor, "batch 3 size size"]) -> Outputs:
        """What the network says, with derivatives for what learns.

        Args:
            image_srgb: 0..1.
        """
        network = self._network
        if self._learns == "all":
            return network.train()(image_srgb)
        network.eval()
        # In full precision: layouts are of it.
        with torch.no_grad(), torch.autocast(image_srgb.device.type, enabled=False):
            maps = self._layers_that_stay(image_srgb.shape[-1])(2 * image_srgb - 1)
        if self._learns == "refiner":
            return network.said_of(Features(*maps), image_srgb)
        return network.said_of(network.trunk.deep(maps), image_srgb)

    def _layers_that_stay(self, size_px: int) -> torch.nn.Module:
        if self._still is None or self._still[0] != size_px:
            trunk = self._network.trunk
            layers = WholeTrunk(trunk) if self._learns == "refiner" else ShallowTrunk(trunk)
            self._still = size_px, laid_out_layers(layers, size_px, self._network.mean_points)
        return self._still[1]
