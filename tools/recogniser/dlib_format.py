"""dlib's files of networks: their numbers, read and written layer by layer.

The format's facts (dlib/serialize.h, dlib/dnn/core.h, layers.h, input.h, loss.h of version 20): an
integer is a byte with its length and sign and then so many bytes, lowest first; a float is a
mantissa and an exponent of two; a tensor is its version 2, its four sizes and float32 values. A
network is its loss, a version for each layer from the last to the first, its input, and the layers
from the first to the last, each with its parameters, three switches and empty tensors for what
training needs.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

INPUT = "input_rgb_image_sized"
CONVOLUTION, AFFINE, LINEAR = "con_4", "affine_", "fc_2"
_POOLS = ("max_pool_2", "avg_pool_2")
_PLAIN = ("relu_", "add_prev_")
_NEGATIVE, _LENGTH = 0x80, 0x0F


@dataclass(frozen=True)
class Layer:
    """One layer that computes something."""

    kind: str
    numbers: tuple[int, ...]
    """Of a convolution: filters, rows, columns, strides and paddings in y and x; of a pool the
    same without filters; of a linear layer: outputs and inputs."""
    shape: tuple[int, ...] = ()
    """Of a convolution's filters, or of an affine layer's scales."""
    parameters: Float[np.ndarray, "n"] | None = None
    """Weights, then biases; scales, then shifts."""


class Reader:
    """Reads a network's bytes from front to back."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    @property
    def left(self) -> int:
        """Bytes that are still to be read."""
        return len(self._content) - self._at

    def integer(self) -> int:
        control = self._take(1)[0]
        length = control & _LENGTH
        if control & ~(_NEGATIVE | _LENGTH) or not 1 <= length <= 8:
            raise ValueError(f"no integer at byte {self._at - 1}")
        value = int.from_bytes(self._take(length), "little")
        return -value if control & _NEGATIVE else value

    def integers(self, n: int) -> tuple[int, ...]:
        return tuple(self.integer() for _ in range(n))

    def text(self) -> str:
        return self._take(self.integer()).decode("ascii")

    def number(self) -> float:
        mantissa, exponent = self.integers(2)
        return math.ldexp(mantissa, exponent)

    def switch(self) -> bool:
        value = self._take(1)
        if value not in (b"0", b"1"):
            raise ValueError(f"no switch at byte {self._at - 1}")
        return value == b"1"

    def shape(self) -> tuple[int, ...]:
        version, *sizes = self.integers(5)
        if version not in (1, 2):
            raise ValueError(f"a tensor of version {version}")
        return tuple(sizes)

    def tensor(self) -> Float[np.ndarray, "n"]:
        n = math.prod(self.shape())
        return np.frombuffer(self._take(4 * n), "<f4")

    def starts_with(self, text: str) -> bool:
        """Whether a text of this content comes next."""
        at = self._at
        try:
            return self.integer() == len(text) and self._take(len(text)) == text.encode()
        finally:
            self._at = at

    def _take(self, n: int) -> bytes:
        part = self._content[self._at : self._at + n]
        if len(part) < n:
            raise ValueError("the file ends too early")
        self._at += n
        return part


def read_layers(content: bytes) -> tuple[Layer, ...]:
    """All layers that compute something, the first one first.

    Raises:
        ValueError: the content is no such network.
    """
    reader = Reader(content)
    if reader.integer() != 1 or reader.text() != "loss_metric_2":
        raise ValueError("the network has another loss")
    _ = reader.number(), reader.number()
    versions = 0
    while not reader.starts_with(INPUT):
        reader.integer()
        versions += 1
    _ = reader.text(), [reader.number() for _ in range(3)], reader.integers(2)
    layers: list[Layer] = []
    while reader.left:
        layers.append(_layer(reader))
        _ = [reader.switch() for _ in range(3)], reader.tensor(), reader.tensor()
        reader.tensor()
        if len(layers) == 1:
            reader.integer()  # an expansion factor, of the layer on the input
    return tuple(layers)


def parameters(layers: tuple[Layer, ...]) -> Iterator[Layer]:
    """The layers that have any."""
    return (layer for layer in layers if layer.parameters is not None)


def _layer(reader: Reader) -> Layer:
    kind = reader.text()
    if kind == CONVOLUTION:
        values, n, place = reader.tensor(), reader.integer(), reader.integers(6)
        shape, _ = reader.shape(), reader.shape()
        _skip_rates(reader)
        return Layer(kind, (n, *place), shape, values)
    if kind == AFFINE:
        values, shape = reader.tensor(), reader.shape()
        _ = reader.shape(), reader.integer()
        return Layer(kind, (), shape, values)
    if kind in _POOLS:
        return Layer(kind, reader.integers(6))
    if kind == LINEAR:
        sizes, values = reader.integers(2), reader.tensor()
        _ = reader.shape(), reader.shape(), reader.integer()
        _skip_rates(reader)
        return Layer(kind, sizes, sizes, values)
    if kind in _PLAIN:
        return Layer(kind, ())
    raise ValueError(f"the layer {kind!r} is not known")


def _skip_rates(reader: Reader) -> None:
    """Learning rates and decays of weights and biases."""
    for _ in range(4):
        reader.number()
