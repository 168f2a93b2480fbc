"""Weights that a trunk begins with, from files of other trainings."""

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm._hdf5 import open_foreign
from fit3dmm.regress.network import FaceNetwork

_WEIGHTS = "weights"


def load_trunk(network: FaceNetwork, path: str | Path) -> None:
    """Give a network's trunk the weights of a file, in place.

    Args:
        network: whose heads stay as they are.
        path: a safetensors file, or an HDF5 file with a group `weights` such as
            data/recogniser.h5; names are those of the trunk's public release, and further layers
            (classifiers) are passed over.

    Raises:
        InputError: there is no such file, it is of another kind, or it is of another trunk.
    """
    found = _read(Path(path))
    trunk, name = network.trunk, network.settings.trunk
    own = trunk.state_dict()
    missing = [key for key in own if key not in found]
    unlike = [key for key in own if key in found and own[key].shape != found[key].shape]
    for what, keys in (("has no weights for", missing), ("has others in shape for", unlike)):
        if keys:
            more = f" and {len(keys) - 1} others" if len(keys) > 1 else ""
            raise InputError(
                f"{path} {what} {keys[0]}{more} of the trunk: expected weights of {name}."
            )
    trunk.load_state_dict({key: found[key].to(own[key]) for key in own})


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise InputError(
            f"There is no file {path}: tools/fetch_trunk.py makes one for lite0, and "
            "tools/build_recogniser.py one for recognition."
        )
    try:
        if path.suffix == ".h5":
            with open_foreign(path) as file:
                group = file[_WEIGHTS]
                return {name: torch.from_numpy(np.asarray(group[name][()])) for name in group}
        return load_file(path)
    except (OSError, KeyError, TypeError, SafetensorError) as error:
        raise InputError(
            f"{path} can't be read as weights ({error}): give a safetensors file, or an HDF5 file "
            f"with a group {_WEIGHTS!r}."
        ) from error
