"""Films: one person of the studio's, in one light, who moves as is told."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, UInt8

from fit3dmm.colour import linear_to_srgb
from fit3dmm.geometry.rotation import rotation_from_angles
from fit3dmm.render import cpu
from fit3dmm.synthetic.fast.backdrop import backdrop
from fit3dmm.synthetic.fast.film import expose
from fit3dmm.synthetic.fast.lamps import draw_light
from fit3dmm.synthetic.fast.movement import Movement
from fit3dmm.synthetic.fast.people import Person
from fit3dmm.synthetic.fast.stage import shoot
from fit3dmm.synthetic.fast.studio import Studio, eyes_of
from fit3dmm.synthetic.fast.views import CropView

_ELECTRONS = 4000.0
"""That white frees in a pixel: the shot noise of a camera in a lit room."""


@dataclass(frozen=True)
class FilmFrame:
    """One frame with its truth."""

    pixels_srgb: UInt8[np.ndarray, "size size 3"]
    rotation: Float[np.ndarray, "3 3"]
    """From `model` to `cam`."""
    translation_mm: Float[np.ndarray, "3"]
    vertices_mm: Float[np.ndarray, "vertices 3"]
    """Of the head, in `model`."""


def film(studio: Studio, seed: int, movement: Movement, focal_px: float) -> Iterator[FilmFrame]:
    """Frames of the studio's size. The optical axis is in their middle.

    Args:
        studio: whose person of this seed is filmed, bare of glasses.
        seed: of the person and of all that is around it.
        movement: pose and expression of each frame; the truth.
        focal_px: in pixels of the frame.
    """
    size = studio.settings.size_px
    cast, person = studio.cast_of(seed)
    light = draw_light(_numbers(seed, 1))
    behind = backdrop(light.probe, size, _numbers(seed, 2))
    gains = None
    rows = zip(movement.angles_deg, movement.translation_mm, movement.expression, strict=True)
    for k, (angles, translation, expression) in enumerate(rows):
        moved = _moved(person, expression)
        pitch, yaw, roll = angles.tolist()
        view = CropView(
            (pitch, yaw, roll),
            rotation_from_angles(pitch, yaw, roll).astype(np.float32),
            translation.astype(np.float32),
            focal_px,
            np.full(2, size / 2, np.float32),
            size,
        )
        # The same numbers for each frame: hair, clothes and eyes stay as they are.
        pieces, _ = studio.dress(cast, moved, view, _numbers(seed, 3))
        points = cast.sitters.points_mm(moved.vertices_mm)
        shot = shoot(pieces, view, light, eyes_of(moved, points, view, _numbers(seed, 4)))
        linear, face = studio.pixels(shot, shot.linear, behind)
        if gains is None:
            gains = expose(linear, face, person.complexion.tone, _numbers(seed, 5))
        yield FilmFrame(
            _noisy(linear * gains, _numbers(seed, 6 + k)),
            view.rotation,
            view.translation_mm,
            moved.vertices_mm,
        )


def _numbers(seed: int, purpose: int) -> np.random.Generator:
    return np.random.default_rng([seed, purpose])


def _moved(person: Person, expression: Float[np.ndarray, "expression"]) -> Person:
    """The person with an expression as the model's blendshapes make it."""
    model, topology = person.sitters.model, person.sitters.topology
    shift = torch.from_numpy(expression) @ model.expression_basis_mm.flatten(1)
    vertices = torch.from_numpy(person.neutral_mm) + model.surface.lift(shift.unflatten(0, (-1, 3)))
    return replace(
        person,
        expression=expression,
        vertices_mm=vertices.numpy(),
        normals=cpu.vertex_normals(vertices[None], topology)[0].numpy(),
    )


def _noisy(
    linear: Float[np.ndarray, "size size 3"], draw: np.random.Generator
) -> UInt8[np.ndarray, "size size 3"]:
    linear = np.maximum(linear, 0).astype(np.float32)
    noise = draw.standard_normal(linear.shape, dtype=np.float32)
    linear = linear + noise * np.sqrt(linear / _ELECTRONS + 0.0015**2)
    srgb = linear_to_srgb(torch.from_numpy(linear).clamp(0, 1))
    return (255 * srgb).round().byte().numpy()
