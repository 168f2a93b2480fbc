"""Skin and light are told apart by what is known of both together."""

import math

import pytest
import torch

from fit3dmm.energy.exposure import colours_of_tone_prior, exposure_term, light_level
from fit3dmm.energy.priors import light_prior
from fit3dmm.model.tone import Tone
from fit3dmm.scene import Lighting
from fit3dmm.unknowns import ALBEDO, IRRADIANCE

TONE = Tone(torch.tensor(0.25), torch.tensor([0.08, 0.0]))


def energy(tone: float, level: float, told: float = 0.2, told_sigma: float = 0.6) -> float:
    """Of a face of a tone in plain light, where white would come out at a level of 0.85."""
    albedo = torch.tensor([(tone - 0.25) / 0.08, 0.0])
    values = {ALBEDO: albedo, IRRADIANCE: Lighting.ambient_white(level).irradiance_sh}
    term = exposure_term(TONE, math.log(told), told_sigma, (math.log(0.85), 0.0), 0.17)
    return float(term(values).energy)


def test_the_likeliest_tone_and_light_cost_nothing():
    assert energy(0.2, 0.85) < 1e-8


def test_of_one_brightness_dark_skin_is_likelier_than_dim_light():
    """A photo shows tone times level, here 0.034."""
    assert energy(0.04, 0.85) < energy(0.08, 0.425) < energy(0.16, 0.2125)


def test_twice_as_light_is_as_unlikely_as_half():
    torch.testing.assert_close(energy(0.1, 0.85), energy(0.4, 0.85), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(energy(0.2, 0.6), energy(0.2, 0.85**2 / 0.6), rtol=1e-4, atol=1e-5)


def test_beyond_black_the_way_back_is_downhill():
    assert energy(-0.2, 0.85) > energy(-0.1, 0.85) > energy(0.02, 0.85)


def test_level_is_what_white_reflects_towards_the_camera():
    torch.testing.assert_close(
        light_level(Lighting.ambient_white(0.7).irradiance_sh), torch.tensor(0.7)
    )


def test_contrast_of_dim_light_is_as_unlikely_as_that_of_bright_light():
    light = Lighting.ambient_white(0.5) + Lighting.directional((1.0, 0.2, 0.4), (0.5, 0.4, 0.3))
    # The level itself is left out: its sigma is wide.
    term = light_prior(1.0, 1e6, 0.5, 0.12)
    whole, half = (term({IRRADIANCE: (light * share).irradiance_sh}).energy for share in (1.0, 0.5))
    torch.testing.assert_close(whole, half)


def test_a_face_is_as_likely_at_every_tone():
    """Whoever is drawn lighter or darker with the same numbers has the same prior, so that the
    tone alone costs nothing but its own."""
    numbers = torch.tensor([0.0, 1.3])
    prior = colours_of_tone_prior(TONE, 1.0, 1e6)
    energies = [
        float(prior({ALBEDO: TONE.drawn(numbers, tone)}).energy) for tone in (0.15, 0.25, 0.5)
    ]
    assert energies == pytest.approx([0.5 * 1.3**2] * 3)
