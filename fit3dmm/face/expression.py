"""Expressions by name."""

import difflib
import math
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm.model.morphable import MorphableModel


def with_units(
    model: MorphableModel, start: Float[Tensor, "given"], units: Mapping[str, int | float]
) -> Float[Tensor, "expression"]:
    """An expression with some of its blendshapes set; the others stay as they are.

    Args:
        model: whose blendshapes they are.
        start: the expression before; it may be shorter than the basis.
        units: names and activations, 0 at rest and 1 at the full movement.

    Raises:
        InputError: the model has no blendshape of a name, or an activation is no number.
    """
    values = torch.nn.functional.pad(start, (0, model.n_expression - len(start)))
    for name, value in units.items():
        if name not in model.expression_names:
            raise InputError(
                f"{model.info.name} has no expression {name!r}: "
                f"{_hint(name, model.expression_names)}."
            )
        if not math.isfinite(value):
            raise InputError(f"The expression {name} must be a number, got {value}.")
        values[model.expression_names.index(name)] = value
    return values


def _hint(name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}" if near else f"choose of {', '.join(known)}"
