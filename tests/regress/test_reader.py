"""What the last layer is told of where the points lie."""

import torch
from torch.autograd import gradcheck

from fit3dmm.regress.batch import batch_of
from fit3dmm.regress.files import Regressor, RegressorInfo, read_regressor, write_regressor
from fit3dmm.regress.learner import Learner
from fit3dmm.regress.network import FaceNetwork, extended
from fit3dmm.regress.reader import PointReader
from fit3dmm.regress.refiner import RefinerSettings
from tests.regress.examples import N_POINTS, Painter, tiny_network

SMALL = RefinerSettings(features=6, edges=6, local=5, anchors=3, hidden=8)


def _network() -> FaceNetwork:
    """One that sees points, and is told of them in a few numbers."""
    network = extended(tiny_network(), SMALL, read=12)
    generator = torch.Generator().manual_seed(3)
    for layer in (network.say_points, network.say_rest):
        layer.weight.data.normal_(generator=generator)
    return network.eval()


def _batch(n=6):
    return batch_of([Painter().take(seed) for seed in range(n)])


def test_a_network_that_gets_one_says_what_it_said():
    network = tiny_network().eval()
    for layer in (network.say_points, network.say_rest):
        layer.weight.data.normal_()
    told = extended(network, read=12).eval()
    image = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        before, after = network(image), told(image)
    assert torch.equal(before.points, after.points)
    torch.testing.assert_close(before.coefficients, after.coefficients)
    torch.testing.assert_close(before.light_asinh, after.light_asinh)
    assert extended(told, read=20).settings.read == 12


def test_the_last_layer_is_told_of_the_points_it_says():
    """Other places, other coefficients, by the columns of the reader alone."""
    network = _network()
    image = _batch().image_srgb
    with torch.no_grad():
        told, said = network.told(image), network(image)
        read = network.reader(said.points, network.mean_points + torch.tensor([0.01, 0.0]))
        torch.testing.assert_close(told[:, -12:], network.reader(said.points, network.mean_points))
    assert not torch.allclose(told[:, -12:], read)
    rest = torch.nn.functional.linear(told, network.say_rest.weight, network.say_rest.bias)
    torch.testing.assert_close(
        said.coefficients["identity"], rest[:, network.rest_rows()["identity"]]
    )


def test_what_a_person_is_does_not_pull_at_the_points():
    network = _network()
    Learner(network, "all")
    outputs = network.eval()(_batch().image_srgb)
    outputs.coefficients["identity"].square().sum().backward()
    assert network.reader is not None
    assert network.reader.layers[0].weight.grad.abs().max() > 0
    for layer in (network.say_points, network.refiner.say_all):
        assert layer.weight.grad is None or not layer.weight.grad.any()


def test_size_and_place_are_told_apart_from_shape():
    """A face elsewhere and larger is read by three of the numbers that go in."""
    torch.manual_seed(0)
    reader = PointReader(8, N_POINTS)
    usual = torch.rand(N_POINTS, 2)
    points = usual + 0.05 * torch.rand(4, N_POINTS, 2)
    reader.layers[0].weight.data[:, -3:] = 0
    moved = 1.3 * points + torch.tensor([0.2, -0.1])
    torch.testing.assert_close(reader(points, usual), reader(moved, usual))
    reader.layers[0].weight.data[:, -3:] = 1
    assert not torch.allclose(reader(points, usual), reader(moved, usual))


def test_derivatives_are_those_of_differences():
    torch.manual_seed(0)
    reader = PointReader(5, N_POINTS).double()
    usual = torch.rand(N_POINTS, 2, dtype=torch.float64)
    points = (usual + 0.05 * torch.rand(2, N_POINTS, 2)).requires_grad_()
    assert gradcheck(lambda x: reader(x, usual), (points,))


def test_it_learns_what_is_not_linear_in_the_points():
    """How long a line of points is, whichever way it lies: of no single point a sign."""
    torch.manual_seed(0)
    usual = torch.full((3, 2), 0.5)
    reader, last = PointReader(24, 3), torch.nn.Linear(24, 1)
    optimiser = torch.optim.Adam([*reader.parameters(), *last.parameters()], 0.01)
    errors = []
    for _ in range(300):
        ends = torch.randn(64, 2)
        points = torch.stack([ends, -ends, torch.zeros(64, 2)], 1) * 0.02
        points = points + torch.tensor([0.5, 0.5])
        wanted = ends.norm(dim=-1)
        error = (last(reader(points, usual))[:, 0] - wanted).square().mean()
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
        errors.append(float(error.detach()))
    assert sum(errors[-20:]) < 0.1 * sum(errors[:20])


def test_it_goes_into_a_file_and_back(tmp_path):
    network = _network()
    info = RegressorInfo("tiny 1", "0" * 16, ("points",), 64, "CC0-1.0", "Of a test.", {})
    write_regressor(Regressor(network, info), tmp_path / "r.h5")
    read = read_regressor(tmp_path / "r.h5").network
    assert read.settings == network.settings
    image = _batch(2).image_srgb
    with torch.no_grad():
        torch.testing.assert_close(
            read(image).coefficients, network(image).coefficients, atol=0.02, rtol=0.02
        )
