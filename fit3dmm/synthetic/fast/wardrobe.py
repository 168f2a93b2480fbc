"""What people wear and hold: glasses with lenses, caps, scarves, clothes, hands, phones."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from fit3dmm.geometry.smoothstep import smoothstep
from fit3dmm.geometry.triangle_mesh import Mesh, vertex_normals
from fit3dmm.observe.predicted import GLASSES, HAND, OTHER
from fit3dmm.synthetic.fast.people import Person
from fit3dmm.synthetic.parts import grid_triangles, joined, tube
from fit3dmm.synthetic.props import occluder_part, torso_part
from fit3dmm.synthetic.skin import MONK_LINEAR


@dataclass(frozen=True)
class Thing:
    """A mesh in `model`, of one kind."""

    vertices_mm: Float[np.ndarray, "vertices 3"]
    triangles: Int[np.ndarray, "triangles 3"]
    normals: Float[np.ndarray, "vertices 3"]
    albedo_linear: Float[np.ndarray, "vertices 3"]
    cover: int
    """Place in `observe.predicted.COVERS`."""
    gloss: float = 0.0
    """Strength of highlights; skin has about 0.05."""
    sharpness: float = 30.0


@dataclass(frozen=True)
class Lenses:
    """What light passes through and is mirrored by."""

    mesh: Mesh
    transmission: Float[np.ndarray, "3"]
    """Share of the light from behind."""
    mirror: float
    """Share of what comes from before the face."""


def thing(mesh: Mesh, colour: np.ndarray, cover: int, gloss: float = 0.0) -> Thing:
    """Of one colour, or one a vertex.

    Args:
        mesh: in `model`.
        colour: linear, (3) or (vertices, 3).
        cover: what it counts as: of `COVERS`.
        gloss: strength of its highlights.
    """
    return Thing(
        mesh.vertices.astype(np.float32),
        mesh.triangles,
        vertex_normals(mesh).astype(np.float32),
        np.broadcast_to(colour, mesh.vertices.shape).astype(np.float32),
        cover,
        gloss,
    )


def clothes(person: Person, draw: np.random.Generator) -> Thing:
    """Shoulders in a shirt with a pattern."""
    part = torso_part(person.neutral_mm.astype(np.float64), draw)
    stripes = np.sin(part.vertices_mm @ draw.normal(0, 0.12, 3) + draw.uniform(0, 6))
    pattern = 1 + draw.uniform(0, 0.5) * stripes
    colour = part.albedo_linear * pattern[:, None] * draw.uniform(0.5, 3.5, 3)
    return thing(part.mesh, np.clip(colour, 0.003, 0.85), OTHER)


def spectacles(
    points: Float[np.ndarray, "68 3"], draw: np.random.Generator
) -> tuple[Thing, Lenses]:
    """Frames of any width and shape; lenses clear, tinted or dark, some of them mirroring."""
    thick = draw.uniform(0.6, 2.6)
    width, height = draw.uniform(22, 29), draw.uniform(14, 23)
    power = draw.uniform(1.9, 4.5)
    angle = np.linspace(0, 2 * np.pi, 41)
    cosine, sine = np.cos(angle), np.sin(angle)
    x = width * np.sign(cosine) * np.abs(cosine) ** (2 / power)
    y = height * np.sign(sine) * np.abs(sine) ** (2 / power)
    # The bridge rests on the nose; the rims must clear brows and cheeks.
    front_z = max(points[27, 2] + 4, points[[19, 24], 2].max() + 3)
    slide = draw.uniform(-6, 1)
    bars, panes = [], []
    for rows, sign in ((slice(36, 42), -1.0), (slice(42, 48), 1.0)):
        eye = points[rows].mean(axis=0)
        z = front_z - 0.004 * (x * sign + eye[0] * sign) ** 2
        rim = np.stack([eye[0] + x, eye[1] + slide + y, z], -1)
        bars.append(tube(rim, thick, sides=8))
        middle = rim[:-1].mean(axis=0)
        around = np.arange(len(rim) - 1)
        fan = np.stack([np.full_like(around, len(rim)), around, around + 1], -1)
        panes.append(Mesh(np.concatenate([rim, middle[None]]), fan))
        hinge = np.array([eye[0] + sign * width, eye[1] + slide + 4, z[0 if sign > 0 else 20]])
        ear_x = sign * (np.abs(points[[0, 16], 0]).mean() + 3)
        bars.append(tube(np.linspace(hinge, [ear_x, eye[1] + 4, -5.0], 8), 0.8 * thick, sides=6))
    ends = np.linspace(panes[0].vertices[0], panes[1].vertices[20], 9)
    ends[:, 1] += 2 + 3 * np.sin(np.linspace(0, np.pi, 9))
    bars.append(tube(ends, thick, sides=8))
    colour = draw.uniform(0.004, 0.25) * draw.uniform(0.3, 1, 3)
    kind = draw.uniform()
    tint = np.ones(3) * 0.93
    if kind > 0.6:
        tint = draw.uniform(0.35, 0.9) * draw.uniform(0.75, 1, 3)
    if kind > 0.8:
        tint = draw.uniform(0.01, 0.12) * draw.uniform(0.6, 1, 3)
    mirror = draw.uniform(0.02, 0.06) if draw.uniform() < 0.6 else draw.uniform(0.1, 0.45)
    frame = thing(joined(bars), colour, GLASSES, draw.uniform(0.1, 0.6))
    return frame, Lenses(joined(panes), tint.astype(np.float32), float(mirror))


def cap(person: Person, draw: np.random.Generator) -> tuple[Thing, Bool[np.ndarray, "vertices"]]:
    """A cap, a hat or a knitted one: a shell over the scalp, with or without a visor.

    Returns:
        It, and the vertices of the head that it covers.
    """
    sitters = person.sitters
    points = sitters.landmarks68_mm(sitters.mean_mm)
    edge = points[17:27, 1].mean() + draw.uniform(14, 40)
    slope = draw.uniform(-0.25, 0.1)
    above = sitters.mean_mm[:, 1] - edge - slope * (points[27, 2] - sitters.mean_mm[:, 2])
    kept = sitters.triangles[(above[sitters.triangles] > 0).all(axis=1)]
    used, corners = np.unique(kept, return_inverse=True)
    away = 4 + draw.uniform(3, 12) * smoothstep(above[used], 0.0, 40.0)
    shell = person.vertices_mm[used] + person.normals[used] * away[:, None]
    meshes = [Mesh(shell, corners.reshape(-1, 3))]
    if draw.uniform() < 0.55:
        # The visor is half a disc that bends down at the sides.
        reach, across = draw.uniform(45, 75), np.linspace(-1, 1, 25)
        out = np.linspace(0, 1, 9)[:, None]
        brow = person.sitters.landmarks68_mm(person.vertices_mm)[17:27].mean(axis=0)
        wide = 0.5 * np.ptp(shell[:, 0]) * 0.92
        front = brow[2] + 2 - 40 * across**2
        z = front + out * reach * np.sqrt(np.clip(1 - across**2, 0, 1))
        y = edge + 4 - draw.uniform(0.05, 0.3) * out * reach - 14 * across**2 * out
        grid = np.stack([np.broadcast_to(across * wide, z.shape), y + 0 * z, z], -1)
        meshes.append(Mesh(grid.reshape(-1, 3), grid_triangles(9, 25)))
    mesh = joined(meshes)
    knit = 1 + draw.uniform(0, 0.4) * np.sin(mesh.vertices @ draw.normal(0, 0.6, 3))
    colour = draw.uniform(0.01, 0.5) * draw.uniform(0.2, 1, 3) * knit[:, None]
    return thing(mesh, colour, OTHER), above > 0


def scarf(person: Person, draw: np.random.Generator) -> Thing:
    """Rolls around the neck, up to the chin or over it."""
    neck = person.neutral_mm[person.neutral_mm[:, 1] < person.neutral_mm[:, 1].min() + 12]
    chin = person.sitters.landmarks68_mm(person.neutral_mm)[8]
    centre, wide = neck.mean(axis=0), np.ptp(neck[:, [0, 2]], axis=0) / 2 + 10
    top = chin[1] - draw.uniform(-12, 40)
    angle = np.linspace(0, 2 * np.pi, 33)
    rolls = []
    for height in np.linspace(centre[1], top, 4):
        swell = 1 + 0.12 * (height - centre[1]) / 40 + draw.normal(0, 0.04)
        ring = np.stack(
            [
                centre[0] + swell * wide[0] * np.sin(angle),
                height + 5 * np.sin(angle + draw.uniform(0, 6)),
                centre[2] + swell * wide[1] * np.cos(angle) + 8,
            ],
            -1,
        )
        rolls.append(tube(ring, draw.uniform(11, 17), sides=10))
    mesh = joined(rolls)
    weave = 1 + draw.uniform(0, 0.5) * np.sin(mesh.vertices @ draw.normal(0, 0.4, 3))
    colour = draw.uniform(0.02, 0.6) * draw.uniform(0.2, 1, 3) * weave[:, None]
    return thing(mesh, colour, OTHER)


def held(
    person: Person,
    points: Float[np.ndarray, "68 3"],
    camera_mm: Float[np.ndarray, "3"],
    draw: np.random.Generator,
) -> list[Thing]:
    """A hand of any tone, a microphone, or a phone in a hand, between face and camera.

    Args:
        person: whose hand it may be.
        points: iBUG's 68 of the face, mm in `model`.
        camera_mm: where the camera is, in `model`.
        draw: random numbers.
    """
    own = np.average(person.complexion.albedo_linear, axis=0, weights=person.sitters.face)
    someone = MONK_LINEAR[draw.integers(len(MONK_LINEAR))]
    skin = np.clip(own if draw.uniform() < 0.7 else someone, 0.01, 0.8)
    kind = draw.uniform()
    if kind < 0.2:
        part = occluder_part("microphone", points, camera_mm, skin, draw)
        return [thing(part.mesh, part.albedo_linear, OTHER, 0.1)]
    things = []
    part = occluder_part("hand", points, camera_mm, skin, draw)
    if kind > 0.75:
        things.append(_phone(part.vertices_mm, camera_mm, draw))
    things.append(thing(part.mesh, part.albedo_linear, HAND, 0.05))
    return things


def _phone(hand_mm: np.ndarray, camera_mm: np.ndarray, draw: np.random.Generator) -> Thing:
    """A dark slab before the fingers."""
    towards = camera_mm / np.linalg.norm(camera_mm)
    fingers = hand_mm[hand_mm[:, 1] > np.quantile(hand_mm[:, 1], 0.55)].mean(axis=0)
    centre = fingers + 4 * towards + [0, draw.uniform(0, 30), 0]
    side = np.cross([0.0, 1.0, 0.0], towards)
    side /= np.linalg.norm(side)
    up = np.cross(towards, side)
    axes = np.stack([36 * side, 74 * up, 4 * towards])
    signs = np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)], float)
    corners = centre + signs @ axes
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    triangles = np.array([[q[0], q[i], q[i + 1]] for q in quads for i in (1, 2)])
    # Faces of their own, so that edges are sharp.
    mesh = Mesh(corners[triangles.reshape(-1)], np.arange(36).reshape(-1, 3))
    return thing(mesh, draw.uniform(0.004, 0.3) * np.ones(3), OTHER, 0.3)
