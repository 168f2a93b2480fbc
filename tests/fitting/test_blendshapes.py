"""Scores of an expression count as their sigmas say, those of a smile more than others."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fit3dmm.fitting import FitConfig, Stage, prepare
from fit3dmm.fitting.context import context_at
from fit3dmm.fitting.evidence import Blendshapes
from fit3dmm.fitting.initialise import values_at
from fit3dmm.fitting.run import stage_problem
from fit3dmm.observe.detection import MEDIAPIPE
from fit3dmm.observe.detector_errors import exact_detector
from fit3dmm.scene import Scene
from fit3dmm.solve import LevenbergMarquardt, solve
from tests.fitting.synthetic import observe_scene
from tests.toy import toy_model

SCORES = {"jawOpen": 0.3, "mouthSmileLeft": 0.8, "mouthSmileRight": 0.6}
SMILE = "mouthSmileLeft"
STAGE = Stage("expression", ("expression",), ("blendshapes", "expression"))


@pytest.fixture(scope="module")
def prepared():
    return prepare(toy_model(), 100, {MEDIAPIPE: exact_detector(468, 0.5)})


def problem(prepared, blendshapes: Blendshapes, scores=SCORES):
    """Expression alone, by scores and prior alone, from rest."""
    scene = Scene.portrait(prepared.model.zeros(), 200, 200)
    seen = observe_scene(prepared.model, scene, size_px=64).replace(
        blendshapes=torch.tensor(list(scores.values())), blendshape_names=tuple(scores)
    )
    context = context_at(prepared, seen, STAGE, values_at(scene, prepared))
    return stage_problem(context, FitConfig(stages=(STAGE,), blendshapes=blendshapes))


def test_the_likeliest_expression_is_that_of_the_normal_equations(prepared):
    """Scores and prior are normal distributions, so their product is one, too."""
    model = prepared.model
    sigma = {name: 0.15 if "Smile" in name else 0.35 for name in SCORES}
    rows = [model.expression_names.index(name) for name in SCORES]
    precision = np.zeros(model.n_expression)
    precision[rows] = [sigma[name] ** -2 for name in SCORES]
    pull = np.zeros(model.n_expression)
    pull[rows] = precision[rows] * list(SCORES.values())
    factor = model.expression_covariance_factor.double().numpy()
    expected = np.linalg.solve(np.linalg.inv(factor @ factor.T) + np.diag(precision), pull)

    found = solve(problem(prepared, Blendshapes()), LevenbergMarquardt(max_steps=20))

    # Float32, and steps end at a relative decrease of the energy.
    assert found.values["expression"].numpy() == pytest.approx(expected, abs=2e-3)


def test_a_smile_that_is_scored_is_believed_more_the_smaller_its_sigma(prepared):
    at = prepared.model.expression_names.index(SMILE)

    def smile(smile_sigma: float) -> float:
        found = solve(problem(prepared, Blendshapes(smile_sigma=smile_sigma)), LevenbergMarquardt())
        return float(found.values["expression"][at])

    assert 0 < smile(1.0) < smile(0.35) < smile(0.15) < SCORES[SMILE]


@pytest.mark.parametrize(("name", "counts"), [("cheekPuff", False), ("jawOpen", True)])
def test_what_mediapipe_never_scores_is_no_observation(prepared, name, counts):
    names = (name, *prepared.model.expression_names[1:])
    renamed = replace(prepared, model=prepared.model.replace(expression_names=names))
    terms = problem(renamed, Blendshapes(), {name: 0.0}).terms
    assert ("blendshapes" in terms) == counts
