"""Tables as text are, byte by byte, what Python's formatting makes of them."""

import numpy as np
import pytest

from fit3dmm.geometry.number_rows import number_rows, plain_rows


@pytest.mark.parametrize("decimals", [1, 4, 6, 8])
def test_numbers_are_rounded_as_printf_rounds_them(decimals):
    generator = np.random.default_rng(decimals)
    size = 10.0 ** generator.uniform(-decimals - 2, 4, (3000, 3))
    rows = (generator.choice([-1, 1], size.shape) * size).astype(np.float32)
    # Halves are ties of the last digit, and a small number keeps its sign.
    rows[0], rows[1], rows[2] = (0.0, -0.0, -1e-12), (0.5, 1.5, -2.5), (999.99999, 0.0625, -0.03125)
    rows[3:1000] = np.round(rows[3:1000] * 64) / 64
    assert number_rows("v", rows, decimals=decimals) == plain_rows("v", rows, decimals=decimals)


def test_whole_numbers_have_the_gaps_that_are_asked_for():
    rows = np.array([[1, 10, 0], [-7, 123456789, 9]])
    assert number_rows("f", rows, "/ ") == b"f 1/10 0\nf -7/123456789 9\n"
    assert number_rows("f", rows.astype(np.int32)) == plain_rows("f", rows)
    assert number_rows("f", rows[:0]) == b""


@pytest.mark.parametrize(
    "rows",
    [
        np.array([[0.1 + 0.2, 1e22]]),
        np.array([[np.nan, np.inf]], np.float32),
        np.array([[3e38, 1.0]], np.float32),
    ],
)
def test_numbers_that_are_not_exact_take_the_plain_way(rows):
    assert number_rows("v", rows, decimals=6) == plain_rows("v", rows, decimals=6)
