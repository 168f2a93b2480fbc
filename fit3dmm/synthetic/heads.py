"""Heads that Commons cannot represent: its own people bent outside its span, or another model's."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.spatial import KDTree

from fit3dmm.model import tone
from fit3dmm.model.morphable import Coefficients, MorphableModel
from fit3dmm.synthetic.looks import LOOKS
from fit3dmm.synthetic.noise import random_bumps, random_waves
from fit3dmm.synthetic.skin import outside, skin_of_tone
from fit3dmm.synthetic.specification import Specification

_DEFORMATION_MM = (1.0, 2.0)
"""Root mean square over the face of what no coefficients explain."""
_BUMP_MM = 16.0
_BUMPS = 160
_ASYMMETRY = 0.35
# The rest of the head counts little in the projection, but keeps it well conditioned.
_BESIDE_THE_FACE = 0.2
_CARRY_MM, _CARRIERS = 8.0, 64
_INNER = ("mouth_interior", "teeth", "eyes", "eye_socket")
_MOVES_OWN_WAY = 0.25
"""Spread of the factor by which a place of one person moves more or less than the model's."""
_AT_REST = 0.04

NEVER_AT_REST = ("mouthClose", "jawForward", "eyeBlink", "eyeSquint", "browDown")

ACTIVATIONS: dict[str, dict[str, float]] = {
    "smile": {"mouthSmile": 0.8, "cheekSquint": 0.5, "eyeSquint": 0.25, "mouthDimple": 0.2},
    "laugh": {
        "mouthSmile": 0.85, "jawOpen": 0.28, "cheekSquint": 0.6, "eyeSquint": 0.4,
        "mouthUpperUp": 0.35, "mouthLowerDown": 0.3,
    },
    "surprise": {"browInnerUp": 0.8, "browOuterUp": 0.7, "eyeWide": 0.5, "jawOpen": 0.45},
    "anger": {"browDown": 0.8, "noseSneer": 0.4, "mouthPress": 0.4, "eyeSquint": 0.35},
    "sadness": {"browInnerUp": 0.6, "mouthFrown": 0.7, "mouthShrugLower": 0.3, "eyeBlink": 0.15},
    "talk": {"jawOpen": 0.25, "mouthFunnel": 0.4, "mouthPucker": 0.25, "browOuterUp": 0.2},
}  # fmt: skip


@dataclass(frozen=True)
class Head:
    """A person with an expression, in the `model` frame."""

    neutral_mm: Float[np.ndarray, "vertices 3"]
    expressive_mm: Float[np.ndarray, "vertices 3"]
    albedo_linear: Float[np.ndarray, "vertices 3"]
    """Of the model; skin detail comes on top."""
    activations: Float[np.ndarray, "expression"]
    deformation_mm: float
    """Root mean square over the face of what no coefficients explain; 0 for heads of the model."""


def draw_head(model: MorphableModel, case: Specification) -> Head:
    """The head of a case, which depends on nothing but the model and the case."""
    shape_seed = int(case.generator("identity").integers(2**62))
    drawn = model.sample(generator=torch.Generator().manual_seed(shape_seed), by_tone=False)
    activations = expression_activations(model, case)
    size_mm = 0.0
    deformation = np.zeros((model.surface.n_base, 3))
    own_way = np.ones(model.surface.n_base)
    if case.kind == "held-out":
        waves = random_waves(_base(model), 25.0, case.generator("movement"))
        own_way = 1 + _MOVES_OWN_WAY * carried_by_skin(model, np.clip(waves, -2, 2)[:, None])[:, 0]
    # People of another model are outside the span of Commons as they are.
    if case.kind == "held-out" and model.info.family == "commons":
        size_mm = float(case.generator("size").uniform(*_DEFORMATION_MM))
        deformation = outside_deformation_mm(model, size_mm, case.generator("deformation"))
    base = model.base_shape_mm(drawn.neutral()).double().numpy() + deformation
    blendshapes = model.expression_basis_mm.flatten(1).double().numpy()
    movement = (activations @ blendshapes).reshape(-1, 3) * own_way[:, None]
    return Head(
        neutral_mm=_lifted(model, base),
        expressive_mm=_lifted(model, base + movement),
        albedo_linear=_colours(model, drawn, case),
        activations=activations,
        deformation_mm=size_mm,
    )


def _colours(
    model: MorphableModel, drawn: Coefficients, case: Specification
) -> Float[np.ndarray, "vertices 3"]:
    """Of a person of the case's tone."""
    if LOOKS[case.edition].colours_by_tone and case.kind == "held-out":
        regions = {name: weight.double().numpy() for name, weight in model.regions.items()}
        return skin_of_tone(model, drawn.albedo.numpy(), case.tone, outside(regions))
    by_tone = LOOKS[case.edition].colours_by_tone
    albedo = (model.tone.drawn if by_tone else model.tone.moved)(drawn.albedo, case.tone)
    return model.albedo_linear(drawn.replace(albedo=albedo)).double().numpy()


