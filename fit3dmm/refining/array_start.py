"""A model's own coefficients as plain arrays."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm.model.morphable import Coefficients, MorphableModel
from fit3dmm.refining.containers import BARE, vector
from fit3dmm.refining.fitted_length import of_length
from fit3dmm.refining.start import Start
from fit3dmm.scene import Pose

_NAMES = {
    "identity": ("identity", "id", "shape", "betas", "shape_params", "alpha"),
    "detail": ("detail",),
    "expression": ("expression", "exp", "expr", "expression_params", "psi"),
    "albedo": ("albedo", "tex", "texture", "alb"),
    "joints_rad": ("joints_rad",),
}
_ROTATION = ("rotation_rad",)


def array_start(arrays: Mapping[str, np.ndarray], model: MorphableModel) -> Start:
    """Coefficients in the model's own units: sigmas, or activations of blendshapes.

    Args:
        arrays: by name, each of the model's first components; or one without a name, of the
            identity alone or of all kinds in a row.
        model: whose coefficients they are.

    Raises:
        InputError: nothing of it is a coefficient of the model.
    """
    sizes = {
        "identity": model.n_identity,
        "detail": model.n_detail,
        "expression": model.n_expression,
        "albedo": model.n_albedo,
        "joints_rad": model.n_turns,
    }
    found = {kind: vector(arrays, *names) for kind, names in _NAMES.items()}
    if BARE in arrays:
        found = _in_a_row(vector(arrays, BARE), sizes, model)
    if all(numbers is None for numbers in found.values()):
        named = ", ".join(name or "an array without a name" for name in sorted(arrays)) or "nothing"
        raise InputError(
            f"Nothing of it is known as coefficients (it holds {named}): name them identity, "
            "expression, albedo, or give another kind of file."
        )
    values: dict[str, Tensor] = {}
    remarks: tuple[str, ...] = ()
    for kind, n in sizes.items():
        values[kind], more = of_length(found[kind], n, kind)
        remarks += more
    rotation = vector(arrays, *_ROTATION, size=3)
    pose = None
    if rotation is not None:
        pose = Pose(torch.from_numpy(rotation.astype(np.float32)), torch.zeros(3))
    source = f"coefficients of {model.info.name}"
    return Start(source, Coefficients(**values), pose, remarks=remarks)


def _in_a_row(
    numbers: np.ndarray | None, sizes: Mapping[str, int], model: MorphableModel
) -> dict[str, np.ndarray | None]:
    """The parts of a vector, told by its length."""
    assert numbers is not None
    whole = sum(sizes.values())
    lengths = ", ".join(f"{n} {kind}" for kind, n in sizes.items() if n)
    if len(numbers) == sizes["identity"]:
        return {kind: numbers if kind == "identity" else None for kind in sizes}
    if len(numbers) != whole:
        raise InputError(
            f"{len(numbers)} numbers without a name are no coefficients of {model.info.name}: "
            f"expected {sizes['identity']} of the identity, or {whole} in a row ({lengths}). Give "
            "fewer by name (`numpy.savez(path, identity=...)`), another model's with --model."
        )
    parts = np.split(numbers, np.cumsum(list(sizes.values()))[:-1])
    return dict(zip(sizes, parts, strict=True))
