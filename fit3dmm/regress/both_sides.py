"""A face and its mirror image: what a network says of both errs less than what it says of one.

A face turned over is a face, and a network does not err alike on both. On held-out renders the
points of both together lie nearer by one part in sixteen (docs/regressor.md).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm.regress.network import Network, Outputs
from fit3dmm.regress.targets import CropPose, rotation_from_columns

_ODD_HARMONICS = (3, 4, 7)
"""Those that change their sign with x: x, xy and xz."""


@dataclass(frozen=True)
class BothSides:
    """A network that looks at each crop twice, as it is and turned over."""

    network: Network
    mirror: Int[Tensor, "points"]
    """For each point the one on the other side of the face."""

    def __call__(self, image_srgb: Float[Tensor, "batch 3 size size"]) -> Outputs:
        """The mean of what is said of both, as the crop has it.

        Coefficients are those of the crop alone: a face turned over has others, which a model need
        not know.
        """
        n = len(image_srgb)
        said = self.network(torch.cat([image_srgb, image_srgb.flip(-1)]))
        return mean_of(
            said.map(lambda values: values[:n]),
            turned_over(said.map(lambda values: values[n:]), self.mirror),
        )


def turned_over(outputs: Outputs, mirror: Int[Tensor, "points"]) -> Outputs:
    """What is said of crops, as it is of their mirror images; coefficients stay.

    Args:
        mirror: for each point the one on the other side of the face.
    """
    pose, x = outputs.pose, outputs.points.new_tensor([-1.0, 1.0])
    flip = outputs.points.new_tensor([-1.0, 1.0, 1.0])
    light = outputs.light_asinh.clone()
    light[:, _ODD_HARMONICS] *= -1
    return outputs.replace(
        # From the left border to the right one.
        points=(outputs.points * x + outputs.points.new_tensor([1.0, 0.0]))[:, mirror],
        log_sigma=outputs.log_sigma[:, mirror],
        correlation=-outputs.correlation[:, mirror],
        pose=pose.replace(turned=flip[:, None] * pose.turned * flip, centre=pose.centre * x),
        light_asinh=light,
        cover=outputs.cover.flip(-1),
    )


def mean_of(one: Outputs, other: Outputs) -> Outputs:
    """What two looks at the same crops say together; coefficients are those of the first.

    Sigmas are the mean ones, as if both erred alike: how much less they err is learned with the
    table of the network's errors.
    """

    def mean(name: str) -> Tensor:
        return (getattr(one, name) + getattr(other, name)) / 2

    names = ("points", "log_sigma", "correlation", "light_asinh", "log_tone", "cover")
    columns = (one.pose.turned + other.pose.turned)[..., :2]
    pose = CropPose(
        rotation_from_columns(columns.mT.flatten(-2)),
        (one.pose.centre + other.pose.centre) / 2,
        (one.pose.log_size + other.pose.log_size) / 2,
        (one.pose.log_distance + other.pose.log_distance) / 2,
    )
    return one.replace(**{name: mean(name) for name in names}, pose=pose)
