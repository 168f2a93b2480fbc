"""How likely the mean face is to be nearer, held against people who are drawn."""

import pytest
import torch

from fit3dmm.fitting.nearer import likeness, mean_face_chance
from fit3dmm.fitting.uncertainty import Uncertainty
from tests.toy import toy_model


@pytest.fixture(scope="module")
def model():
    return toy_model(0)


def _told(model, sigma: float) -> Uncertainty:
    sizes = (model.n_identity, model.n_detail)
    return Uncertainty(("identity", "detail"), sizes, sigma**2 * torch.eye(sum(sizes)))


def _person(model, size: float) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return (
        size * torch.randn(model.n_identity, generator=generator),
        size * torch.randn(model.n_detail, generator=generator),
    )


def test_who_is_farther_from_the_mean_face_or_surer_is_less_likely_worse(model):
    by_size = [mean_face_chance(model, *_person(model, k), _told(model, 0.3)) for k in (0.1, 1, 3)]
    assert by_size[0] > by_size[1] > by_size[2]
    by_sigma = [
        mean_face_chance(model, *_person(model, 1.0), _told(model, s)) for s in (0.1, 1.0, 3.0)
    ]
    assert by_sigma[0] < by_sigma[1] < by_sigma[2]
    assert all(0 <= chance <= 1 for chance in (*by_size, *by_sigma))


def test_a_fit_that_is_the_mean_face_is_no_better_than_it(model):
    assert mean_face_chance(model, *_person(model, 0.0), _told(model, 0.3)) == 1.0
    # One that hardly differs is as likely to be worse as better.
    assert mean_face_chance(model, *_person(model, 1e-4), _told(model, 0.3)) == pytest.approx(
        0.5, abs=0.2
    )


def test_the_chance_is_the_same_again_and_needs_no_coefficients_that_moved(model):
    person = _person(model, 0.5)
    first, again = (mean_face_chance(model, *person, _told(model, 0.4)) for _ in range(2))
    assert first == again
    nothing = Uncertainty((), (), torch.zeros(0, 0))
    sure = Uncertainty(("identity",), (model.n_identity,), torch.zeros(2 * [model.n_identity]))
    assert mean_face_chance(model, *person, nothing) == mean_face_chance(model, *person, sure)
    assert mean_face_chance(model, *person, sure) < first


def test_likeness_is_a_correlation(model):
    identity, detail = _person(model, 1.0)
    here = identity, detail
    assert likeness(model, here, here) == pytest.approx(1)
    assert likeness(model, here, (3 * identity, 3 * detail)) == pytest.approx(1)
    assert likeness(model, here, (-identity, -detail)) == pytest.approx(-1)
    assert likeness(model, here, (0 * identity, 0 * detail)) is None
