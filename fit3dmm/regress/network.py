"""The network: a trunk, and one head that says points, coefficients, pose, light and cover, each
with how sure it is. Everything that is said starts at the mean face: last layers start at zero."""

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fit3dmm.regress.cover_decoder import CoverDecoder
from fit3dmm.regress.outputs import BLOCKS, SIGMAS, Outputs
from fit3dmm.regress.reader import PointReader
from fit3dmm.regress.refiner import PointRefiner, RefinerSettings
from fit3dmm.regress.targets import CropPose, rotation_from_columns
from fit3dmm.regress.trunks import Features, make_trunk
from fit3dmm.regress.zeroed import zeroed

AT_ONCE = 4
"""Pictures that a network looks at together on a processor: few are quickest, because their
features stay in its caches."""
_GRID = 8
_NARROW, _HIDDEN = 64, 320
_THUMBNAIL = 8
"""Side of the picture that the head sees as it is: features forget colours and exposure."""
_POINT_STEP = 0.12
"""What 1 in the last layer means for a point, in crops' sides."""
_REFINED_STEP = 0.03
"""The same for what is added when it is looked at again."""
_START_SIGMA = 0.02
"""Sigma of the points of an untrained network, in crops' sides."""
_LOG_SIGMA_RANGE = (-7.5, 0.0)
_MOST_CORRELATION = 0.98
BRIGHT = math.asinh((4 * math.pi) ** 0.5)
"""What an untrained network says of the light's mean, as `Outputs.light_asinh`."""
USUAL_LOG_TONE = -1.5
_POSE = 6 + 2 + 1 + 1
_LIGHT = 27


@dataclass(frozen=True)
class NetworkSettings:
    """What a network is made of; stored with its weights."""

    trunk: str
    """Name of the image network that everything is read from."""
    n_points: int
    """How many points it places."""
    identity: int
    """How many coefficients of each block it says: the first ones of the model's."""
    detail: int
    expression: int
    albedo: int
    cover_cells: int = 64
    """Side of the map of what covers the face."""
    refiner: RefinerSettings | None = None
    """How points are looked at once more, each where it was first said to be; None does not."""
    read: int = 0
    """In how many numbers the last layer is told where the points were said to lie at last: faces
    are told apart by that. With 0 it is told nothing of them."""

    def sizes(self) -> dict[str, int]:
        """Numbers of coefficients by block."""
        return {name: getattr(self, name) for name in BLOCKS}


