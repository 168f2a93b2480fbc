"""Bones that turn an avatar's neck, head, jaw and eyes, and how far each vertex goes with them.

At rest no bone is turned: a bone's axes are the model's, so a jaw that opens, a chin that sinks to
the chest and eyes that look down all turn by positive angles about x.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial import KDTree

from fit3dmm._kept import kept
from fit3dmm.model.morphable import Coefficients, MorphableModel

_EYES = ("eye_left", "eye_right")
_ON_LOWER_JAW = ("teeth_lower", "gums_lower", "tongue")
# Skin this far from where the neck is cut off goes with the head alone. A judgement: on Commons'
# mean, chin and hairline are 75 mm from there.
_NECK_REACH_MM = 65.0
# At the jaw's hinge hardly anything moves, and shares of it mean nothing: this much is noise.
_UNSURE_MM = 3.0


@dataclass(frozen=True)
class Bone:
    """A joint and what hangs on it."""

    name: str
    parent: int | None
    """Number of the bone that carries it; the first bone has none."""
    place_mm: Float[np.ndarray, "3"]
    """About what it turns, in the `model` frame."""


def bones(model: MorphableModel, coefficients: Coefficients) -> tuple[Bone, ...]:
    """The person's bones: `head` always; `neck`, `jaw` and eyes as far as the model knows them."""
    found: list[Bone] = []
    rim = _neck_rim(model)
    if rim.any():
        rest = model.base_shape_mm(coefficients.neutral()).detach().cpu().numpy()
        found.append(Bone("neck", None, rest[rim].mean(0) * [0, 1, 1]))
    # The model's origin lies between the ears, where a head turns on its neck.
    found.append(Bone("head", len(found) - 1 if found else None, np.zeros(3)))
    head = len(found) - 1
    for name in ("jaw", *_EYES):
        # What nothing would go with is no bone.
        carries = _jaw_opens(model) if name == "jaw" else name in model.parts
        if carries and name in model.joints:
            place = model.joint_mm(name, coefficients).detach().cpu().numpy()
            found.append(Bone(name, head, place.astype(float)))
    return tuple(found)


@kept()
def bone_weights(
    model: MorphableModel, names: tuple[str, ...]
) -> Float[np.ndarray, "vertices bones"]:
    """Shares of the named bones in each vertex of the surface, which add up to 1.

    They are worked out on the mean face, so all people are rigged alike.
    """
    weights = {name: np.zeros(model.n_vertices) for name in names}
    if "neck" in names:
        weights["neck"] = _with_neck(model)
    if "jaw" in names:
        weights["jaw"] = (1 - weights.get("neck", 0.0)) * _with_jaw(model)
    for name in set(_EYES) & set(names):
        inside = model.in_parts(name).cpu().numpy()
        for other in weights.values():
            other[inside] = 0.0
        weights[name][inside] = 1.0
    weights["head"] = 1 - np.sum([*weights.values()], axis=0)
    return np.stack([weights[name] for name in names], axis=1)


def _neck_rim(model: MorphableModel) -> Bool[np.ndarray, "base"]:
    """Base vertices along which the neck is cut off: ends of edges that have one face only."""
    faces = model.surface.base_faces.cpu().numpy()
    edges = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2), axis=1)
    unique, count = np.unique(edges, axis=0, return_counts=True)
    on_rim = np.zeros(model.surface.n_base, dtype=bool)
    on_rim[unique[count == 1]] = True
    neck = model.regions.get("neck")
    if neck is None:
        return np.zeros_like(on_rim)
    return on_rim & (neck.cpu().numpy()[: len(on_rim)] > 0.5)


def _with_neck(model: MorphableModel) -> Float[np.ndarray, "vertices"]:
    rest = model.shape_mm(model.zeros()).detach().cpu().numpy()
    rim = model.mean_mm.cpu().numpy()[_neck_rim(model)]
    # What lies out of reach is infinitely far.
    away_mm = KDTree(rim).query(rest, distance_upper_bound=_NECK_REACH_MM)[0]
    near = 1 - np.minimum(away_mm / _NECK_REACH_MM, 1.0)
    smooth = near * near * (3 - 2 * near)
    return smooth * model.in_parts("skin").cpu().numpy()


def _jaw_opens(model: MorphableModel) -> bool:
    return "jawOpen" in model.expression_names and bool(model.in_parts("teeth_lower").any())


def _with_jaw(model: MorphableModel) -> Float[np.ndarray, "vertices"]:
    """The share of the lower teeth's turn that a vertex takes when the jaw opens."""
    unit = model.expression_basis_mm[model.expression_names.index("jawOpen")]
    opened = model.surface.lift(unit).cpu().numpy()
    rest = model.shape_mm(model.zeros()).detach().cpu().numpy()
    lever = rest - model.joint_mm("jaw", model.zeros()).detach().cpu().numpy()
    # What a turn by one radian about x would move.
    turned = np.stack([np.zeros(len(lever)), -lever[:, 2], lever[:, 1]], axis=1)
    teeth = model.in_parts("teeth_lower").cpu().numpy()
    angle_rad = (turned[teeth] * opened[teeth]).sum() / (turned[teeth] ** 2).sum()
    turned *= angle_rad
    share = (turned * opened).sum(1) / ((turned**2).sum(1) + _UNSURE_MM**2)
    share[model.in_parts(*_ON_LOWER_JAW).cpu().numpy()] = 1.0
    return np.clip(share, 0.0, 1.0)
