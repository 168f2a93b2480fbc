import numpy as np
import pytest

from fit3dmm._errors import InputError
from fit3dmm.synthetic.probes import (
    Probe,
    SphereMap,
    probe_names,
    softened,
    turned_probe,
    turns_by_light,
)

AXES = np.concatenate([np.eye(3), -np.eye(3)])


@pytest.fixture(scope="module")
def directions():
    drawn = np.random.default_rng(2).normal(size=(200, 3))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def uniform(level=1.0):
    return Probe(SphereMap(np.full((32, 64, 3), level)))


def test_uniform_light_of_one_gives_one_everywhere(directions):
    # Sums over 2,048 pixels instead of integrals: a thousandth.
    np.testing.assert_allclose(uniform().irradiance(directions), 1.0, atol=2e-3)
    np.testing.assert_allclose(uniform().irradiance_map().at(directions), 1.0, atol=2e-3)
    for roughness in (0.06, 0.3):
        np.testing.assert_allclose(uniform().glossy_map(roughness).at(directions), 1.0, rtol=1e-9)


def test_a_map_says_at_its_pixels_what_they_hold():
    values = np.random.default_rng(3).uniform(size=(32, 64, 3))
    probe = Probe(SphereMap(values))
    np.testing.assert_allclose(
        probe.radiance.at(probe.directions), values.reshape(-1, 3), rtol=1e-6
    )


def test_row_0_is_above():
    values = np.zeros((32, 64, 3))
    values[:16] = 1.0
    sky = Probe(SphereMap(values))
    up, down, level = sky.irradiance(np.array([[0, 1.0, 0], [0, -1.0, 0], [1.0, 0, 0]]))[:, 0]
    # A surface upright sees half of the sky.
    np.testing.assert_allclose([up, down, level], [1, 0, 0.5], atol=2e-3)


@pytest.mark.parametrize("name", ["studio", "forest", "sunset"])
def test_lamps_stand_for_the_probe(name, directions):
    probe = turned_probe(name, 0.3)
    lamps, power = probe.lamps(128)
    assert lamps.shape == power.shape == (128, 3)
    np.testing.assert_allclose(power.sum(axis=0), probe.power.sum(axis=0), rtol=1e-9)
    exact = probe.irradiance(directions)
    approximate = np.maximum(directions @ lamps.T, 0) @ power / np.pi
    # Measured: 3 % of the mean light at most for the 18 probes.
    assert np.abs(approximate - exact).max() < 0.04 * exact.mean()


def test_a_rough_mirror_shows_the_lamp_where_it_is_mirrored():
    values = np.zeros((32, 64, 3))
    values[10, 20] = 1.0
    probe = Probe(SphereMap(values))
    for roughness in (0.06, 0.3):
        shown = probe.glossy_map(roughness).values[..., 0]
        assert np.unravel_index(shown.argmax(), shown.shape) == (10, 20)
    assert probe.glossy_map(0.06).values.max() > 3 * probe.glossy_map(0.3).values.max()


def test_probes_are_turned_about_the_vertical():
    still, turned = turned_probe("park", 0.0), turned_probe("park", 0.25)
    np.testing.assert_allclose(
        still.irradiance(np.array([[0, 1.0, 0]])), turned.irradiance(np.array([[0, 1.0, 0]]))
    )
    # A quarter turn carries one side's light to the next.
    sides = np.array([[0, 0, 1.0], [1.0, 0, 0], [0, 0, -1.0], [-1.0, 0, 0]])
    carried = [
        np.allclose(turned.irradiance(sides), np.roll(still.irradiance(sides), shift, axis=0))
        for shift in (1, -1)
    ]
    assert sum(carried) == 1


def test_there_are_18_probes_of_mean_one():
    assert len(probe_names()) == 18
    for name in probe_names():
        power = turned_probe(name, 0.0).power
        # Stored in 16 bits.
        assert abs(power.mean(axis=1).sum() / (4 * np.pi) - 1) < 2e-3
    with pytest.raises(InputError, match="no light probe 'disco'"):
        turned_probe("disco", 0.0)


def test_soft_light_has_no_hard_lamps_and_as_much_light():
    hard = turned_probe("sunset", 0.3)
    soft = softened(hard)
    assert soft.power.sum() == pytest.approx(hard.power.sum())
    assert soft.radiance.values.max() < 0.35 * hard.radiance.values.max()
    # Its lamp is still where it was.
    brightest = [p.directions[p.radiance.values.sum(axis=2).argmax()] for p in (hard, soft)]
    assert brightest[0] @ brightest[1] > 0.8
    uniform_still = softened(uniform(2.0)).radiance.values
    np.testing.assert_allclose(uniform_still, 2.0, rtol=1e-6)


@pytest.mark.parametrize("yaw_deg", [-40.0, 0.0, 25.0])
def test_turns_are_sorted_by_the_light_on_what_looks_along_a_yaw(yaw_deg):
    turns = turns_by_light("park", yaw_deg)
    assert sorted(turns) == pytest.approx(np.arange(32) / 32)
    yaw = np.radians(yaw_deg)
    facing = np.array([[np.sin(yaw), 0.15, np.cos(yaw)]]) / np.sqrt(1 + 0.15**2)
    arriving = [turned_probe("park", turn).irradiance(facing).sum() for turn in turns[[0, -1]]]
    assert arriving[0] > arriving[1]
