"""Where on the head MediaPipe's detector sees its points: pictures with a known answer, and a fit.

Random people of a model are rendered, the detector looks at the pictures, and for every point the
place on the surface is sought whose projections lie nearest to what was detected, over all people
and views. The distances that remain are the detector's noise, in mm on the face.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

from commons.surface_points import LEVEL, HeadSurface, Points, nearest_in, symmetric_points
from fit3dmm.colour import linear_to_srgb
from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.subdivision import refine_points
from fit3dmm.geometry.triangle_mesh import Mesh, vertex_normals
from fit3dmm.model.morphable import Coefficients, MorphableModel
from fit3dmm.observe.detect import FaceDetector
from fit3dmm.observe.photo import Photo
from fit3dmm.render.synthesise import synthesise
from fit3dmm.scene import Lighting, Pose, Scene

_SIZE_PX = 720
_FACE_PX_PER_MM = 2.2
_YAW_DEG, _PITCH_DEG, _ROLL_DEG = 30.0, 15.0, 10.0
_DISTANCE_MM = (450.0, 1500.0)
# Expressions that part lips and lids; left and right move together.
_EXPRESSIONS = (
    ("jawOpen",), ("mouthSmileLeft", "mouthSmileRight"), ("browInnerUp",),
    ("eyeBlinkLeft", "eyeBlinkRight"), ("mouthUpperUpLeft", "mouthUpperUpRight"), ("mouthFunnel",),
)  # fmt: skip
_STRONGEST_EXPRESSION = 0.4
# A point counts in a picture that sees its skin at less than 75 degrees, and unhidden.
_LEAST_FACING = 0.26
_HIDDEN_MM = 8.0
# How wide around a point the skin's mean direction is taken: in a grid of the picture's plane.
_NEIGHBOURHOOD_MM = 6.0
_SPREAD = np.array([(x, y, 0.5) for x in (-1, 0, 1) for y in (-1, 0, 1)])
# Distances beyond this count linearly only.
_TURN_MM = 3.0
_ROUNDS = 12
_STEP_MM = 0.5
_LONGEST_MOVE_MM = 3.0


@dataclass(frozen=True)
class Picture:
    """One rendered person: what was drawn, and what the detector says of it."""

    person: int
    vertices_cam_mm: np.ndarray
    normals_cam: np.ndarray
    """Unit, of the vertices."""
    depth_mm: np.ndarray
    """(height, width), 0 where nothing is seen."""
    camera: Camera
    seen_px: np.ndarray
    """(478, 2)"""


def take_pictures(
    model: MorphableModel, n_people: int, n_views: int, seed: int
) -> Iterator[Picture]:
    """Render people of the model and let the detector look; pictures it finds no face in are left.

    Half of the views of a person are at rest, half show a mild expression.
    """
    generator = torch.Generator().manual_seed(seed)
    rng = np.random.default_rng(seed)
    with FaceDetector() as detector:
        for person in range(n_people):
            # The file's points were found on these people.
            coefficients = model.sample(generator=generator, by_tone=False)
            for view in range(n_views):
                scene = _scene(model, coefficients, view % 2 == 1, rng)
                rendering = synthesise(
                    model, scene, background_linear=torch.tensor(rng.uniform(0, 0.8, 3)).float()
                )
                pixels = (linear_to_srgb(rendering.rgb_linear.clamp(0, 1)) * 255).round()
                faces = detector.detect(Photo("rendered", pixels.to(torch.uint8)))
                if len(faces) == 1:
                    drawn = Mesh(
                        rendering.points_cam_mm.numpy().astype(np.float64),
                        model.surface.triangles.numpy(),
                    )
                    yield Picture(
                        person,
                        drawn.vertices,
                        vertex_normals(drawn),
                        rendering.depth_mm.numpy(),
                        scene.camera,
                        faces[0].points_px.numpy().astype(np.float64),
                    )


def _scene(
    model: MorphableModel, coefficients: Coefficients, moved: bool, rng: np.random.Generator
) -> Scene:
    expression = torch.zeros(model.n_expression)
    if moved:
        for k in rng.choice(len(_EXPRESSIONS), 2, replace=False):
            for name in _EXPRESSIONS[k]:
                row = model.expression_names.index(name)
                expression[row] = float(rng.uniform(0, _STRONGEST_EXPRESSION))
    coefficients = coefficients.replace(expression=expression)
    angles = rng.uniform(-1, 1, 3) * [_YAW_DEG, _PITCH_DEG, _ROLL_DEG]
    rotation = Rotation.from_euler("yxz", angles, degrees=True)
    distance_mm = float(np.exp(rng.uniform(*np.log(_DISTANCE_MM))))
    # The face, not the origin of the model, goes to the middle of the picture.
    centre_mm = model.landmarks_mm("ibug68", coefficients).mean(dim=0).numpy()
    translation = np.array([0.0, 0.0, -distance_mm]) - rotation.apply(centre_mm)
    lamp = np.array([rng.uniform(-1, 1), rng.uniform(-0.2, 1), rng.uniform(0.3, 1)])
    strength, tint = rng.uniform(0.3, 0.9), rng.uniform(0.9, 1.1, 3)
    lighting = Lighting.ambient_white(float(rng.uniform(0.3, 0.7))) + Lighting.directional(
        torch.tensor(lamp, dtype=torch.float32),
        torch.tensor(strength * tint, dtype=torch.float32),
    )
    return Scene(
        coefficients,
        Pose(
            torch.tensor(rotation.as_rotvec(), dtype=torch.float32),
            torch.tensor(translation, dtype=torch.float32),
        ),
        Camera.centred(_FACE_PX_PER_MM * distance_mm, _SIZE_PX, _SIZE_PX),
        lighting,
    )


@dataclass(frozen=True)
class Distances:
    """(pictures, points, 2) how far detections lie from surface points, and where that counts."""

    offset_mm: np.ndarray
    """Across the line of sight: right and down in the picture."""
    counts: np.ndarray
    """(pictures, points)"""

    @property
    def length_mm(self) -> np.ndarray:
        """(pictures, points), not a number where it does not count."""
        return np.where(self.counts, np.linalg.norm(self.offset_mm, axis=2), np.nan)


def distances(pictures: list[Picture], surface: HeadSurface, points: Points) -> Distances:
    """Compare detections with (points,) surface points, in the detector's order."""
    triangle, barycentric = refine_points(
        points.triangle, points.barycentric, len(surface.head.quads), LEVEL
    )
    corners = surface.triangles[triangle]
    around = _neighbourhoods(surface, points)
    offsets, counts = [], []
    for picture in pictures:
        position = np.einsum("pkc,pk->pc", picture.vertices_cam_mm[corners], barycentric)
        normal = picture.normals_cam[around].mean(axis=1)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        towards = -position / np.linalg.norm(position, axis=1, keepdims=True)
        px = _project(picture.camera, position)
        mm_per_px = -position[:, 2:] / float(picture.camera.focal_px)
        offsets.append((picture.seen_px[: len(position)] - px) * mm_per_px)
        counts.append(
            ((normal * towards).sum(axis=1) > _LEAST_FACING) & ~_hidden(picture, position, px)
        )
    return Distances(np.array(offsets), np.array(counts))


