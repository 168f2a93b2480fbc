"""A toy face whose photo and truth are known, its fit, and avatars with what they should be."""

import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from fit3dmm.colour import linear_to_srgb
from fit3dmm.export.glb import write_glb
from fit3dmm.export.split import drawn_surface, split_things
from fit3dmm.fitting import FitConfig, FitResult, Iris, Photometric, fit_observation, prepare
from fit3dmm.geometry.camera import Camera
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import Coefficients, MorphableModel
from fit3dmm.observe.detection import MEDIAPIPE
from fit3dmm.observe.detector_errors import exact_detector
from fit3dmm.observe.photo import Photo, photo_from_array
from fit3dmm.scene import Lighting, Pose, Scene
from tests.export.gltf_reader import ReadAvatar
from tests.fitting.synthetic import draw, observe_scene
from tests.toy import toy_model


@dataclass(frozen=True)
class KnownFace:
    """A scene, and the photo that it makes."""

    model: MorphableModel
    scene: Scene
    photo: Photo


def known_face(yaw_rad: float = 0.3, level: int = 1, side_px: int = 300) -> KnownFace:
    """The toy with an expression under light from one side."""
    model = toy_model(level)
    face = model.sample(generator=torch.Generator().manual_seed(3))
    face = face.replace(
        expression=torch.tensor([0.5, 0.0, 0.2, 0.4, 0.0]), albedo=torch.tensor([0.5, 0, 0, 0.0])
    )
    light = Lighting.ambient_white(0.5) + 0.5 * Lighting.directional((0.5, 0.4, 1.0))
    pose = Pose(torch.tensor([0.1, yaw_rad, -0.1]), torch.tensor([20.0, 10.0, -700.0]))
    camera = Camera.centred(3.0 * side_px, side_px + 40, side_px)
    scene = Scene(face, pose, camera, light)
    return KnownFace(model, scene, photo_of(model, scene))


def photo_of(model: MorphableModel, scene: Scene) -> Photo:
    """The scene's picture in bytes."""
    picture = linear_to_srgb(draw(model, scene, 0.2).clamp(0, 1))
    return photo_from_array(picture.numpy(), name="toy")


def fitted(known: KnownFace, size_px: int = 96) -> FitResult:
    """A real fit of the known face."""
    config = FitConfig(
        size_px=size_px, photometric=Photometric(n_samples=300), iris=Iris(noise_mm=1e3)
    )
    config = replace(config, focal_px=float(known.scene.camera.focal_px))
    observation = observe_scene(known.model, known.scene, size_px)
    prepared = prepare(known.model, 300, {MEDIAPIPE: exact_detector(468, 0.5)})
    return fit_observation(observation, prepared, config)


@dataclass(frozen=True)
class Rigged:
    """A person of the shipped model, and the avatar that was written of them."""

    model: MorphableModel
    person: Coefficients
    path: Path
    read: ReadAvatar


def rigged_face(folder: Path, seed: int, compact: bool = False) -> Rigged:
    """Somebody at rest."""
    model = load_model(level=1)
    person = model.sample(generator=torch.Generator().manual_seed(seed))
    path = folder / "face.glb"
    write_glb(model, person, texture_png(), path, compact=compact)
    return Rigged(model, person, path, ReadAvatar(path))


def truth_mm(model: MorphableModel, coefficients: Coefficients) -> dict[str, np.ndarray]:
    """The model's own shape at the vertices of each of an avatar's meshes."""
    points = model.shape_mm(coefficients).numpy()
    things = split_things(model, drawn_surface(model))
    return {name: points[split.vertex] for name, split in things.items()}


def texture_png() -> bytes:
    """A texture of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (16, 16), (200, 150, 120)).save(file, format="PNG")
    return file.getvalue()
