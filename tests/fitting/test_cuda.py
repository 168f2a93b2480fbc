"""Energies and fits on a CUDA device are those of the processor."""

from dataclasses import replace

import pytest
import torch

from fit3dmm.fitting import FitConfig, Iris, Photometric, fit_observation, prepare
from fit3dmm.fitting.context import context_at
from fit3dmm.fitting.initialise import values_at
from fit3dmm.fitting.run import stage_problem
from fit3dmm.observe.detection import MEDIAPIPE
from fit3dmm.observe.detector_errors import exact_detector
from fit3dmm.render import nvdiffrast
from tests.fitting.synthetic import observe_scene
from tests.fitting.test_fit import aligned_error_mm, random_scene
from tests.toy import toy_model

CONFIG = FitConfig(photometric=Photometric(n_samples=400), iris=Iris(noise_mm=1e3))


@pytest.fixture(scope="module")
def faces():
    """A prepared model, a photo of somebody and the truth of it, and the device to try."""
    missing = nvdiffrast.missing()
    if missing is not None:
        pytest.skip(f"needs a CUDA device and nvdiffrast: {missing}")
    return make_faces()


def make_faces():
    model = toy_model()
    truth = random_scene(model, 6)
    prepared = prepare(model, 400, {MEDIAPIPE: exact_detector(468, 0.5)})
    config = replace(CONFIG, focal_px=float(truth.camera.focal_px))
    return prepared, observe_scene(model, truth), truth, config


def evaluations(faces, device: str):
    """The last stage's problem near the truth: energy by term, and the gradient."""
    prepared, seen, truth, config = faces
    near = truth.replace(coefficients=0.8 * truth.coefficients)
    prepared, seen = prepared.to(device), seen.to(device)
    with torch.no_grad():
        values = values_at(near.to(device), prepared)
        problem = stage_problem(context_at(prepared, seen, config.stages[-1], values), config)
        start = problem.flat_start()
        energies = problem.evaluate(start).energies()
    _, gradient = problem.energy_and_gradient(start)
    assert start.device.type == device
    return energies, gradient.cpu()


@pytest.mark.gpu
def test_energies_and_their_gradient_are_the_processors(faces):
    (here, slope), (there, other) = (evaluations(faces, device) for device in ("cpu", "cuda"))
    # float32, and some points at the rim of what is seen, where the two renderers' grids differ.
    assert there == pytest.approx(here, rel=0.01, abs=1e-3)
    assert (other - slope).norm() < 0.02 * slope.norm()


@pytest.mark.gpu
def test_a_fit_ends_in_the_same_face(faces):
    prepared, seen, truth, config = faces
    on_device = fit_observation(seen, prepared.to("cuda"), config)
    assert on_device.scene.coefficients.identity.device.type == "cuda"
    assert on_device.quality.verdict == "good"
    found = on_device.scene.coefficients.to("cpu")
    alone = fit_observation(seen, prepared, config).scene.coefficients
    # Stopping at a thousandth of the energy leaves a thirtieth of a sigma.
    assert aligned_error_mm(prepared.model, found, alone) < 0.2
    assert aligned_error_mm(prepared.model, found, truth.coefficients) < 1.2
