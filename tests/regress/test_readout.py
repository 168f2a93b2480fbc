"""The last layer solved at once: it finds what is linear, and says nothing of what is not seen."""

import pytest
import torch

from fit3dmm.regress.batch import Batch
from fit3dmm.regress.network import BRIGHT, USUAL_LOG_TONE, FaceNetwork, NetworkSettings
from fit3dmm.regress.readout import refit
from tests.regress.examples import SIZES

SIZE = 32


def a_batch(network: FaceNetwork, n: int, seed: int) -> Batch:
    """Pictures whose tone and first coefficient are linear in what the last layer is told."""
    draw = torch.Generator().manual_seed(seed)
    image = torch.rand(n, 3, SIZE, SIZE, generator=draw)
    # Pictures differ mostly in their light.
    image = image * (0.2 + 0.8 * torch.rand(n, 3, 1, 1, generator=draw))
    with torch.no_grad():
        red = image[:, 0].mean((1, 2))
    coefficients = {k: torch.randn(n, size, generator=draw) for k, size in SIZES.items()}
    coefficients["identity"][:, 0] = 12 * red - 3
    light = torch.zeros(n, 9, 3)
    light[:, 0] = (BRIGHT + 2 * red[:, None]).sinh()
    return Batch(
        image_srgb=image,
        points_px=torch.zeros(n, 5, 2),
        cover=torch.zeros(n, 8, 8, dtype=torch.long),
        rotation=torch.eye(3).expand(n, 3, 3),
        translation_mm=torch.zeros(n, 3),
        focal_px=torch.ones(n),
        principal_point_px=torch.zeros(n, 2),
        coefficients=coefficients,
        is_of_model=torch.arange(n) % 2 == 0,
        irradiance_sh=light,
        tone=(USUAL_LOG_TONE + 3 * red).exp(),
    )


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    settings = NetworkSettings("lite0", 5, **SIZES, cover_cells=8)
    return FaceNetwork(settings, torch.rand(5, 2)).eval()


def test_what_is_linear_is_found_and_the_rest_left_alone(network):
    before = network(torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(9)))
    shares = refit(
        network,
        [a_batch(network, 200, 1), a_batch(network, 200, 2)],
        [a_batch(network, 100, 3)],
    )
    assert shares["tone"] > 0.99
    assert shares["light"] > 0.99
    # One of four is seen, the others are noise.
    assert 0.25 < shares["identity"] < 0.5
    assert abs(shares["detail"]) < 0.05
    test = a_batch(network, 50, 4)
    with torch.no_grad():
        said = network(test.image_srgb)
    torch.testing.assert_close(said.log_tone, test.tone.log(), atol=0.1, rtol=0)
    torch.testing.assert_close(
        said.coefficients["identity"][:, 0], test.coefficients["identity"][:, 0], atol=0.4, rtol=0
    )
    torch.testing.assert_close(said.irradiance_sh[:, 1:], test.irradiance_sh[:, 1:])
    # It says how sure it is of each.
    assert float(said.log_sigmas["tone"].exp().max()) < 0.1
    assert float(said.log_sigmas["detail"].exp().max()) == pytest.approx(1, abs=0.15)
    again = network(torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(9)))
    torch.testing.assert_close(again.points, before.points)
    torch.testing.assert_close(again.pose.turned, before.pose.turned)


def test_without_pictures_of_the_model_its_coefficients_stay(network):
    few = a_batch(network, 40, 5).replace(is_of_model=torch.zeros(40, dtype=torch.bool))
    assert set(refit(network, [few], [few])) == {"light", "tone"}
