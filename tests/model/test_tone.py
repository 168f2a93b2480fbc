"""Tones of skin, and what colours somebody of a tone is drawn with."""

import pytest
import torch

from fit3dmm.model.files import load_model
from fit3dmm.model.tone import Tone, outer_face


@pytest.fixture(scope="module")
def model():
    return load_model(level=0)


def normal(model, n: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, model.n_albedo, generator=torch.Generator().manual_seed(seed))


def test_a_tone_is_the_mean_luminance_of_the_face(model):
    albedo = normal(model, 3)
    colours = model.albedo_linear(model.zeros(3).replace(albedo=albedo))
    face = outer_face(model.regions)
    mean = (colours @ torch.tensor([0.2126, 0.7152, 0.0722])) @ face / face.sum()
    torch.testing.assert_close(model.tone.at(albedo), mean, atol=1e-5, rtol=0)


@pytest.mark.parametrize("asked", [0.03, 0.25, 0.5])
def test_people_are_drawn_with_the_tone_that_is_asked_for(model, asked):
    tones = model.tone.at(model.tone.drawn(normal(model, 4), asked))
    torch.testing.assert_close(tones, torch.full((4,), asked), atol=1e-5, rtol=0)


def test_all_else_is_in_proportion_to_the_tone():
    tone = Tone(torch.tensor(0.2), torch.tensor([0.05, 0.0, 0.0]))
    numbers = torch.tensor([[-2.0, 0.8, -1.0], [0.0, 0.8, -1.0], [2.0, 0.8, -1.0]])
    # Tones of 0.1, 0.2 and 0.3: half, all, and one and a half of the mean face's.
    expected = torch.tensor([[-2.0, 0.4, -0.5], [0.0, 0.8, -1.0], [2.0, 1.2, -1.5]])
    torch.testing.assert_close(tone.drawn(numbers), expected)
    torch.testing.assert_close(tone.drawn(numbers[2], 0.1), expected[0])


def test_moving_to_a_tone_leaves_all_else():
    tone = Tone(torch.tensor(0.2), torch.tensor([0.03, 0.04]))
    albedo = torch.tensor([0.5, -0.5])
    moved = tone.moved(albedo, 0.3)
    assert float(tone.at(moved)) == pytest.approx(0.3)
    across = torch.tensor([0.8, -0.6])
    assert float(moved @ across) == pytest.approx(float(albedo @ across), abs=1e-6)


def test_dark_people_have_no_colours_below_black_that_others_have_not(model):
    """Two and a half sigmas darker than the mean face."""
    dark = float(model.tone.mean - 2.5 * model.tone.slope.norm())
    numbers = normal(model, 24)
    skin = outer_face(model.regions) * (1 - model.regions["lips"]) > 0.5

    def below(albedo: torch.Tensor) -> float:
        colours = model.albedo_linear(model.zeros(24).replace(albedo=albedo))[:, skin]
        return float((colours < 0).float().mean())

    assert below(model.tone.drawn(numbers, dark)) < 0.1 * below(model.tone.moved(numbers, dark))


def test_draws_are_by_tone_unless_asked_otherwise(model):
    def drawn(**how) -> torch.Tensor:
        return model.sample(5, generator=torch.Generator().manual_seed(2), **how).albedo

    torch.testing.assert_close(drawn(), model.tone.drawn(drawn(by_tone=False)))