def outside_deformation_mm(
    model: MorphableModel, rms_mm: float, generator: np.random.Generator
) -> Float[np.ndarray, "base 3"]:
    """A smooth random deformation that no coefficients, motion or scale undo on the face.

    It is orthogonal to all of these under `face_weights`, and mostly symmetric, as faces are.

    Args:
        rms_mm: length of its vectors over the face (root mean square).
    """
    weight = face_weights(model)
    face = np.flatnonzero(weight > 0.5)
    field = random_deformation_mm(model, face, generator)
    root = np.sqrt(np.repeat(weight, 3))
    known = explained_directions(model)
    explained = np.linalg.lstsq((known * root).T, field.ravel() * root, rcond=1e-6)[0] @ known
    rest = carried_by_skin(model, field - explained.reshape(-1, 3))
    return rest * rms_mm / np.sqrt((rest[face] ** 2).sum(axis=1).mean())


def random_deformation_mm(
    model: MorphableModel, face: Int[np.ndarray, "face"], generator: np.random.Generator
) -> Float[np.ndarray, "base 3"]:
    """Smooth bumps about the face, mostly alike on both sides.

    Args:
        face: base vertices about which they lie.
    """
    base = _base(model)
    centres = base[generator.choice(face, _BUMPS)]
    field = random_bumps(base, centres, _BUMP_MM, generator)
    other_half = field[model.surface.base_mirror.numpy()] * [-1, 1, 1]
    symmetric, asymmetric = (field + other_half) / 2, (field - other_half) / 2
    return symmetric + _ASYMMETRY * asymmetric


def explained_directions(model: MorphableModel) -> Float[np.ndarray, "directions base_times_3"]:
    """Shape components, and the motions and scale that every comparison may undo."""
    base = _base(model)
    axes = np.eye(3)
    motions = [np.broadcast_to(axis, base.shape) for axis in axes]
    motions += [np.cross(axis, base) for axis in axes]
    shapes = torch.cat([model.identity_basis_mm, model.detail_basis_mm]).double().numpy()
    return np.concatenate([shapes, np.stack([*motions, base])]).reshape(-1, base.size)


def face_weights(model: MorphableModel) -> Float[np.ndarray, "base"]:
    """How much each base vertex counts in the projection."""
    # Vertex k of the base is vertex k of every finer surface.
    face = outer_face(model)[: model.surface.n_base]
    return np.where(_inner(model), 0.0, np.maximum(face, _BESIDE_THE_FACE))


def outer_face(model: MorphableModel) -> Float[np.ndarray, "vertices"]:
    """The face region without what lies behind lips and lids, which models count in or out."""
    return tone.outer_face(model.regions).double().numpy()


def carried_by_skin(
    model: MorphableModel, values: Float[np.ndarray, "base c"]
) -> Float[np.ndarray, "base c"]:
    """The same on the skin; eyeballs go with the skin around them, and so does the mouth, whose
    walls would come through the chin otherwise."""
    base, inner = _base(model), _inner(model)
    # An eyeball has one value, so that it stays round.
    asked = base.copy()
    for name in ("eye_left", "eye_right"):
        ball = _region(model, name)
        asked[ball] = base[ball].mean(axis=0)
    distance, near = KDTree(base[~inner]).query(asked[inner], k=_CARRIERS)
    # Relative to the nearest, so that no place is too far from all skin.
    weight = np.exp((distance[:, :1] ** 2 - distance**2) / (2 * _CARRY_MM**2))
    carried = values.copy()
    carried[inner] = np.einsum("ik,ikc->ic", weight, values[~inner][near])
    carried[inner] /= weight.sum(axis=1, keepdims=True)
    return carried


def _inner(model: MorphableModel) -> np.ndarray:
    return np.any([_region(model, name) for name in _INNER if name in model.regions], axis=0)


def _region(model: MorphableModel, name: str) -> np.ndarray:
    return model.regions[name][: model.surface.n_base].numpy() > 0.5


def expression_activations(
    model: MorphableModel, case: Specification
) -> Float[np.ndarray, "expression"]:
    """Activations of the model's blendshapes, within their bounds; zeros where none is ARKit's."""
    generator = case.generator("expression")
    strength = generator.uniform(*LOOKS[case.edition].expression_strength)
    wanted = ACTIVATIONS.get(case.expression, {})
    values = np.zeros(model.n_expression)
    for place, name in enumerate(model.expression_names):
        blendshape = name.removesuffix("Left").removesuffix("Right")
        # Two sides of a face never move quite alike.
        at_rest = abs(generator.normal(0, _AT_REST)) * (blendshape not in NEVER_AT_REST)
        values[place] = (
            wanted.get(blendshape, 0.0) * strength * generator.uniform(0.85, 1.15) + at_rest
        )
    low, high = model.expression_bounds.double().numpy().T
    known = np.isfinite(low) & np.isfinite(high)
    return np.where(known, np.clip(values, low, high), 0.0)


def _base(model: MorphableModel) -> np.ndarray:
    return model.mean_mm.double().numpy()


def _lifted(model: MorphableModel, base_mm: np.ndarray) -> np.ndarray:
    return model.surface.lift(torch.from_numpy(base_mm).to(model.mean_mm)).double().numpy()
