import numpy as np
import pytest

from fit3dmm._errors import InputError
from fit3dmm.evaluate.statistics import cumulative_share, describe_errors


def test_by_hand():
    result = describe_errors(np.array([4.0, 0.0, 2.0, 2.0]))
    assert (result.count, result.median, result.mean, result.max) == (4, 2.0, 2.0, 4.0)
    assert result.std == pytest.approx(np.sqrt(2))  # divided by n, not n - 1
    assert result.rms == pytest.approx(np.sqrt(6))


def test_the_curve_counts_errors_up_to_and_with_the_bound():
    share = cumulative_share(np.array([3.0, 1.0, 2.0, 2.0]), np.array([0.5, 1.0, 2.0, 9.0]))
    np.testing.assert_array_equal(share, [0, 0.25, 0.75, 1])


@pytest.mark.parametrize("errors", [[], [1.0, np.nan], [np.inf]])
def test_nothing_is_described_by_accident(errors):
    with pytest.raises(InputError):
        describe_errors(np.array(errors))
