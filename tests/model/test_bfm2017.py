"""The reader of Basel 2017 and 2019: its numbers are statismo's."""

import h5py
import numpy as np
import pytest

from fit3dmm._errors import InputError
from fit3dmm.model.formats import read_source
from tests.model import source_files as made


def test_bfm2017_follows_statismo(tmp_path):
    truth = made.write_bfm2017(tmp_path / "model2017.h5")
    source = read_source([tmp_path / "model2017.h5"])
    stored = source.stored
    mean = (truth["shape/mean"] + truth["expression/mean"]).reshape(-1, 3)
    np.testing.assert_allclose(stored.mean_mm, mean, atol=1e-4)
    mode = np.sqrt(truth["shape/variance"][2]) * truth["shape/basis"][:, 2]
    np.testing.assert_allclose(stored.identity_basis_mm[2], mode.reshape(-1, 3), atol=1e-4)
    assert stored.expression_basis_mm.shape[0] == 3
    assert stored.albedo_basis_linear.shape[0] == 5
    assert sorted(source.anchors_mm) == [8, 30, 36, 39, 42, 45, 48, 54]


def test_bfm2017_without_colour_or_points_or_whole_is_told(tmp_path):
    path = tmp_path / "model.h5"
    made.write_bfm2017(path)
    with h5py.File(path, "r+") as file:
        del file["color"]
    with pytest.raises(InputError, match="lacks the group color"):
        read_source([path])
    made.write_bfm2017(path, {"center.nose.tip": 30})
    with pytest.raises(InputError, match="names 1 of the face's points"):
        read_source([path])
    made.write_bfm2017(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="incomplete or damaged"):
        read_source([path])
