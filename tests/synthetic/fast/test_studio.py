import dataclasses

import numpy as np
import pytest

from fit3dmm.model.files import load_model
from fit3dmm.synthetic.fast import COVERS, Studio, StudioSettings
from fit3dmm.synthetic.fast.example import BACKGROUND, HAIR, SKIN
from tests.synthetic.fast.same import same_example

SETTINGS = StudioSettings(size_px=96, cover_cells=24, hair_styles=2, beard_styles=1)


@pytest.fixture(scope="module")
def studio():
    return Studio(load_model(level=1), settings=SETTINGS)


@pytest.fixture(scope="module")
def examples(studio):
    return [studio.take(seed) for seed in range(12)]


def test_a_seed_gives_the_same_picture_again(studio, examples):
    assert same_example(studio.take(3), examples[3])
    assert not same_example(examples[3], examples[4])


def test_who_is_in_a_picture_is_told(studio, examples):
    for seed in (3, 4):
        person = studio.sitter(seed)
        np.testing.assert_array_equal(person.identity, examples[seed].identity)
        points_mm = studio.sitters.points_mm(person.vertices_mm)
        np.testing.assert_allclose(points_mm, examples[seed].points_mm, atol=1e-4)


def test_labels_have_the_shapes_that_the_settings_say(examples):
    model = load_model(level=1)
    for example in examples:
        assert example.image_srgb.shape == (96, 96, 3)
        assert example.cover.shape == (24, 24)
        assert example.cover.max() < len(COVERS)
        assert example.points_px.shape == (478, 2)
        assert example.identity.shape == (model.n_identity,)
        assert np.isfinite(example.points_px).all()
        np.testing.assert_allclose(example.rotation @ example.rotation.T, np.eye(3), atol=1e-5)


def test_points_lie_where_the_face_is(examples):
    """Most of the points of a face that is whole in its crop lie on skin, hair or something
    before it, and hardly any on the background."""
    on_background = []
    for example in examples:
        points = example.points_px[:468]
        inside = ((points >= 0) & (points < 96)).all(axis=1)
        column, row = (points[inside] / 96 * 24).astype(int).T
        on_background.append((example.cover[row, column] == BACKGROUND).mean())
    assert np.median(on_background) < 0.05
    kinds = np.concatenate([example.cover.ravel() for example in examples])
    assert {BACKGROUND, SKIN, HAIR} <= set(kinds.tolist())


def test_the_pose_is_that_of_the_points(examples):
    """The irises' middle lies before the origin of the head, a little above it: within 35 mm of
    the place where the label puts it."""
    for example in examples:
        eyes = np.array([0.0, 30.0, 70.0])
        cam = example.rotation @ eyes + example.translation_mm
        px = example.focal_px * cam[:2] / -cam[2] * [1, -1] + example.principal_point_px
        seen = example.points_px[[468, 473]].mean(axis=0)
        mm = np.linalg.norm(px - seen) * -cam[2] / example.focal_px
        assert mm < 35


def test_tones_reach_the_pictures_coefficients(studio):
    """The albedo coefficients of the label give the tone of the label."""
    example = studio.take(5)
    sitters = studio.sitters
    assert sitters.tone_mean + float(sitters.tone_slope @ example.albedo) == pytest.approx(
        example.tone, rel=1e-3
    )


def test_people_of_other_models_are_no_labels_of_coefficients():
    model = load_model(level=1)
    few = dataclasses.replace(SETTINGS, size_px=64, hair_styles=1, other_share=1.0)
    studio = Studio(model, [model.truncated(identity=20)], few)
    example = studio.take(0)
    assert not example.is_of_model
    assert example.identity.shape == (model.n_identity,)
    assert not example.identity.any()
