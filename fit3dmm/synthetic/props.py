"""What else is in the photo: clothes, and things before the face."""

import numpy as np
from jaxtyping import Float

from fit3dmm.synthetic.parts import (
    Material,
    Part,
    ball,
    grid_triangles,
    joined,
    plain_part,
    tube,
)

_WIDEST_NECK_MM = 170.0


def has_shoulders(head_mm: Float[np.ndarray, "vertices 3"]) -> bool:
    """Whether a head ends below the collar bones, as those of some models do."""
    bottom = head_mm[head_mm[:, 1] < head_mm[:, 1].min() + 20]
    return bool(np.ptp(bottom[:, 0]) > _WIDEST_NECK_MM)


def torso_part(head_mm: Float[np.ndarray, "vertices 3"], generator: np.random.Generator) -> Part:
    """Shoulders in a plain shirt, in the `model` frame of a head that looks straight ahead."""
    bottom = head_mm[head_mm[:, 1] < head_mm[:, 1].min() + 8]
    middle = bottom.mean(axis=0)
    neck = np.ptp(bottom[:, [0, 2]], axis=0) / 2 + 4
    rows, columns = 48, 96
    down = np.linspace(0, 1, rows)[:, None]
    around = 2 * np.pi * np.arange(columns) / columns
    shoulder = generator.uniform(175, 225)
    # The neckline, then a slope that steepens into the arms.
    wide = neck[0] + (shoulder - neck[0]) * np.sqrt(1 - (1 - np.clip(down / 0.4, 0, 1)) ** 2)
    deep = neck[1] + (105 - neck[1]) * np.sqrt(1 - (1 - np.clip(down / 0.8, 0, 1)) ** 2)
    x, z = wide * np.sin(around), deep * np.cos(around)
    y = 6 - 45 * np.clip(np.abs(x) / shoulder, 0, 1) ** 1.3 - 300 * down**2
    y = y - 12 * np.cos(around) * (1 - down)
    points = np.stack([x, np.broadcast_to(y, x.shape), z], -1).reshape(-1, 3)
    colour = generator.uniform(0.01, 0.12, 3) + generator.choice(
        [0.0, 0.05, 0.35], p=[0.5, 0.3, 0.2]
    )
    return plain_part(
        points + middle, grid_triangles(rows, columns, closed=True), colour, Material.CLOTH
    )


def occluder_part(
    kind: str,
    points68_mm: Float[np.ndarray, "68 3"],
    camera_mm: Float[np.ndarray, "3"],
    skin_linear: Float[np.ndarray, "3"],
    generator: np.random.Generator,
) -> Part:
    """Glasses, a hand or a microphone before a face, in the `model` frame.

    Args:
        kind: of `OCCLUDERS`.
        points68_mm: of the face with its expression.
        camera_mm: where the camera is: hands and microphones come between.
        skin_linear: of the hand.
        generator: of random numbers.
    """
    if kind == "glasses":
        colour = generator.uniform(0.005, 0.15) * generator.uniform(0.3, 1, 3)
        return _made_of(_glasses(points68_mm, generator), colour, Material.GLOSS)
    if kind == "hand":
        return _made_of(_hand(points68_mm, camera_mm, generator), skin_linear, Material.SKIN)
    return _made_of(
        _microphone(points68_mm, camera_mm, generator), np.full(3, 0.02), Material.GLOSS
    )


def _made_of(mesh, colour: np.ndarray, material: Material) -> Part:
    return plain_part(mesh.vertices, mesh.triangles, colour, material, hides=True)


def _glasses(points: np.ndarray, generator: np.random.Generator):
    thick = generator.uniform(0.9, 2.6)
    width, height = generator.uniform(23, 28), generator.uniform(15, 22)
    power = generator.uniform(2.0, 4.0)
    angle = np.linspace(0, 2 * np.pi, 61)
    bars = []
    centres = {}
    bridge_z = points[27, 2] + 5
    for side, rows, sign in (("right", slice(36, 42), -1), ("left", slice(42, 48), 1)):
        eye = points[rows].mean(axis=0)
        c, s = np.cos(angle), np.sin(angle)
        x = width * np.sign(c) * np.abs(c) ** (2 / power)
        y = height * np.sign(s) * np.abs(s) ** (2 / power)
        # The rims lean back at the sides, as the face does.
        z = bridge_z - 0.004 * (x * sign + eye[0] * sign) ** 2
        centres[side] = eye
        bars.append(tube(np.stack([eye[0] + x, eye[1] - 2 + y, z], -1), thick))
        hinge = np.array([eye[0] + sign * width, eye[1] + 5, z[0 if sign > 0 else 30]])
        ear = np.array([sign * (np.abs(points[[0, 16], 0]).mean() + 3), eye[1] + 4, -5.0])
        bars.append(tube(np.linspace(hinge, ear, 20), 0.8 * thick))
    ends = [centres["right"] + [width - 1, 2, 0], centres["left"] + [1 - width, 2, 0]]
    arch = np.linspace(ends[0], ends[1], 13)
    arch[:, 1] += 3 * np.sin(np.linspace(0, np.pi, 13))
    arch[:, 2] = bridge_z + 1.5 * np.sin(np.linspace(0, np.pi, 13))
    return joined([*bars, tube(arch, thick)])


def _hand(points: np.ndarray, camera: np.ndarray, generator: np.random.Generator):
    """Four fingers and a palm before a cheek or the chin."""
    # On the side that the camera sees.
    sign = 1.0 if camera[0] > 0 else -1.0
    touched = points[[5, 11][int(sign > 0)]] * 0.5 + points[57] * 0.5
    touched = touched + np.array([sign * generator.uniform(0, 12), generator.uniform(-8, 12), 6])
    touched = touched + 16 * _towards(camera, touched)
    lean = generator.uniform(-0.3, 0.5)
    up = np.array([-sign * np.sin(lean), np.cos(lean), 0.0])
    side = np.array([np.cos(lean), sign * np.sin(lean), 0.0])
    bars = []
    for k in range(4):
        tip = touched + side * (k - 1.5) * 17 + up * (24 + 8 * np.sin(np.pi * (k + 0.7) / 4))
        root = touched + side * (k - 1.5) * 19 - up * 42 + [0, 0, 12]
        path = np.linspace(root, tip, 16)
        path[:, 2] += 7 * np.sin(np.linspace(0, np.pi, 16))
        bars.append(tube(path, np.linspace(9.5, 7.0, 16)))
    palm = touched - up * 72 + [0, 0, 10]
    bars.append(ball(palm, np.array([42.0, 46.0, 15.0])))
    bars.append(tube(np.linspace(palm - up * 25, palm - up * 190, 10), 27.0, sides=24))
    return joined(bars)


def _microphone(points: np.ndarray, camera: np.ndarray, generator: np.random.Generator):
    mouth = points[60:68].mean(axis=0)
    head = mouth + np.array([generator.uniform(-12, 12), generator.uniform(-30, -10), 12])
    head = head + 34 * _towards(camera, mouth)
    handle = head + np.array([generator.uniform(-40, 40), -170, 30])
    return joined([ball(head, np.full(3, 24.0)), tube(np.linspace(head, handle, 24), 13.0)])


def _towards(camera: np.ndarray, place: np.ndarray) -> np.ndarray:
    return (camera - place) / np.linalg.norm(camera - place)
