"""The recognition network's file: HDF5, float16 weights, and what they are."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from fit3dmm._files import data_path
from fit3dmm._hdf5 import FileFormat
from fit3dmm.recognise.network import Recogniser

SHIPPED = "recogniser.h5"
FORMAT = FileFormat(
    "fit3dmm recogniser", 1, "recognition network", "reinstall fit3dmm, which ships with it"
)


@lru_cache(maxsize=1)
def shipped_recogniser() -> Recogniser:
    """The one in data/ (data/README.md says where it comes from)."""
    return read_recogniser(data_path(SHIPPED))


def read_recogniser(path: str | Path) -> Recogniser:
    """Read a network.

    Raises:
        InputError: no such file, or it is damaged or newer.
    """
    network = Recogniser()
    with FORMAT.reading(path) as file:
        weights = file["weights"]
        found = {name: torch.from_numpy(np.asarray(weights[name][()])).float() for name in weights}
        network.load_state_dict(found)
    return network


def write_recogniser(
    network: Recogniser, path: str | Path, provenance: str, licence: str = "CC0-1.0"
) -> None:
    """Write a network whole or not at all; the same network always gives the same bytes.

    Args:
        network: what is written.
        path: of the file.
        provenance: where its numbers come from, in sentences.
        licence: of the numbers.

    Raises:
        InputError: the file can't be written.
    """
    with FORMAT.writing(path, provenance=provenance, licence=licence) as file:
        group = file.create_group("weights")
        for name, value in network.state_dict().items():
            half = value.half().numpy()
            packing = {"compression": "gzip", "shuffle": True, "track_times": False}
            group.create_dataset(name, data=half, **packing)
