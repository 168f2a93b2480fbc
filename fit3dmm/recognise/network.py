"""The recognition network: from a face in a fixed square to 128 numbers that say whose it is.

D. King, "High quality face recognition with deep metric learning", 2017 (dlib's
`dlib_face_recognition_resnet_model_v1`, CC0): a residual network of 29 layers after K. He, X.
Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", CVPR 2016, with half the
filters. Two faces of one person lie nearer than 0.6, two of two people farther.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

EMBEDDING = 128
SAME_PERSON = 0.6
"""Distance of embeddings below which dlib takes two faces for one person's."""

_STEM_CHANNELS = 32
# Channels of each block, and those that halve the picture: the first of a wider group, and the
# last.
_CHANNELS = (32, 32, 32, 64, 64, 64, 64, 128, 128, 128, 256, 256, 256, 256)
_HALVING = (3, 7, 10, 13)
# Mean of the training pictures' colours, and the unit of what is left of them.
_MEAN_BYTE = (122.782, 117.001, 104.298)
_UNIT_BYTE = 256.0


class Block(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, channels_in: int, channels: int, halves: bool) -> None:
        super().__init__()
        self.halves = halves
        stride, padding = (2, 0) if halves else (1, 1)
        self.first = nn.Conv2d(channels_in, channels, 3, stride, padding)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1)

    def forward(self, x: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch c2 h2 w2"]:
        """Half as high and wide where the block halves."""
        changed = self.second(F.relu(self.first(x)))
        around = F.avg_pool2d(x, 2, 2) if self.halves else x
        return F.relu(_sum_of_unlike(changed, around))


class Recogniser(nn.Module):
    """The network. Its parameters are frozen; pictures have gradients."""

    mean_byte: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, _STEM_CHANNELS, 7, 2)
        widths = pairwise((_STEM_CHANNELS, *_CHANNELS))
        self.blocks = nn.Sequential(
            *(Block(one, next_, k in _HALVING) for k, (one, next_) in enumerate(widths))
        )
        self.embedding = nn.Linear(_CHANNELS[-1], EMBEDDING, bias=False)
        self.register_buffer("mean_byte", torch.tensor(_MEAN_BYTE)[:, None, None], persistent=False)
        self.requires_grad_(False)
        self.eval()

    def forward(self, chips_srgb: Float[Tensor, "batch 150 150 3"]) -> Float[Tensor, "batch 128"]:
        """Embeddings of faces that lie as `chip` puts them, sRGB in 0..1. Not of unit length."""
        x = (255 * chips_srgb.movedim(-1, 1) - self.mean_byte) / _UNIT_BYTE
        x = F.max_pool2d(F.relu(self.stem(x)), 3, 2)
        return self.embedding(self.blocks(x).mean((2, 3)))


def cosine_distance(
    one: Float[Tensor, "*batch 128"], other: Float[Tensor, "*batch 128"]
) -> Float[Tensor, "*batch"]:
    """1 minus the cosine of the angle between embeddings (Deng et al. 2019, equation 4)."""
    return 1 - F.cosine_similarity(one, other, dim=-1)


def _sum_of_unlike(one: Tensor, other: Tensor) -> Tensor:
    """Their sum, with zeros at the end of channels, rows and columns where one has fewer."""
    channels, height, width = (max(one.shape[k], other.shape[k]) for k in (1, 2, 3))

    def padded(x: Tensor) -> Tensor:
        if x.shape[1:] == (channels, height, width):
            return x
        return F.pad(x, (0, width - x.shape[3], 0, height - x.shape[2], 0, channels - x.shape[1]))

    return padded(one) + padded(other)
