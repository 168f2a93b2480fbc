"""A network carried over to another edition of its model."""

import pytest
import torch

from carry_regressor import carried
from fit3dmm._files import data_path
from fit3dmm.model.files import load_model
from fit3dmm.regress.files import model_key, read_regressor

SHIPPED = data_path("regressor.h5")


@pytest.fixture(scope="module")
def edition():
    model = load_model(level=0)
    return model.replace(mean_mm=model.mean_mm * torch.tensor([1.02, 1.0, 1.0]))


def test_it_says_the_mean_person_and_what_it_said_of_all_else(edition):
    regressor = read_regressor(SHIPPED)
    before = {name: value.clone() for name, value in regressor.network.state_dict().items()}
    # As if the network knew people.
    weights = regressor.network.say_rest.state_dict()
    rows = regressor.network.rest_rows()
    for name in ("identity", "detail"):
        weights["weight"][rows[name]] = 0.1
    after = carried(regressor, edition)
    assert after.info.model_key == model_key(edition)
    said = after.network.state_dict()
    assert not said["say_rest.weight"][rows["identity"]].any()
    assert not said["say_rest.bias"][rows["detail"]].any()
    for name in ("expression", "albedo", "pose", "light", "tone"):
        assert torch.equal(
            said["say_rest.weight"][rows[name]], before["say_rest.weight"][rows[name]]
        )
    others = [name for name in before if not name.startswith("say_rest")]
    assert all(torch.equal(said[name], before[name]) for name in others)


def test_a_model_with_other_coefficients_is_refused(edition):
    fewer = edition.replace(identity_basis_mm=edition.identity_basis_mm[:30])
    with pytest.raises(SystemExit, match="other numbers"):
        carried(read_regressor(SHIPPED), fewer)


def with_other_teeth(model):
    mean = model.mean_mm.clone()
    rows = model.in_parts("teeth_upper", "gums_lower")[: len(mean)]
    mean[rows] += torch.tensor([0.0, 0.5, 0.0])
    return model.replace(mean_mm=mean)


def test_an_edition_with_other_teeth_keeps_all_that_the_network_says():
    own = load_model(level=0)
    regressor = read_regressor(SHIPPED, own)
    before = {name: value.clone() for name, value in regressor.network.state_dict().items()}
    after = carried(regressor, with_other_teeth(own), same_people=own)
    assert after.info.model_key != regressor.info.model_key
    said = after.network.state_dict()
    assert all(torch.equal(said[name], before[name]) for name in before)


def test_other_people_are_not_taken_for_the_same(edition):
    own = load_model(level=0)
    with pytest.raises(SystemExit, match="elsewhere than in teeth and gums: mean_mm"):
        carried(read_regressor(SHIPPED), edition, same_people=own)
    with pytest.raises(SystemExit, match="belongs to another edition"):
        carried(read_regressor(SHIPPED), own, same_people=edition)
