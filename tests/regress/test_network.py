import dataclasses

import pytest
import torch

from fit3dmm._errors import InputError
from fit3dmm.regress.batch import batch_of
from fit3dmm.regress.loss import losses, point_loss
from fit3dmm.regress.network import FaceNetwork, NetworkSettings
from fit3dmm.regress.outputs import Outputs
from fit3dmm.regress.trunks import make_trunk
from tests.regress.examples import N_POINTS, SIZES, Painter

SETTINGS = NetworkSettings("lite0", N_POINTS, **SIZES, cover_cells=8)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return FaceNetwork(SETTINGS, torch.rand(N_POINTS, 2)).eval()


@pytest.fixture(scope="module")
def batch():
    return batch_of([Painter().take(seed) for seed in range(6)])


def test_an_untrained_network_says_the_mean_face(network, batch):
    with torch.no_grad():
        outputs = network(batch.image_srgb)
    torch.testing.assert_close(outputs.points, network.mean_points.expand(6, -1, -1))
    for values in outputs.coefficients.values():
        assert not values.any()
    torch.testing.assert_close(outputs.pose.turned, torch.eye(3).expand(6, 3, 3))
    assert not outputs.cover.any()


@pytest.mark.parametrize("size", [64, 96, 160])
def test_any_size_goes_in(network, size):
    with torch.no_grad():
        outputs = network(torch.rand(2, 3, size, size))
    assert outputs.points.shape == (2, N_POINTS, 2)
    assert outputs.cover.shape == (2, 6, 8, 8)


@pytest.mark.parametrize(
    ("name", "millions"),
    [("lite0", 3.4), ("resnet18", 11.2), ("resnet50", 23.5), ("recognition", 4.4)],
)
def test_trunks_have_the_size_of_the_published_ones(name, millions):
    """Without their classifiers (1.28, 0.51 and 2.05 million), and the last block of the last."""
    trunk = make_trunk(name)
    assert sum(p.numel() for p in trunk.parameters()) / 1e6 == pytest.approx(millions, abs=0.06)
    trunk.eval()
    with torch.no_grad():
        features = trunk(torch.zeros(1, 3, 64, 64))
    maps = (features.fine, features.middle, features.coarse)
    assert tuple(m.shape[1] for m in maps) == trunk.channels
    assert [m.shape[-1] for m in maps] == [8, 4, 2]


def test_an_unknown_trunk_is_refused():
    with pytest.raises(InputError, match="choose one of lite0, resnet18, resnet50, recognition"):
        make_trunk("vgg")


def test_the_point_loss_is_that_of_the_normal_distribution(network, batch):
    with torch.no_grad():
        outputs = network(batch.image_srgb)
    generator = torch.Generator().manual_seed(0)
    shape = outputs.points.shape
    outputs = dataclasses.replace(
        outputs,
        log_sigma=torch.randn(shape, generator=generator) * 0.3 - 2,
        correlation=torch.rand(shape[:2], generator=generator) - 0.5,
    )
    points = outputs.points + 0.1 * torch.randn(shape, generator=generator)
    sigma, rho = outputs.log_sigma.exp(), outputs.correlation
    covariance = torch.diag_embed(sigma.square())
    covariance[..., 0, 1] = covariance[..., 1, 0] = rho * sigma.prod(-1)
    normal = torch.distributions.MultivariateNormal(outputs.points, covariance)
    constant = torch.log(torch.tensor(2 * torch.pi))
    torch.testing.assert_close(
        point_loss(outputs, points), -normal.log_prob(points).mean() - constant
    )


def test_losses_fall_where_the_truth_is_said(network, batch):
    with torch.no_grad():
        said = network(batch.image_srgb)
    truth = Outputs(
        points=batch.points_px / 64,
        log_sigma=said.log_sigma,
        correlation=said.correlation,
        coefficients=batch.coefficients,
        log_sigmas=said.log_sigmas,
        pose=batch.pose,
        light_asinh=batch.irradiance_sh.asinh(),
        log_tone=batch.tone.log(),
        cover=10 * torch.nn.functional.one_hot(batch.cover, 6).permute(0, 3, 1, 2).float(),
    )
    before, after = losses(said, batch), losses(truth, batch)
    assert all(after[name] < before[name] for name in before)


def test_coefficients_of_other_models_people_do_not_count(network, batch):
    with torch.no_grad():
        outputs = network(batch.image_srgb)
    other = ~batch.is_of_model
    changed = {k: torch.where(other[:, None], v + 100, v) for k, v in batch.coefficients.items()}
    moved = batch.replace(coefficients=changed)
    assert losses(outputs, moved)["coefficients"] == losses(outputs, batch)["coefficients"]
