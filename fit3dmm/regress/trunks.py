"""Convolutional trunks by name: from a picture to features at three resolutions.

`lite0` is EfficientNet-Lite0 (M. Tan, Q. Le, "EfficientNet", ICML 2019; the Lite variant has no
squeeze-and-excitation and ReLU6), `resnet18` and `resnet50` are the networks of K. He et al., "Deep
residual learning for image recognition", CVPR 2016; their parameters are named as in the public
releases of their ImageNet weights, so that those load as they are. `recognition` is a residual
network that was trained to tell people apart; its parameters are named as in data/recogniser.h5.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fit3dmm._errors import InputError


@dataclass(frozen=True)
class Features:
    """Maps at strides 8, 16 and 32."""

    fine: Float[Tensor, "batch fine_channels fine_h fine_w"]
    middle: Float[Tensor, "batch middle_channels middle_h middle_w"]
    coarse: Float[Tensor, "batch coarse_channels coarse_h coarse_w"]


class Trunk(nn.Module):
    """Base: pictures in, `Features` out."""

    channels: tuple[int, int, int]
    """Of the fine, middle and coarse maps."""

    def forward(self, image: Float[Tensor, "batch 3 height width"]) -> Features:
        """
        Args:
            image: normalised sRGB, about -1..1.
        """
        return self.deep(self.shallow(image))

    def shallow(self, image: Float[Tensor, "batch 3 height width"]) -> Tensor:
        """Maps at a stride of 4: half of the work, and what is much the same in all networks."""
        raise NotImplementedError

    def deep(self, maps: Tensor) -> Features:
        """The rest, from what `shallow` gives."""
        raise NotImplementedError

    def shallow_layers(self) -> list[nn.Module]:
        """Those that `shallow` uses, and `deep` does not."""
        raise NotImplementedError


# Repeats, kernel, stride, expansion and channels of each group of blocks.
_LITE0 = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320),
)  # fmt: skip


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class _InvertedBlock(nn.Module):
    def __init__(self, inner: int, outer: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        middle = inner * expansion
        self._is_identity = stride == 1 and inner == outer
        self._expand_conv = nn.Conv2d(inner, middle, 1, bias=False) if expansion != 1 else None
        self._bn0 = _norm(middle) if expansion != 1 else None
        self._depthwise_conv = nn.Conv2d(
            middle, middle, kernel, stride, kernel // 2, groups=middle, bias=False
        )
        self._bn1 = _norm(middle)
        self._project_conv = nn.Conv2d(middle, outer, 1, bias=False)
        self._bn2 = _norm(outer)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        if self._expand_conv is not None and self._bn0 is not None:
            y = F.relu6(self._bn0(self._expand_conv(y)))
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self._is_identity else y


class Lite0(Trunk):
    """EfficientNet-Lite0 up to its last convolution: 3.4 million parameters."""

    channels = (40, 112, 1280)

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = nn.Conv2d(3, 32, 3, 2, 1, bias=False)
        self._bn0 = _norm(32)
        blocks, inner = [], 32
        self._ends: list[int] = []
        for repeats, kernel, stride, expansion, outer in _LITE0:
            for place in range(repeats):
                first = stride if place == 0 else 1
                blocks.append(_InvertedBlock(inner, outer, kernel, first, expansion))
                inner = outer
            self._ends.append(len(blocks))
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = nn.Conv2d(inner, 1280, 1, bias=False)
        self._bn1 = _norm(1280)

    def shallow(self, image: Float[Tensor, "batch 3 height width"]) -> Tensor:
        x = F.relu6(self._bn0(self._conv_stem(image)))
        for block in list(self._blocks)[: self._ends[1]]:
            x = block(x)
        return x

    def shallow_layers(self) -> list[nn.Module]:
        return [self._conv_stem, self._bn0, *list(self._blocks)[: self._ends[1]]]

    def deep(self, maps: Tensor) -> Features:
        x, kept = maps, []
        for place, block in islice(enumerate(self._blocks, start=1), self._ends[1], None):
            x = block(x)
            # The last blocks before the strides of 16 and 32.
            if place in (self._ends[2], self._ends[4]):
                kept.append(x)
        return Features(kept[0], kept[1], F.relu6(self._bn1(self._conv_head(x))))


class _BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, inner: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inner, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(inner, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class _Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, inner: int, width: int, stride: int) -> None:
        super().__init__()
        outer = width * self.expansion
        self.conv1 = nn.Conv2d(inner, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outer, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outer)
        self.downsample = _shortcut(inner, outer, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


def _shortcut(inner: int, outer: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and inner == outer:
        return None
    return nn.Sequential(nn.Conv2d(inner, outer, 1, stride, bias=False), nn.BatchNorm2d(outer))


class ResNet(Trunk):
    """A residual network without its classifier."""

    def __init__(self, block: type[_BasicBlock | _Bottleneck], repeats: tuple[int, ...]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        layers, inner = [], 64
        for level, n in enumerate(repeats):
            width, blocks = 64 * 2**level, []
            for place in range(n):
                blocks.append(block(inner, width, 2 if level > 0 and place == 0 else 1))
                inner = width * block.expansion
            layers.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3, self.layer4 = layers
        self.channels = (inner // 4, inner // 2, inner)

    def shallow(self, image: Float[Tensor, "batch 3 height width"]) -> Tensor:
        return self.layer1(F.max_pool2d(F.relu(self.bn1(self.conv1(image))), 3, 2, 1))

    def shallow_layers(self) -> list[nn.Module]:
        return [self.conv1, self.bn1, self.layer1]

    def deep(self, maps: Tensor) -> Features:
        fine = self.layer2(maps)
        middle = self.layer3(fine)
        return Features(fine, middle, self.layer4(middle))


class _PlainBlock(nn.Module):
    """Two convolutions and a way around them, which a wider block pads with zeros."""

    def __init__(self, inner: int, width: int, halves: bool) -> None:
        super().__init__()
        self._halves, self._wider_by = halves, width - inner
        self.first = nn.Conv2d(inner, width, 3, 2 if halves else 1, 0 if halves else 1)
        self.second = nn.Conv2d(width, width, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        around = F.avg_pool2d(x, 2) if self._halves else x
        # Convolutions that halve see pixels 2 k to 2 k + 2: none is missing on the left and above.
        y = F.pad(x, (0, 1, 0, 1)) if self._halves else x
        y = self.second(F.relu(self.first(y)))
        return F.relu(y + F.pad(around, (0, 0, 0, 0, 0, self._wider_by)))


# Channels of each block, and those that halve the picture.
_RECOGNITION = (32, 32, 32, 64, 64, 64, 64, 128, 128, 128, 256, 256, 256)
_RECOGNITION_HALVES = (3, 7, 10)
# Mean of the pictures' bytes that it was trained on, and the unit of what is left of them.
_RECOGNITION_MEAN, _RECOGNITION_UNIT = (122.782, 117.001, 104.298), 256.0


class Recognition(Trunk):
    """dlib's face recognition network without its last, coarsest block: 4.4 million parameters and
    no norms, whose layers are folded into the convolutions.

    D. King, "High quality face recognition with deep metric learning", 2017. Pictures are padded,
    so that maps are those of the other trunks.
    """

    channels = (64, 128, 256)
    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 7, 2, 3)
        blocks, inner = [], 32
        for place, width in enumerate(_RECOGNITION):
            blocks.append(_PlainBlock(inner, width, place in _RECOGNITION_HALVES))
            inner = width
        self.blocks = nn.ModuleList(blocks)
        mean = torch.tensor(_RECOGNITION_MEAN)[:, None, None]
        self.register_buffer("mean", mean, persistent=False)

    def shallow(self, image: Float[Tensor, "batch 3 height width"]) -> Tensor:
        x = (127.5 * (image + 1) - self.mean) / _RECOGNITION_UNIT
        x = F.max_pool2d(F.pad(F.relu(self.stem(x)), (0, 1, 0, 1)), 3, 2)
        for block in list(self.blocks)[: _RECOGNITION_HALVES[0]]:
            x = block(x)
        return x

    def shallow_layers(self) -> list[nn.Module]:
        return [self.stem, *list(self.blocks)[: _RECOGNITION_HALVES[0]]]

    def deep(self, maps: Tensor) -> Features:
        x, kept = maps, []
        for place, block in islice(enumerate(self.blocks), _RECOGNITION_HALVES[0], None):
            if place in _RECOGNITION_HALVES[1:]:
                kept.append(x)
            x = block(x)
        return Features(kept[0], kept[1], x)


_TRUNKS: dict[str, Callable[[], Trunk]] = {
    "lite0": Lite0,
    "resnet18": lambda: ResNet(_BasicBlock, (2, 2, 2, 2)),
    "resnet50": lambda: ResNet(_Bottleneck, (3, 4, 6, 3)),
    "recognition": Recognition,
}


def make_trunk(name: str) -> Trunk:
    """A trunk with random weights.

    Raises:
        InputError: there is no such trunk.
    """
    if name not in _TRUNKS:
        raise InputError(f"There is no trunk {name!r}: choose one of {', '.join(_TRUNKS)}.")
    return _TRUNKS[name]()
