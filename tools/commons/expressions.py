"""The ARKit-named expression units: the Face Units, with MakeHuman's own smile and pucker, and what
people's smiles showed that they lack."""

import numpy as np

from commons.expression_figures import (
    lacking_units_mm,
    left_share,
    read_expression_figures,
    spread_of_activations,
)
from commons.head import Head
from commons.population import mirrored
from commons.sources import Sources, read_target_mm

# The Face Units' smile is a grin with a step beside the nose and their pucker is weak; MakeHuman's
# own units are better. They exist for three ancestries, whose mean is taken.
_REPLACED = {
    "mouthSmile": ("mouth-corner-puller", 1.0),
    "mouthPucker": ("mouth-pursing", 0.9),
}
_ANCESTRIES = ("african", "asian", "caucasian")

# Usual deviations of the activations in everyday photos, of which the figures make the prior. Units
# that correct others, or that hardly anybody does, are small, so that a fit does not use them to
# explain identity.
_SIGMA = 0.25
_SIGMAS = {
    "mouthClose": 0.08,
    "jawForward": 0.12,
    "jawLeft": 0.10,
    "jawRight": 0.10,
    "mouthFunnel": 0.15,
    "mouthPucker": 0.15,
    "mouthLeft": 0.12,
    "mouthRight": 0.12,
    "cheekPuff": 0.15,
    "mouthRollLower": 0.15,
    "mouthRollUpper": 0.15,
    "mouthShrugLower": 0.15,
    "mouthShrugUpper": 0.15,
    "eyeBlinkLeft": 0.35,
    "eyeBlinkRight": 0.35,
    "jawOpen": 0.30,
    "mouthSmileLeft": 0.35,
    "mouthSmileRight": 0.35,
    "tongueOut": 0.1,
}


def read_expressions(
    sources: Sources, head: Head, mean_mm: np.ndarray
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray, np.ndarray]:
    """Names, (units, base, 3) displacements at full activation, prior sigmas, and the lower
    triangular factor of their prior covariance."""
    units = {
        path.stem: read_target_mm(path)[head.vertex]
        for path in sorted(sources.face_units.glob("*.target"))
    }
    left = left_share(mean_mm)
    for name, (target, strength) in _REPLACED.items():
        whole = strength * _mean_unit(sources, head, target)
        if name in units:
            units[name] = whole
        else:
            units[f"{name}Left"], units[f"{name}Right"] = left * whole, (1 - left) * whole
    figures = read_expression_figures()
    for name, lacking in lacking_units_mm(figures, head, mean_mm).items():
        units[name] = units[name] + lacking
    names = tuple(units)
    basis = np.stack([units[name] for name in names])
    usual = np.array([_SIGMAS.get(name, _SIGMA) for name in names])
    return names, _paired(names, basis, head), *spread_of_activations(figures, names, usual)


def _mean_unit(sources: Sources, head: Head, target: str) -> np.ndarray:
    folder = sources.mpfb2 / "targets" / "expression" / "units"
    return np.mean(
        [
            read_target_mm(folder / ancestry / f"{target}.target.gz")[head.vertex]
            for ancestry in _ANCESTRIES
        ],
        axis=0,
    )


def _paired(names: tuple[str, ...], basis: np.ndarray, head: Head) -> np.ndarray:
    """Make left and right units mirror images of each other, and the others symmetric."""
    row = {name: i for i, name in enumerate(names)}
    result = basis.copy()
    for i, name in enumerate(names):
        other = name.replace("Left", "Right") if "Left" in name else name.replace("Right", "Left")
        result[i] = (basis[i] + mirrored(basis[row[other]], head)) / 2
    return result
