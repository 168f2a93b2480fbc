"""What the spaces of colour mean."""

import numpy as np
import pytest
import torch
from PIL import Image

from fit3dmm.colour import linear_to_srgb
from fit3dmm.observe.skin.spaces import COLOUR_SPACES, in_space


def _colours() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).uniform(0, 1, (40, 3)))


def test_ycbcr_is_that_of_jpeg_files():
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    wanted = np.asarray(Image.fromarray(image).convert("YCbCr"), dtype=float)
    got = in_space(torch.from_numpy(image / 255), "ycbcr").numpy()
    # Pillow rounds to bytes.
    assert np.abs(got - wanted).max() < 1


def test_coloured_light_only_shifts_the_logarithms():
    """Up to what is added in the dark, so for colours that are not dark."""
    linear = torch.tensor([[0.5, 0.4, 0.3], [0.2, 0.3, 0.25]], dtype=torch.float64)
    lit = linear * torch.tensor([1.5, 1.0, 0.6], dtype=torch.float64)
    one, other = (in_space(linear_to_srgb(c), "log-chromaticity")[:, :2] for c in (linear, lit))
    wanted = torch.tensor([1.5, 0.6], dtype=torch.float64).log()
    np.testing.assert_allclose(other - one, wanted.expand(2, 2), atol=0.01)


@pytest.mark.parametrize("space", COLOUR_SPACES)
def test_every_space_is_finite_also_for_black_and_white(space):
    ends = torch.tensor([[0.0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 0, 1]])
    assert in_space(ends, space).isfinite().all()


@pytest.mark.parametrize("space", COLOUR_SPACES)
def test_different_colours_lie_apart(space):
    coordinates = in_space(_colours(), space)
    assert torch.pdist(coordinates).min() > 0


def test_no_space_takes_numbers_as_they_come():
    assert in_space(_colours(), None) is not None
    assert torch.equal(in_space(_colours(), None), _colours())
