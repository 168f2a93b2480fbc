"""Skin models by the names that the command line has for them."""

from pathlib import Path

from fit3dmm._errors import InputError
from fit3dmm.observe.skin.model import SkinModel, read_skin_model

TRAINED, PUBLISHED = "trained", "jones-rehg"


def skin_model(name: str) -> SkinModel:
    """Ours, the published table, or a file that `fit3dmm skin train` wrote.

    Raises:
        InputError: it is neither a name nor a file.
    """
    if name == TRAINED:
        return SkinModel.trained()
    if name == PUBLISHED:
        return SkinModel.jones_rehg()
    if not Path(name).exists():
        raise InputError(
            f"There is no skin model {name!r}: give {TRAINED}, {PUBLISHED} or a file that "
            "`fit3dmm skin train` wrote."
        )
    return read_skin_model(name)
