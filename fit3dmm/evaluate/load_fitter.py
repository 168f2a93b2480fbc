"""Fitters by the names that the command line has for them."""

import importlib

from fit3dmm._errors import InputError
from fit3dmm.evaluate.fitter import Fitter


def load_fitter(name: str, model: str = "commons") -> Fitter:
    """The fitter of a preset, or of `package.module:factory`, a function without arguments.

    Args:
        name: which.
        model: the face model that a preset fits; a factory knows its own.

    Raises:
        InputError: there is no such preset, module or factory.
    """
    module_name, _, factory_name = name.partition(":")
    if not factory_name:
        # The pipeline takes seconds to load, and scoring meshes does not need it.
        from fit3dmm.evaluate.preset_fitter import PresetFitter

        fitter = PresetFitter(name, model)
        fitter.fingerprint  # noqa: B018, a wrong name shall end here and not in every worker
        return fitter
    try:
        factory = getattr(importlib.import_module(module_name), factory_name)
    except (ImportError, AttributeError) as error:
        raise InputError(f"Can't load the fitter {name}: {error}.") from error
    return factory()
