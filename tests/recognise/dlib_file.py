"""Writes our recognition network as a file of dlib's, so that dlib itself can run it."""

import math
import struct
from collections.abc import Iterator

import numpy as np
from torch import nn

from fit3dmm.recognise.network import Block, Recogniser

_LOSS = 1
# Versions that dlib writes of its types, from the last to the first: of those that compute, of the
# tags and skips between them, and of the layer on the input.
_COMPUTES, _MARKS, _FIRST = 2, 1, 3
_BLOCK = 5 * (_COMPUTES,) + (_MARKS,)
_AROUND = {False: (), True: (_COMPUTES, _MARKS, _MARKS)}
# The layer is set up, and its gradient is stale.
_SWITCHES = b"110"


def dlib_file(network: Recogniser) -> bytes:
    """The bytes of the file. Affine layers are the identity: ours lie in the convolutions."""
    out = integer(_LOSS) + text("loss_metric_2") + number(0.04) + number(0.6)
    out += b"".join(map(integer, _versions(network)))
    out += text("input_rgb_image_sized")
    out += b"".join(number(np.float32(mean)) for mean in (122.782, 117.001, 104.298))
    out += integer(150) + integer(150)
    layers = list(_layers(network))
    for k, layer in enumerate(layers):
        # Its gradient, its output and its parameters' gradient.
        out += layer + _SWITCHES + 3 * tensor(np.zeros(0), (0, 0, 0, 0))
        if k == 0:
            out += integer(1)
    return out


def _versions(network: Recogniser) -> Iterator[int]:
    yield from (_COMPUTES, _COMPUTES)
    for block in reversed(list(network.blocks)):
        assert isinstance(block, Block)
        yield from (_COMPUTES, _COMPUTES, *_AROUND[block.halves], *_BLOCK)
    yield from (_COMPUTES, _COMPUTES, _COMPUTES, _FIRST)


def _layers(network: Recogniser) -> Iterator[bytes]:
    yield from _convolution(network.stem)
    yield text("relu_")
    yield _pool("max_pool_2", 3, 2)
    for block in network.blocks:
        assert isinstance(block, Block)
        yield from _convolution(block.first)
        yield text("relu_")
        yield from _convolution(block.second)
        if block.halves:
            yield _pool("avg_pool_2", 2, 2)
        yield text("add_prev_")
        yield text("relu_")
    yield _pool("avg_pool_2", 0, 1)
    weight = network.embedding.weight.T.numpy()
    inputs, outputs = weight.shape
    head = text("fc_2") + integer(outputs) + integer(inputs)
    shapes = shape(1, inputs, outputs, 1, 1) + shape(1, 0, 0, 0, 0)
    yield head + tensor(weight, (inputs, outputs, 1, 1)) + shapes + integer(1) + _rates()


def _convolution(layer: nn.Conv2d) -> Iterator[bytes]:
    weight, bias = layer.weight.numpy(), layer.bias.numpy()
    n, channels, rows, columns = weight.shape
    both = np.concatenate([weight.ravel(), bias])
    place = (n, rows, columns, *layer.stride, *layer.padding)
    out = text("con_4") + tensor(both, (len(both), 1, 1, 1)) + b"".join(map(integer, place))
    yield out + shape(1, n, channels, rows, columns) + shape(1, 1, n, 1, 1) + _rates()
    identity = np.concatenate([np.ones(n), np.zeros(n)])
    one = shape(1, 1, n, 1, 1)
    yield text("affine_") + tensor(identity, (2 * n, 1, 1, 1)) + one + one + integer(0)


def _pool(kind: str, size: int, stride: int) -> bytes:
    return text(kind) + b"".join(map(integer, (size, size, stride, stride, 0, 0)))


def _rates() -> bytes:
    return b"".join(map(number, (1.0, 1.0, 1.0, 0.0)))


def integer(value: int) -> bytes:
    magnitude = abs(value)
    length = max(1, (magnitude.bit_length() + 7) // 8)
    return bytes([length | (0x80 if value < 0 else 0)]) + magnitude.to_bytes(length, "little")


def number(value: float) -> bytes:
    """The mantissa as a whole number of 24 bits, as dlib stores a float."""
    mantissa, exponent = math.frexp(float(value))
    return integer(round(mantissa * 2**24)) + integer(exponent - 24 if value else 0)


def text(value: str) -> bytes:
    return integer(len(value)) + value.encode("ascii")


def shape(version: int, *sizes: int) -> bytes:
    return b"".join(map(integer, (version, *sizes)))


def tensor(values: np.ndarray, sizes: tuple[int, ...]) -> bytes:
    flat = np.asarray(values, np.float32).ravel()
    return shape(2, *sizes) + struct.pack(f"<{len(flat)}f", *flat)
