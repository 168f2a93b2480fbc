import numpy as np
import pytest

from build_light_probes import COLUMNS, ROWS, reduce


def sphere_mean(values: np.ndarray) -> np.ndarray:
    edge = np.linspace(0, np.pi, len(values) + 1)
    weight = np.cos(edge[:-1]) - np.cos(edge[1:])
    return np.average(values.mean(axis=1), axis=0, weights=weight)


def test_reduced_probes_have_a_mean_of_one_and_keep_their_colour():
    radiance = np.random.default_rng(1).exponential(size=(4 * ROWS, 4 * COLUMNS, 3))
    radiance *= [2.0, 1.0, 0.5]
    small = reduce(radiance)
    assert small.shape == (ROWS, COLUMNS, 3)
    # Rows are weighted by the sine at their middle, and not by their exact solid angle.
    assert sphere_mean(small).mean() == pytest.approx(1, rel=2e-3)
    colour = sphere_mean(radiance)
    np.testing.assert_allclose(sphere_mean(small), colour / colour.mean(), rtol=2e-3)


def test_a_lamp_stays_where_it_is():
    radiance = np.zeros((2 * ROWS, 2 * COLUMNS, 3))
    radiance[10:12, 20:22] = 1.0
    small = reduce(radiance)[..., 0]
    assert np.unravel_index(small.argmax(), small.shape) == (5, 10)
    assert np.count_nonzero(small) == 1


def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(SystemExit, match="64 x 32"):
        reduce(np.ones((100, 200, 3)))
