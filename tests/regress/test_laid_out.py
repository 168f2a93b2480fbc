"""A network that is laid out for a processor says what it said."""

import pytest
import torch

from fit3dmm.regress.laid_out import laid_out
from tests.regress.examples import tiny_network


@pytest.mark.parametrize("trunk", ["lite0", "resnet18"])
def test_a_network_that_is_laid_out_says_the_same(trunk):
    network = tiny_network(trunk).eval()
    generator = torch.Generator().manual_seed(1)
    for one in network.modules():
        # As after a training: norms that do something, and last layers that are not zero.
        if isinstance(one, torch.nn.BatchNorm2d):
            assert one.running_mean is not None
            assert one.running_var is not None
            one.running_mean.normal_(0, 0.2, generator=generator)
            one.running_var.uniform_(0.5, 2, generator=generator)
        if isinstance(one, torch.nn.Linear):
            one.weight.data.normal_(0, 0.05, generator=generator)
    pictures = [torch.rand(n, 3, 64, 64, generator=generator) for n in (1, 3, 1)]
    with torch.no_grad():
        quick = laid_out(network, 64)
        for picture in pictures:
            plain, found = network(picture), quick(picture)
            assert plain.points.std() > 1e-3
            torch.testing.assert_close(found.points, plain.points, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(found.cover, plain.cover, rtol=1e-4, atol=1e-4)
        # The first look is no other than later ones: a run that goes on ends as one that did not.
        first = laid_out(network, 64)(pictures[0])
        assert torch.equal(first.points, quick(pictures[0]).points)
    # What was given stays as it was.
    assert type(network.trunk) is not type(quick.trunk)
