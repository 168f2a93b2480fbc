"""Skin looked up: as it is worked out, but for the width of a step."""

import torch

from fit3dmm.observe.skin import skin_probability
from fit3dmm.observe.skin.table import looked_up_skin_probability


def test_the_table_is_what_it_stands_for():
    colours = torch.rand(4000, 3, generator=torch.Generator().manual_seed(0))
    colours = torch.cat([colours, torch.zeros(1, 3), torch.ones(1, 3)]).reshape(2, 2001, 3)
    exact, quick = skin_probability(colours), looked_up_skin_probability(colours)
    assert quick.shape == exact.shape
    assert (quick - exact).abs().mean() < 0.01
    assert (quick - exact).abs().max() < 0.2
