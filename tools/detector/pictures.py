"""Rendered people whose points are known, and where the detector sees them."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch

from fit3dmm._parallel import run_in_parallel
from fit3dmm.colour import linear_to_srgb
from fit3dmm.fitting.detector_errors import upright_axes
from fit3dmm.fitting.learn_errors import Seen
from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.detect import FaceDetector
from fit3dmm.observe.face import DetectedFace
from fit3dmm.observe.photo import photo_from_array
from fit3dmm.render.synthesise import synthesise
from fit3dmm.scene import Lighting, Pose, Scene

N_POINTS = 468
"""The detector's points of the face; those of the irises after them have a term of their own."""
SIZE_PX = 384
_MAX_ROTATION_RAD = (0.35, 1.25, 0.2)
_DISTANCE_MM = (450.0, 2000.0)
_USUAL_SHARE = 0.5
# Scenes of one task; a scene does not depend on how many there are, nor on the processes.
_BLOCK = 100


def take_pictures(
    model_name: str, n_scenes: int, seed: int, jobs: int
) -> Iterator[tuple[int, list[Seen]]]:
    """Blocks of faces as they are finished, each with its place, which is always the same.

    A picture in which the detector does not find exactly one face is left out.
    """
    counts = [min(_BLOCK, n_scenes - first) for first in range(0, n_scenes, _BLOCK)]
    tasks = [(model_name, seed, block, count) for block, count in enumerate(counts)]
    return run_in_parallel(_take_block, tasks, jobs)


def random_scene(model: MorphableModel, generator: torch.Generator) -> Scene:
    """A person at portrait distance, turned to any side, under uneven light."""

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator))

    face = model.sample(generator=generator, expression=True)
    # Half of the faces wear what people do, units going together; on the others few are active.
    active = torch.rand(model.n_expression, generator=generator) < 0.2
    active |= torch.rand((), generator=generator) < _USUAL_SHARE
    face = face.replace(identity=0.8 * face.identity, expression=face.expression * active)
    rotation = torch.tensor([uniform(-most, most) for most in _MAX_ROTATION_RAD])
    distance_mm = uniform(*_DISTANCE_MM)
    focal_px = SIZE_PX * 0.65 / 200 * distance_mm
    direction = torch.tensor([uniform(-1, 1), uniform(-0.3, 1), uniform(0.2, 1)])
    tint = torch.tensor([uniform(0.9, 1.1), 1.0, uniform(0.85, 1.1)])
    ambient = Lighting(Lighting.ambient_white(uniform(0.4, 0.8)).irradiance_sh * tint)
    light = ambient + uniform(0.2, 0.6) * Lighting.directional(direction)
    translation = torch.tensor([uniform(-20, 20), uniform(-20, 20), -distance_mm])
    camera = Camera.centred(focal_px, SIZE_PX, SIZE_PX)
    return Scene(face, Pose(rotation, translation), camera, light)


def picture(model: MorphableModel, scene: Scene, generator: torch.Generator) -> np.ndarray:
    """sRGB in 0..1 over a plain background, with a little noise."""
    background = torch.rand(3, generator=generator)
    linear = synthesise(model, scene, background_linear=background).rgb_linear
    srgb = linear_to_srgb(linear.clamp(0, 1))
    noise = 0.01 * torch.randn(srgb.shape, generator=generator)
    return (srgb + noise).clamp(0, 1).numpy()


def compare(model: MorphableModel, scene: Scene, face: DetectedFace) -> Seen:
    """What the detector says beside what is true."""
    points_mm = model.landmarks_mm("mediapipe478", scene.coefficients)[:N_POINTS]
    true_px = scene.camera.project(scene.pose.T_cam_model @ points_mm)
    distance_mm = -float(scene.pose.translation_mm[2])
    mm_per_px = distance_mm / float(scene.camera.focal_px)
    rotation = rotation_matrix(scene.pose.rotation_rad)
    upright = upright_axes(rotation[:2, 1])
    up_and_right = (face.points_px[:N_POINTS] - true_px) * torch.tensor([1.0, -1.0]) * mm_per_px
    forward = torch.cat([upright @ rotation[:2, 2], rotation[2:, 2]])
    return Seen(
        (up_and_right @ upright.T).double().numpy(),
        points_mm.double().numpy(),
        forward.double().numpy(),
        np.asarray(distance_mm),
    )


def _take_block(model_name: str, seed: int, block: int, count: int) -> list[Seen]:
    torch.set_num_threads(1)
    model = _model(model_name)
    generator = torch.Generator().manual_seed(1_000_003 * seed + block)
    seen = []
    with FaceDetector() as detector, torch.no_grad():
        for _ in range(count):
            scene = random_scene(model, generator)
            found = detector.detect(photo_from_array(picture(model, scene, generator)))
            if len(found) == 1:
                seen.append(compare(model, scene, found[0]))
    return seen


@lru_cache(maxsize=1)
def _model(name: str) -> MorphableModel:
    return load_model(name)
