"""The perceptual term in a fit: least at the truth, and steps on it bring faces together."""

from dataclasses import replace

import pytest
import torch

from fit3dmm.fitting import FitConfig, Perceptual, Stage, prepare
from fit3dmm.fitting.context import context_at
from fit3dmm.fitting.initialise import values_at
from fit3dmm.fitting.picture import face_over_photo, uncovered_pixels
from fit3dmm.fitting.run import stage_problem
from fit3dmm.geometry.camera import Camera
from fit3dmm.scene import Lighting, Pose, Scene
from fit3dmm.solve import LevenbergMarquardt, solve
from fit3dmm.unknowns import ALBEDO, IDENTITY, LOG_FOCAL, TRANSLATION
from tests.fitting.synthetic import observe_scene
from tests.toy import toy_model

STAGE = Stage("likeness", (IDENTITY, ALBEDO), ("perceptual", "identity", "albedo"))


@pytest.fixture(scope="module")
def truth():
    generator = torch.Generator().manual_seed(2)
    model = toy_model(level=1)
    person = model.sample(generator=generator)
    pose = Pose(torch.tensor([0.05, 0.1, 0.0]), torch.tensor([5.0, -5.0, -900.0]))
    light = Lighting.ambient_white(0.5) + Lighting.directional([0.2, 0.3, 1.0], [0.4] * 3)
    scene = Scene(person, pose, Camera.centred(1000.0, 300, 300), light)
    with torch.no_grad():
        return scene, prepare(model, 300), observe_scene(model, scene)


def energy_at(truth, values, config) -> float:
    _, prepared, seen = truth
    problem = stage_problem(context_at(prepared, seen, config.stages[0], values), config)
    return problem.evaluate(problem.flat_start()).energies()["perceptual"]


def test_it_is_least_where_the_photo_was_made(truth):
    scene, prepared, _ = truth
    config = FitConfig(stages=(STAGE,), perceptual=Perceptual(sigma=0.05))
    values = values_at(scene, prepared)
    with torch.no_grad():
        there = energy_at(truth, values, config)
        other = {**values, IDENTITY: -values[IDENTITY]}
        darker = {**values, ALBEDO: values[ALBEDO] - 2}
        nearer = {**values, TRANSLATION: values[TRANSLATION] * 0.97}
        assert there < 0.1 * min(energy_at(truth, v, config) for v in (other, darker, nearer))


def test_steps_on_it_bring_the_faces_together(truth):
    scene, prepared, seen = truth
    config = FitConfig(stages=(STAGE,), perceptual=Perceptual(sigma=0.01, n_directions=2))
    start = values_at(scene, prepared)
    start[ALBEDO] = torch.zeros_like(start[ALBEDO])
    start[IDENTITY] = torch.zeros_like(start[IDENTITY])
    with torch.no_grad():
        problem = stage_problem(context_at(prepared, seen, STAGE, start), config)
        solution = solve(problem, LevenbergMarquardt(max_steps=4))
        before = problem.evaluate(problem.flat_start()).energies()["perceptual"]
    assert solution.energies["perceptual"] < 0.6 * before
    assert torch.equal(solution.values[LOG_FOCAL], start[LOG_FOCAL])


def test_only_the_face_that_nothing_covers_is_drawn(truth):
    scene, prepared, seen = truth
    changed = {**values_at(scene, prepared), ALBEDO: torch.full((4,), 2.0)}
    with torch.no_grad():
        context = context_at(prepared, seen, STAGE, changed)
        uncovered = uncovered_pixels(context)
        assert bool((uncovered == 1).all())  # no network looked
        uncovered[:, :112] = 0
        picture = face_over_photo(context, changed, uncovered)
    off = (picture - seen.image_linear).abs().amax(-1)
    assert float(off[:, :112].max()) == 0
    assert float(off[:12].max()) == 0  # above the head
    assert float(off[100:124, 120:160].min()) > 0.01


def test_without_the_points_there_is_no_term(truth):
    scene, prepared, seen = truth
    config = FitConfig(stages=(STAGE,))
    blind = replace(seen, detections={})
    with torch.no_grad():
        context = context_at(prepared, blind, STAGE, values_at(scene, prepared))
        assert "perceptual" not in stage_problem(context, config).terms
