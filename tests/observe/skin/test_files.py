"""A file gives back what was written, and bad ones end in a sentence."""

import numpy as np
import pytest
import torch

from fit3dmm._errors import InputError
from fit3dmm._files import data_path
from fit3dmm.observe.skin import SkinModel
from fit3dmm.observe.skin.model import FORMAT, TRAINED, read_skin_model, write_skin_model
from fit3dmm.observe.skin.named import skin_model
from tests.observe.skin.examples import random_model


def test_round_trip(tmp_path):
    for model in (random_model(), SkinModel.jones_rehg()):
        write_skin_model(model, tmp_path / "skin.h5")
        again = read_skin_model(tmp_path / "skin.h5")
        assert (again.space, again.prior, again.provenance) == (
            model.space,
            model.prior,
            model.provenance,
        )
        colours = torch.from_numpy(np.random.default_rng(0).uniform(0, 1, (50, 3)))
        assert torch.equal(again.probability(colours), model.probability(colours))


def test_large_pictures_are_taken_in_pieces():
    model = SkinModel.jones_rehg()
    image = torch.rand(400, 400, 3, generator=torch.Generator().manual_seed(0))
    whole = model.probability(image)
    np.testing.assert_allclose(whole[:10], model.probability(image[:10]), atol=1e-6)
    assert model.probability(image[:0]).shape == (0, 400)


def _change(path, **attributes):
    import h5py

    with h5py.File(path, "a") as file:
        for name, value in attributes.items():
            if "/" in name:
                file[name][...] = value
            else:
                file.attrs[name] = value


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"space": "cmyk"}, "colour space 'cmyk'.*update fit3dmm"),
        ({"prior": 1.5}, "its prior is 1.5"),
        ({"format_version": 9}, "version 9, this fit3dmm reads up to 1"),
        ({"format": "else"}, "expected a skin model"),
        ({"skin/covariances": -1.0}, "not positive definite"),
        ({"other/weights": 0.0}, "no mixture's"),
        ({"skin/means": np.nan}, "no mixture's"),
    ],
)
def test_bad_files_are_refused(change, sentence, tmp_path):
    path = tmp_path / "skin.h5"
    write_skin_model(random_model(), path)
    _change(path, **change)
    with pytest.raises(InputError, match=sentence):
        read_skin_model(path)


def test_what_is_no_model(tmp_path):
    (tmp_path / "text.h5").write_text("dear diary")
    with pytest.raises(InputError, match="can't be read as a skin model"):
        read_skin_model(tmp_path / "text.h5")
    with pytest.raises(InputError, match="There is no skin model 'nothing': give trained"):
        skin_model("nothing")


def test_the_shipped_one_is_small_and_sees_skin():
    path = data_path(TRAINED)
    assert path.stat().st_size < 50_000
    with FORMAT.reading(path) as file:
        assert file.attrs["licence"] == "CC0-1.0"
    skin, sky = torch.tensor([[200.0, 140, 120], [40, 90, 200]]) / 255
    assert skin_model("trained").probability(skin) > 0.6
    assert skin_model("trained").probability(sky) < 0.2
    assert skin_model("jones-rehg") is SkinModel.jones_rehg()


def test_priors_lie_between_0_and_1():
    with pytest.raises(InputError, match="between 0 and 1, got 0"):
        SkinModel.jones_rehg().probability(torch.zeros(1, 3), prior=0.0)
