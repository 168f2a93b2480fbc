"""Which files of a result are written: all, or those that somebody asks for by name."""

import difflib
from collections.abc import Mapping

from fit3dmm._errors import InputError

OUTPUTS: Mapping[str, tuple[str, ...]] = {
    "h5": ("fit.h5",),
    "json": ("fit.json",),
    "glb": ("face.glb",),
    # A mesh without its picture would be grey in every program.
    "obj": ("neutral.obj", "posed.obj", "face.mtl", "texture.png"),
    "texture": ("texture.png",),
    "expression": ("expression.png",),
    "overlay": ("overlay.png",),
    "depth": ("depth.npy", "face_mask.png"),
    "sigma": ("neutral_sigma_mm.npy", "neutral_sigma.ply"),
    "report": ("report.html",),
    "vrm": ("face.vrm",),
}
"""Files by the name of what they are."""
_ASKED_FOR = ("vrm", "expression")
"""What few want, and large or slow: `all` is without it."""
ALL = tuple(name for name in OUTPUTS if name not in _ASKED_FOR)
FILES = tuple(dict.fromkeys(file for name in ALL for file in OUTPUTS[name]))
"""The files of a result where nobody says which."""


def parse_outputs(
    text: str,
    outputs: Mapping[str, tuple[str, ...]] = OUTPUTS,
    every: tuple[str, ...] = ALL,
) -> tuple[str, ...]:
    """Names of outputs, each once and in their own order, from `glb,json`, `all` or `all,vrm`.

    Args:
        text: what somebody asks for.
        outputs: files by the name of what they are.
        every: the names that `all` stands for.

    Raises:
        InputError: there is no such output, or none is named.
    """
    names = text.replace(",", " ").split()
    if "all" in names:
        names = [*every, *(name for name in names if name != "all")]
    for name in names:
        if name not in outputs:
            near = difflib.get_close_matches(name, outputs, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"choose of {', '.join(outputs)}."
            raise InputError(f"There is no output {name!r}: {hint}")
    if not names:
        raise InputError(f"No output is named: choose of {', '.join(outputs)}, or say all.")
    return tuple(name for name in outputs if name in names)
