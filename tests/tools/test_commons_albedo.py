"""Laws of the parts of the albedo build that need no downloads."""

import numpy as np
import pytest

from commons.albedo import _principal, _tone_axes, explained_variance
from commons.skins import LUMINANCE, smoothstep
from commons.tones import draw_hair_linear, draw_tones, draw_undertones, skin_linear


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_skin_darkens_along_the_monk_scale_and_stays_a_colour_of_skin():
    tones = np.linspace(1, 10, 91)
    skin = skin_linear(tones, np.zeros((91, 2)))
    assert (np.diff(skin @ LUMINANCE) < 0).all()
    assert (skin > 0).all()
    assert (skin < 1).all()
    # Blood and melanin absorb most at short wavelengths: red over green over blue at every tone.
    assert (np.diff(skin, axis=1) < 0).all()


def test_people_span_the_whole_scale(rng):
    tones = draw_tones(rng, 5000)
    assert tones.min() < 1.5
    assert tones.max() > 9.5
    assert 4 < np.median(tones) < 6


def test_hair_is_dark_on_dark_skin_and_greys_with_age(rng):
    n = 3000
    young, old = np.full(n, 25.0), np.full(n, 80.0)
    on_light = draw_hair_linear(rng, np.full(n, 2.0), young)
    on_dark = draw_hair_linear(rng, np.full(n, 9.0), young)
    aged = draw_hair_linear(rng, np.full(n, 9.0), old)
    assert on_dark.mean() < 0.03
    assert on_light.mean() > 2 * on_dark.mean()
    assert aged.mean() > 3 * on_dark.mean()


def test_darkest_draws_of_the_tone_are_still_skin(rng):
    skin = skin_linear(draw_tones(rng, 5000), draw_undertones(rng, 5000))
    mean, axes = _tone_axes(skin)
    darkest = mean - 2 * axes[0]
    assert (darkest > 0).all()
    # Within the range of R/G that people have; a line by plain least squares gives more than 3.
    assert darkest[0] / darkest[1] < 2.8
    # Almost all of the spread is lightness.
    assert np.linalg.norm(axes[0]) > 5 * np.linalg.norm(axes[1])


def test_principal_components_carry_their_sigmas(rng):
    vertices, people = 40, 800
    truth = np.linalg.qr(rng.normal(size=(vertices * 3, 2)))[0].T.reshape(2, vertices, 3)
    sigmas = np.array([2.0, 0.5])
    samples = np.tensordot(rng.normal(size=(people, 2)) * sigmas, truth, axes=1)
    found = _principal(samples.astype(np.float32), np.arange(vertices), np.ones(vertices), 2)
    # A standard deviation estimated from 800 draws is off by about 2.5 %.
    np.testing.assert_allclose(np.linalg.norm(found.reshape(2, -1), axis=1), sigmas, rtol=0.1)
    assert explained_variance(found, samples, np.ones(vertices)) > 0.9999
    assert explained_variance(found[:1], samples, np.ones(vertices)) == pytest.approx(
        16 / 17, abs=0.02
    )


def test_smoothstep_runs_either_way():
    x = np.array([-1.0, 0.0, 0.5, 1.0, 2.0])
    np.testing.assert_allclose(smoothstep(x, 0, 1), [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(smoothstep(x, 1, 0), [1, 1, 0.5, 0, 0])
