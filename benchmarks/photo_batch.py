"""Fitting many photos, in one process and in several."""

import multiprocessing
import time
from collections.abc import Sequence
from multiprocessing.synchronize import Barrier

import torch

from fit3dmm.colour import linear_to_srgb
from fit3dmm.fitting import FitConfig, PreparedModel, fit_observation, prepare
from fit3dmm.geometry.camera import Camera
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe import FaceDetector, Observation
from fit3dmm.observe.observation import observe_face
from fit3dmm.observe.photo import photo_from_array
from fit3dmm.render.synthesise import synthesise
from fit3dmm.scene import Lighting, Pose, Scene

_SIZE_PX = 480


def drawn_people(model: MorphableModel, count: int, size_px: int, seed: int) -> list[Observation]:
    """Random people in random poses and light, drawn, and found by the detector."""
    rng = torch.Generator().manual_seed(seed)
    found: list[Observation] = []
    with FaceDetector() as detector:
        while len(found) < count:
            person = model.sample(generator=rng, expression=True)
            person = person.replace(expression=0.5 * person.expression)
            turn = torch.randn(3, generator=rng) * torch.tensor([0.1, 0.25, 0.08])
            scene = Scene(
                person,
                Pose.facing(900.0).replace(rotation_rad=turn),
                Camera.centred(2.6 * _SIZE_PX, _SIZE_PX, _SIZE_PX),
                Lighting.ambient_white(0.4)
                + Lighting.directional([*torch.randn(2, generator=rng).tolist(), 1.5], [0.6] * 3),
            )
            with torch.no_grad():
                seen = synthesise(model, scene, background_linear=torch.full((3,), 0.25))
            photo = photo_from_array(linear_to_srgb(seen.rgb_linear.clamp(0, 1)).numpy())
            faces = detector.detect(photo)
            # Of some drawings the detector finds no face: another is drawn instead.
            found += [observe_face(photo, face, size_px) for face in faces[:1]]
    return found


def seconds_in_processes(
    seen: Sequence[Observation], model: str, config: FitConfig, processes: int
) -> float:
    """Wall time for all photos once every process has the model and has compiled its kernels.

    Each process takes the next photo when it is done with one, and computes with one thread.
    """
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(processes + 1)
    with context.Pool(processes, _start, (model, config, seen[0], ready)) as pool:
        ready.wait()
        began = time.perf_counter()
        for _ in pool.imap_unordered(_fit, seen):
            pass
        return time.perf_counter() - began


# What a worker keeps between photos.
_kept: list[tuple[PreparedModel, FitConfig]] = []


def _start(model: str, config: FitConfig, first: Observation, ready: Barrier) -> None:
    torch.set_num_threads(1)
    prepared = prepare(load_model(model), config.photometric.n_samples)
    fit_observation(first, prepared, config)
    _kept.append((prepared, config))
    ready.wait()


def _fit(observation: Observation) -> None:
    fit_observation(observation, *_kept[0])