def _neighbourhoods(surface: HeadSurface, points: Points) -> np.ndarray:
    """(points, neighbours) vertices near each point, whose mean normal says where it faces.

    On the rims of lids and lips and in the nostrils the surface itself turns inwards.
    """
    skin = np.unique(surface.triangles[surface.rows["skin"]])
    tree = KDTree(surface.vertices_mm[skin])
    sample = surface.locate(points)[:, None] + _NEIGHBOURHOOD_MM * _SPREAD
    return skin[tree.query(sample)[1]]


def _project(camera: Camera, points_cam_mm: np.ndarray) -> np.ndarray:
    return camera.project(torch.from_numpy(points_cam_mm)).numpy()


def _hidden(picture: Picture, position: np.ndarray, px: np.ndarray) -> np.ndarray:
    height, width = picture.depth_mm.shape
    column = np.clip(px[:, 0].astype(int), 0, width - 1)
    row = np.clip(px[:, 1].astype(int), 0, height - 1)
    front = picture.depth_mm[row, column]
    return (front > 0) & (front < -position[:, 2] - _HIDDEN_MM)


def seen_where(
    pictures: list[Picture],
    surface: HeadSurface,
    start: Points,
    mirror: np.ndarray,
    area: np.ndarray,
) -> Points:
    """The skin points, mirror images of each other, that explain the detections best.

    Gauss-Newton on the surface with Huber's weights, from `start` (points,) on.

    Args:
        mirror: (points,) the point on the other side of each.
        area: (points,) the part of `surface` that each stays on; mirrored points have the same.
    """
    points = start
    for _ in range(_ROUNDS):
        position = surface.locate(points)
        tangents = _tangents(surface.normals_at(points))
        here = distances(pictures, surface, points)
        slopes = np.stack(
            [
                distances(pictures, surface, nearest_in(surface, aside, area)).offset_mm
                - here.offset_mm
                for aside in np.moveaxis(position[:, None] + _STEP_MM * tangents, 1, 0)
            ],
            axis=3,
        )
        slopes /= _STEP_MM
        length = np.linalg.norm(here.offset_mm, axis=2)
        weight = here.counts / np.maximum(length / _TURN_MM, 1.0)
        system = np.einsum("np,npxi,npxj->pij", weight, slopes, slopes)
        # A point that few pictures tell of stays where it is.
        system += 0.02 * len(pictures) * np.eye(2)
        right = -np.einsum("np,npxi,npx->pi", weight, slopes, here.offset_mm)
        move = np.linalg.solve(system, right[..., None])[..., 0]
        size = np.linalg.norm(move, axis=1, keepdims=True)
        move *= np.minimum(1.0, _LONGEST_MOVE_MM / np.maximum(size, 1e-9))
        moved = position + np.einsum("pi,pix->px", move, tangents)
        points = symmetric_points(moved, mirror, surface, area)
    return points


def _tangents(normals: np.ndarray) -> np.ndarray:
    """(points, 2, 3) two unit vectors across each normal."""
    aside = np.cross([0.0, 1.0, 0.0], normals)
    aside /= np.maximum(np.linalg.norm(aside, axis=1, keepdims=True), 1e-9)
    return np.stack([aside, np.cross(normals, aside)], axis=1)
