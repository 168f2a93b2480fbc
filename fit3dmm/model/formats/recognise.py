"""Which family a file belongs to, told by its content."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fit3dmm._errors import InputError
from fit3dmm.model.files import is_model_file
from fit3dmm.model.formats import bfm2009, bfm2017, flame, gnm, ict
from fit3dmm.model.formats.source import SourceModel, expand, is_mat73, mat73_sentence


@dataclass(frozen=True)
class Family:
    """One kind of model file that can be converted."""

    name: str
    recognises: Callable[[list[Path]], bool]
    read: Callable[[list[Path]], SourceModel]


FAMILIES = (
    Family("ICT-FaceKit Light", ict.recognises, ict.read),
    Family("GNM Head v3", gnm.recognises, gnm.read),
    Family("FLAME", flame.recognises, flame.read),
    Family("Basel Face Model 2009", bfm2009.recognises, bfm2009.read),
    Family("Basel Face Model 2017 or 2019", bfm2017.recognises, bfm2017.read),
)


def read_source(paths: list[Path]) -> SourceModel:
    """Read a model in another family's format.

    Args:
        paths: files, or folders that hold them.

    Raises:
        InputError: nothing is recognised, or what is recognised is incomplete or damaged.
    """
    if not paths:
        raise InputError("No source is named: give a model's files, or the folder they lie in.")
    files = expand(paths)
    for family in FAMILIES:
        if family.recognises(files):
            return family.read(files)
    named = ", ".join(str(path) for path in paths)
    if any(is_model_file(file) for file in files):
        raise InputError(f"{named} is a fit3dmm model already: give its path to `--model`.")
    for file in files:
        if is_mat73(file):
            raise InputError(mat73_sentence(file))
    raise InputError(
        f"Nothing in {named} is a model that can be converted: expected one of "
        f"{', '.join(family.name for family in FAMILIES)} (docs/models.md says which files)."
    )
