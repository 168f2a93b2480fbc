"""Drawing a person: bones, age, expression and gaze."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from fit3dmm.render import cpu
from fit3dmm.synthetic.fast.complexion import Complexion, draw_complexion
from fit3dmm.synthetic.fast.folds import Folds, shadow_of_depth
from fit3dmm.synthetic.fast.sitters import Sitters
from fit3dmm.synthetic.heads import ACTIVATIONS, NEVER_AT_REST

_MOVES_OWN_WAY = 0.2
"""Spread of the factor by which a place of one person moves more or less than the model's."""
_MM_OUTSIDE = 1.1
"""Most that a shape lies outside the model's span, root mean square over the face."""
_SIGMAS = (0.6, 1.2)
_FULL_GAZE_DEG = 30.0
_EXPRESSIONS: tuple[dict[str, float], ...] = (
    *ACTIVATIONS.values(),
    {"mouthPucker": 0.9},
    {"eyeBlink": 0.95},
    {"jawOpen": 0.75},
    {"cheekPuff": 0.8, "mouthPress": 0.3},
    {"tongueOut": 0.9, "jawOpen": 0.4},
)
_NEVER_AT_REST = (*NEVER_AT_REST, "tongueOut")


@dataclass(frozen=True)
class Person:
    """Somebody with an expression, in the `model` frame. Arrays are float32."""

    sitters: Sitters
    identity: Float[np.ndarray, "identity"]
    detail: Float[np.ndarray, "detail"]
    expression: Float[np.ndarray, "expression"]
    albedo: Float[np.ndarray, "albedo"]
    neutral_mm: Float[np.ndarray, "vertices 3"]
    vertices_mm: Float[np.ndarray, "vertices 3"]
    normals: Float[np.ndarray, "vertices 3"]
    complexion: Complexion
    creases: Float[np.ndarray, "vertices"]
    """Share of the light that reaches the ground of wrinkles."""
    age: float
    """0 young, 1 old."""

    @property
    def moved_mm(self) -> Float[np.ndarray, "vertices 3"]:
        """Where each vertex is, less where it is on the mean head."""
        return self.vertices_mm - self.sitters.mean_mm


def draw_person(
    sitters: Sitters, folds: Folds, draw: np.random.Generator, tone: float | None = None
) -> Person:
    """Somebody of a model's people.

    Args:
        sitters: the model, prepared for drawing people.
        folds: where its faces wrinkle.
        draw: random numbers.
        tone: mean luminance of the face's albedo, where it is not to be drawn.
    """
    model = sitters.model
    generator = torch.Generator().manual_seed(int(draw.integers(2**62)))
    drawn = model.sample(generator=generator, by_tone=False)
    identity = drawn.identity.numpy() * np.float32(draw.uniform(*_SIGMAS))
    detail = drawn.detail.numpy() * np.float32(draw.uniform(*_SIGMAS))
    drawn = drawn.replace(identity=torch.from_numpy(identity), detail=torch.from_numpy(detail))
    base = model.base_shape_mm(drawn).numpy()
    if len(sitters.deformations_mm):
        chosen = draw.choice(len(sitters.deformations_mm), 3, replace=False)
        factors = draw.normal(size=3) * draw.uniform(0, _MM_OUTSIDE)
        base = base + np.tensordot(
            factors.astype(np.float32), sitters.deformations_mm[chosen], axes=1
        )
    activations = draw_expression(sitters, generator, draw)
    blendshapes = model.expression_basis_mm.flatten(1).numpy()
    own_way = 1 + _MOVES_OWN_WAY * sitters.movement[draw.integers(len(sitters.movement))]
    movement = (activations @ blendshapes).reshape(-1, 3) * own_way[:, None]
    lifted = model.surface.lift(torch.from_numpy(np.stack([base, base + movement])))
    age = float(np.clip(draw.beta(1.2, 1.6), 0, 1))
    depth = folds.depth_mm(age, _by_blendshape(sitters, activations), draw)
    vertices = lifted[1:]
    normals = cpu.vertex_normals(vertices, sitters.topology)
    vertices = vertices - torch.from_numpy(depth)[:, None] * normals
    normals = cpu.vertex_normals(vertices, sitters.topology)
    complexion = draw_complexion(sitters, drawn.albedo.numpy(), age, draw, tone)
    return Person(
        sitters=sitters,
        identity=identity,
        detail=detail,
        expression=activations,
        albedo=complexion.coefficients,
        neutral_mm=lifted[0].numpy(),
        vertices_mm=vertices[0].numpy(),
        normals=normals[0].numpy(),
        complexion=complexion,
        creases=shadow_of_depth(depth).astype(np.float32),
        age=age,
    )


def draw_expression(
    sitters: Sitters, generator: torch.Generator, draw: np.random.Generator
) -> Float[np.ndarray, "expression"]:
    """A third are named expressions and mixtures of two, a third the model's own draws, the rest a
    few blendshapes each; gaze and small unevenness come on top."""
    model = sitters.model
    values = np.zeros(model.n_expression, dtype=np.float32)
    kind = draw.uniform()
    wanted: dict[str, float] = {}
    if kind < 0.4:
        for k in draw.choice(len(_EXPRESSIONS), 1 + (kind < 0.12), replace=False):
            strength = draw.uniform(0.3, 1.15)
            for blendshape, value in _EXPRESSIONS[k].items():
                wanted[blendshape] = max(wanted.get(blendshape, 0.0), value * strength)
    elif kind < 0.7:
        own = model.sample(generator=generator, expression=True).expression.numpy()
        values += own * draw.uniform(0.3, 1.0)
    few = draw.uniform(size=model.n_expression) < (0.12 if kind > 0.7 else 0.03)
    for place, name in enumerate(model.expression_names):
        blendshape = name.removesuffix("Left").removesuffix("Right")
        values[place] += wanted.get(blendshape, 0.0) * draw.uniform(0.85, 1.15)
        values[place] += abs(draw.normal(0, 0.05)) * (blendshape not in _NEVER_AT_REST)
        values[place] += abs(draw.normal(0, 0.35)) * few[place]
    for name, amount in _gaze(draw).items():
        if name in model.expression_names:
            values[model.expression_names.index(name)] = amount
    low, high = model.expression_bounds.numpy().T
    known = np.isfinite(low) & np.isfinite(high)
    return np.where(known, np.clip(values, low, high), 0).astype(np.float32)


def _gaze(draw: np.random.Generator) -> dict[str, float]:
    """Both eyes look the same way, mostly about straight ahead."""
    spread = 4.0 if draw.uniform() < 0.5 else 13.0
    left, up = (float(angle) / _FULL_GAZE_DEG for angle in draw.normal(0, spread, 2))
    sides = {"Left": (left, -left), "Right": (-left, left)}
    amounts = {}
    for side, (out, inwards) in sides.items():
        amounts[f"eyeLookOut{side}"], amounts[f"eyeLookIn{side}"] = max(out, 0.0), max(inwards, 0.0)
        amounts[f"eyeLookUp{side}"], amounts[f"eyeLookDown{side}"] = max(up, 0.0), max(-up, 0.0)
    return amounts


def _by_blendshape(sitters: Sitters, activations: np.ndarray) -> dict[str, float]:
    sums: dict[str, list[float]] = {}
    for name, value in zip(sitters.model.expression_names, activations.tolist(), strict=True):
        sums.setdefault(name.removesuffix("Left").removesuffix("Right"), []).append(value)
    return {blendshape: sum(values) / len(values) for blendshape, values in sums.items()}
