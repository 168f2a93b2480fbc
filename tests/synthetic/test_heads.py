import numpy as np
import pytest
import torch

from fit3dmm.synthetic.heads import (
    draw_head,
    explained_directions,
    expression_activations,
    face_weights,
    outer_face,
    outside_deformation_mm,
)
from fit3dmm.synthetic.skin import outside, skin_of_tone
from fit3dmm.synthetic.specification import EXPRESSIONS, specify


@pytest.fixture(scope="module")
def deformation(commons):
    return outside_deformation_mm(commons, 1.5, np.random.default_rng(5))


def test_deformation_is_orthogonal_to_everything_that_a_fit_can_do(commons, deformation):
    weight = np.repeat(face_weights(commons), 3)
    known = explained_directions(commons)
    inner = known @ (weight * deformation.ravel())
    lengths = np.sqrt((known**2 * weight).sum(axis=1) * (deformation.ravel() ** 2 * weight).sum())
    # A least-squares solution in float64 of a well-conditioned system.
    assert np.abs(inner / lengths).max() < 1e-6


def test_the_best_fit_leaves_most_of_the_deformation(commons, deformation):
    face = outer_face(commons)[: commons.surface.n_base] > 0.5
    assert np.sqrt((deformation[face] ** 2).sum(axis=1).mean()) == pytest.approx(1.5)
    rows = np.repeat(face, 3)
    known = explained_directions(commons)[:, rows]
    # Even a fit to the face alone, with any coefficients at all.
    coefficients = np.linalg.lstsq(known.T, deformation.ravel()[rows], rcond=1e-9)[0]
    left = (deformation.ravel()[rows] - coefficients @ known).reshape(-1, 3)
    assert np.sqrt((left**2).sum(axis=1).mean()) > 0.9


def test_eyeballs_move_as_a_whole(commons, deformation):
    ball = commons.regions["eye_left"][: commons.surface.n_base].numpy() > 0.5
    assert np.abs(deformation[ball] - deformation[ball].mean(axis=0)).max() < 1e-9


def test_in_model_heads_are_in_the_model(commons):
    head = draw_head(commons, specify(0, 3, "in-model"))
    assert head.deformation_mm == 0
    n = commons.surface.n_base
    base_surface = commons.surface.lift(commons.mean_mm).double().numpy()
    offset = torch.from_numpy(head.neutral_mm - base_surface)
    bases = torch.stack([commons.surface.lift(mode) for mode in commons.identity_basis_mm])
    bases = torch.cat(
        [bases, torch.stack([commons.surface.lift(mode) for mode in commons.detail_basis_mm])]
    )
    a = bases[:, :n].double().flatten(1).T
    solved = torch.linalg.lstsq(a, offset[:n].flatten()[:, None]).solution
    # The model computes in float32.
    assert float((a @ solved - offset[:n].flatten()[:, None]).abs().max()) < 1e-3


@pytest.mark.parametrize("tone", [0.03, 0.2, 0.55])
def test_faces_have_the_tone_that_was_asked_for(commons, tone):
    sample = commons.sample(generator=torch.Generator().manual_seed(1))
    coefficients = commons.tone.moved(sample.albedo, tone)
    albedo = commons.albedo_linear(sample.replace(albedo=coefficients)).double().numpy()
    mean = np.average(albedo @ [0.2126, 0.7152, 0.0722], weights=outer_face(commons))
    # float32 sums over 60,000 vertices.
    assert mean == pytest.approx(tone, abs=1e-4)


def test_the_darkest_skin_is_as_even_as_dark_skin(commons):
    numbers = torch.randn(commons.n_albedo, generator=torch.Generator().manual_seed(3)).numpy()
    skin = outside({name: weight.numpy() for name, weight in commons.regions.items()})
    dark, darkest = (skin_of_tone(commons, numbers, tone, skin) for tone in (0.11, 0.022))
    # A fifth of the light, in the same pattern; eyes and teeth are as they were.
    np.testing.assert_allclose(darkest[skin == 1], 0.2 * dark[skin == 1])
    np.testing.assert_allclose(darkest[skin == 0], dark[skin == 0])
    assert np.average(darkest @ [0.2126, 0.7152, 0.0722], weights=outer_face(commons)) == (
        pytest.approx(0.022, rel=0.02)
    )


def test_older_editions_have_the_colours_that_they_had(commons):
    case = specify(0, 1, edition="v2")
    seed = int(case.generator("identity").integers(2**62))
    drawn = commons.sample(generator=torch.Generator().manual_seed(seed), by_tone=False)
    albedo = commons.tone.moved(drawn.albedo, case.tone)
    colours = commons.albedo_linear(drawn.replace(albedo=albedo)).double().numpy()
    np.testing.assert_array_equal(draw_head(commons, case).albedo_linear, colours)
    newest = draw_head(commons, specify(0, 1, edition="v3"))
    assert np.abs(newest.albedo_linear - colours).max() > 0.005
    np.testing.assert_array_equal(newest.neutral_mm, draw_head(commons, case).neutral_mm)


def test_expressions_stay_within_bounds_and_move_what_they_are_named_for(commons):
    low, high = commons.expression_bounds.double().numpy().T
    names = commons.expression_names
    seen = {}
    for index in range(48):
        case = specify(0, index)
        values = expression_activations(commons, case)
        assert (values >= low).all()
        assert (values <= high).all()
        seen[case.expression] = values
    assert set(seen) == {"", *EXPRESSIONS}
    assert seen["smile"][names.index("mouthSmileLeft")] > 0.3
    assert seen["surprise"][names.index("jawOpen")] > 0.2
    assert seen[""].max() < 0.25
