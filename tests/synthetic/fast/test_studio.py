import dataclasses

import numpy as np
import pytest
import torch

from fit3dmm.geometry.rotation import rotation_from_angles
from fit3dmm.model.files import load_model
from fit3dmm.observe.predicted import BACKGROUND, HAIR, SKIN
from fit3dmm.synthetic.fast import COVERS, Studio, StudioSettings
from fit3dmm.synthetic.fast.clip import film
from fit3dmm.synthetic.fast.movement import draw_movement
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
    assert float(sitters.model.tone.at(torch.from_numpy(example.albedo))) == pytest.approx(
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


def test_a_film_moves_as_it_is_told(studio):
    model = studio.sitters.model
    movement = draw_movement(model, np.arange(3) / 30, np.random.default_rng(1))
    held = dataclasses.replace(movement, expression=0 * movement.expression)
    frames = list(film(studio, 4, movement, 150.0))
    for frame, still, k in zip(frames, film(studio, 4, held, 150.0), range(3), strict=True):
        assert frame.pixels_srgb.shape == (96, 96, 3)
        np.testing.assert_allclose(
            frame.rotation, rotation_from_angles(*movement.angles_deg[k].tolist()), atol=1e-5
        )
        # The head moves by the model's blendshapes and by nothing else.
        expected = movement.expression[k] @ model.expression_basis_mm.flatten(1).numpy()
        moved = (frame.vertices_mm - still.vertices_mm)[: model.surface.n_base]
        assert np.abs(moved).max() == pytest.approx(np.abs(expected).max(), rel=0.3)
    # One person in one light: neighbouring frames differ little.
    first, second = (frame.pixels_srgb.astype(float) for frame in frames[:2])
    assert 0.5 < np.abs(first - second).mean() < 15


def test_people_move_as_people_do():
    model = load_model(level=0)
    movement = draw_movement(model, np.arange(300) / 30, np.random.default_rng(3))
    again = draw_movement(model, np.arange(300) / 30, np.random.default_rng(3))
    np.testing.assert_array_equal(movement.expression, again.expression)
    assert movement.expression.min() >= 0
    assert movement.expression.max() <= 1
    speed = np.abs(np.diff(movement.angles_deg, axis=0)).max() * 30
    assert 10 < speed < 150  # degrees a second
    blinks = movement.expression[:, model.expression_names.index("eyeBlinkLeft")]
    assert blinks.max() > 0.5
    assert np.median(blinks) == 0
