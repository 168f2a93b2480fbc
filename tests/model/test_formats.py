"""All readers: every family becomes a whole model, and bad sources are told."""

import dataclasses
from pathlib import Path

import h5py
import numpy as np
import pytest

from fit3dmm._errors import InputError
from fit3dmm.model.complete import complete
from fit3dmm.model.files import write_stored
from fit3dmm.model.formats import read_source
from fit3dmm.model.formats.source import read_mat
from tests.model import source_files as made
from tests.toy import toy_stored


def test_other_files_are_told(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match="can be converted: expected one of"):
        read_source([tmp_path])
    with pytest.raises(InputError, match="does not exist"):
        read_source([tmp_path / "missing.mat"])
    write_stored(toy_stored(), tmp_path / "toy.h5")
    with pytest.raises(InputError, match="fit3dmm model already"):
        read_source([tmp_path / "toy.h5"])


def test_newer_files_of_matlab_are_told(tmp_path):
    """They are HDF5 with a head of their own: by neither kind's reader anything but damaged."""
    newer = tmp_path / "01_MorphableModel.mat"
    with h5py.File(newer, "w", userblock_size=512) as file:
        file["shapeMU"] = np.zeros(3)
    with newer.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon".ljust(116))
    for read in (lambda: read_source([tmp_path]), lambda: read_mat(newer, "shapeMU")):
        with pytest.raises(InputError, match=r"is a MATLAB 7.3 file.*-v7'"):
            read()


def write_all(folder: Path) -> dict[str, Path]:
    made.write_gnm(folder / "gnm")
    made.write_bfm2017(folder / "bfm2017" / "model.h5")
    made.write_bfm2009(folder / "bfm2009", made.bfm_parts(), n_modes=80, n_blendshapes=64)
    return {name: folder / name for name in ("gnm", "bfm2009", "bfm2017")}


def test_every_family_becomes_a_whole_model(tmp_path):
    donor = toy_stored()
    for family, folder in write_all(tmp_path).items():
        source = read_source([folder])
        whole = complete(source, donor).stored
        model = whole.at_level()
        assert model.info.family.startswith(family[:3])
        assert model.n_albedo > 0
        assert set(model.landmarks) == {"ibug68", "mediapipe478", "now7"}
        assert model.contours["jaw17"].triangle.shape == (17, 9)
        assert {"face", "skin", "eyes"} <= set(model.regions)
        write_stored(whole, tmp_path / f"{family}.h5")
        own_colour = len(source.stored.albedo_mean_linear) > 0
        if own_colour:
            np.testing.assert_array_equal(
                whole.albedo_mean_linear, source.stored.albedo_mean_linear
            )


def test_blendshapes_of_the_same_name_get_the_donors_covariance(tmp_path):
    made.write_gnm(tmp_path)
    source, donor = read_source([tmp_path]), toy_stored()
    own = source.stored.expression_names
    # Two blendshapes by the donor's names in another order, the rest unknown to it.
    renamed = ("mouthSmileRight", *own[1:-1], "mouthSmileLeft")
    stored = dataclasses.replace(source.stored, expression_names=renamed)
    whole = complete(dataclasses.replace(source, stored=stored), donor).stored
    covariance = whole.expression_factor @ whole.expression_factor.T
    assert covariance[0, -1] == pytest.approx(0.8 * 0.4**2)
    apart = covariance - np.diag(np.diag(covariance))
    assert np.count_nonzero(np.abs(apart) > 1e-12) == 2
    np.testing.assert_allclose(np.diag(covariance), whole.expression_sigma**2)


def test_a_source_that_is_no_face_is_told(tmp_path):
    made.write_gnm(tmp_path)
    source = read_source([tmp_path])
    flat = dataclasses.replace(source.stored, mean_mm=source.stored.mean_mm * [1, 1, 20])
    with pytest.raises(InputError, match="can't be brought into register"):
        complete(dataclasses.replace(source, stored=flat), toy_stored())


def test_a_source_in_other_units_is_told(tmp_path):
    arrays = made.gnm_arrays()
    made.write_gnm(tmp_path, template_vertex_positions=100 * arrays["template_vertex_positions"])
    with pytest.raises(InputError, match="101 times as large"):
        complete(read_source([tmp_path]), toy_stored())