class FaceNetwork(nn.Module):
    """From crops to `Outputs`.

    Args:
        mean_points: of the training pictures, in crops' sides.
    """

    mean_points: Tensor

    def __init__(self, settings: NetworkSettings, mean_points: Float[Tensor, "points 2"]) -> None:
        super().__init__()
        self.settings = settings
        self.trunk = make_trunk(settings.trunk)
        fine, middle, coarse = self.trunk.channels
        self.narrow = nn.Conv2d(coarse, _NARROW, 1)
        self.hidden = nn.Linear(_NARROW * _GRID * _GRID, _HIDDEN)
        n = settings.n_points
        n_coefficients = sum(settings.sizes().values())
        self.say_points = zeroed(nn.Linear(_HIDDEN, 5 * n))
        n_rest = n_coefficients + _POSE + _LIGHT + 1 + len(SIGMAS)
        n_told = _HIDDEN + coarse + 3 * _THUMBNAIL**2 + settings.read
        self.say_rest = zeroed(nn.Linear(n_told, n_rest))
        self.cover = CoverDecoder(fine, middle, coarse, settings.cover_cells)
        self.refiner = None
        if settings.refiner is not None:
            self.refiner = PointRefiner(settings.refiner, self.trunk.channels, _HIDDEN, n)
        self.reader = PointReader(settings.read, n) if settings.read else None
        self.register_buffer("mean_points", mean_points.clone())

    def forward(self, image_srgb: Float[Tensor, "batch 3 size size"]) -> Outputs:
        """
        Args:
            image_srgb: 0..1.
        """
        return self.said_of(self.trunk(2 * image_srgb - 1), image_srgb)

    def said_of(
        self, features: Features, image_srgb: Float[Tensor, "batch 3 size size"]
    ) -> Outputs:
        """What the network says when its trunk has seen these features in pictures."""
        told, cover = self._told(features, image_srgb), self.cover(features)
        places, log_sigma, correlation = self._placed(features, image_srgb, told)
        # The last layer says small differences: in full precision, whatever the trunk's is.
        with torch.autocast(told.device.type, enabled=False):
            rest = self.say_rest(self._told_of(told.float(), places))
        return self._say(places, log_sigma, correlation, rest, cover.float())

    def told(self, image_srgb: Float[Tensor, "batch 3 size size"]) -> Float[Tensor, "batch told"]:
        """What the last layer is told of crops: the hidden units, the mean of the coarsest
        features, a thumbnail, and where the points lie."""
        features = self.trunk(2 * image_srgb - 1)
        told = self._told(features, image_srgb)
        return self._told_of(told, self._placed(features, image_srgb, told)[0])

    def _told(self, features: Features, image_srgb: Float[Tensor, "batch 3 size size"]) -> Tensor:
        grid = F.interpolate(
            F.silu(self.narrow(features.coarse)), (_GRID, _GRID), mode="bilinear",
            align_corners=False,
        )  # fmt: skip
        hidden = F.silu(self.hidden(grid.flatten(1)))
        mean = features.coarse.mean((2, 3)).to(hidden)
        thumbnail = F.adaptive_avg_pool2d(image_srgb, _THUMBNAIL).flatten(1).to(hidden)
        return torch.cat([hidden, mean, thumbnail], 1)

    def _placed(
        self, features: Features, image_srgb: Float[Tensor, "batch 3 size size"], told: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Points, logarithms of their sigmas, and correlations before they are bent to a range."""
        n, hidden = self.settings.n_points, told[:, :_HIDDEN]
        with torch.autocast(told.device.type, enabled=False):
            said = self.say_points(hidden.float())
            places = self.mean_points + _POINT_STEP * said[:, : 2 * n].unflatten(1, (n, 2))
            log_sigma = math.log(_START_SIGMA) + said[:, 2 * n : 4 * n].unflatten(1, (n, 2))
            correlation = said[:, 4 * n :]
        if self.refiner is None:
            return places, log_sigma, correlation
        # Where it looks is no matter of degree: derivatives reach the first places as they are.
        added = self.refiner(features, 2 * image_srgb - 1, hidden, places.detach()).float()
        return (
            places + _REFINED_STEP * added[..., :2],
            log_sigma + added[..., 2:4],
            correlation + added[..., 4],
        )

    def _told_of(self, told: Tensor, places: Float[Tensor, "batch points 2"]) -> Tensor:
        if self.reader is None:
            return told
        # What a person is must not pull at where the points are seen.
        return torch.cat([told, self.reader(places.detach(), self.mean_points)], 1)

    def rest_rows(self) -> dict[str, slice]:
        """Which rows of `say_rest` say what."""
        lengths = {**self.settings.sizes(), "pose": _POSE, "light": _LIGHT, "tone": 1}
        rows, first = {}, 0
        for name, length in {**lengths, "log_sigmas": len(SIGMAS)}.items():
            rows[name] = slice(first, first + length)
            first += length
        return rows

    def _say(
        self,
        places: Float[Tensor, "batch points 2"],
        log_sigma: Float[Tensor, "batch points 2"],
        correlation: Float[Tensor, "batch points"],
        rest: Tensor,
        cover: Tensor,
    ) -> Outputs:
        sizes = self.settings.sizes()
        parts = rest.split([*sizes.values(), _POSE, _LIGHT, 1, len(SIGMAS)], dim=1)
        pose, light, tone, sigmas = parts[len(sizes) :]
        identity_columns = pose.new_tensor([1.0, 0, 0, 0, 1, 0])
        bright = light.new_zeros(27)
        # White in the face's place would be about as bright as white can be.
        bright[:3] = BRIGHT
        return Outputs(
            points=places,
            log_sigma=log_sigma.clamp(*_LOG_SIGMA_RANGE),
            correlation=_MOST_CORRELATION * torch.tanh(correlation),
            coefficients=dict(zip(sizes, parts, strict=False)),
            log_sigmas=dict(zip(SIGMAS, sigmas.clamp(-6, 3).unbind(1), strict=True)),
            pose=CropPose(
                turned=rotation_from_columns(identity_columns + pose[:, :6]),
                centre=0.2 * pose[:, 6:8],
                log_size=pose[:, 8] - 0.3,
                log_distance=pose[:, 9],
            ),
            light_asinh=(bright + light).unflatten(1, (9, 3)),
            log_tone=tone[:, 0] + USUAL_LOG_TONE,
            cover=cover,
        )


def extended(
    network: FaceNetwork, refiner: RefinerSettings | None = None, read: int = 0
) -> FaceNetwork:
    """A network that also looks at its points once more, and is told of where they lie. At first
    it says what it said before.

    Args:
        network: what it has learned is kept.
        refiner: what to look with where it has no refiner yet.
        read: in how many numbers to tell of the points where it isn't told of them yet.
    """
    settings, weights = network.settings, network.state_dict()
    wanted = replace(settings, refiner=settings.refiner or refiner, read=settings.read or read)
    if wanted == settings:
        return network
    larger = FaceNetwork(wanted, network.mean_points).to(network.mean_points)
    if wanted.read != settings.read:
        columns = larger.say_rest.weight.detach().clone()
        columns[:, : weights["say_rest.weight"].shape[1]] = weights["say_rest.weight"]
        weights["say_rest.weight"] = columns
    larger.load_state_dict(weights, strict=False)
    return larger
