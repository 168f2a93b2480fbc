"""The header of our HDF5 files, and the sentence for every file that is not one of them."""

import h5py
import numpy as np
import pytest

from fit3dmm._errors import InputError
from fit3dmm._hdf5 import FileFormat, format_name

FORMAT = FileFormat("fit3dmm-tune", 2, "tune", "hum it again")


def test_what_is_written_says_what_it_is_and_is_read(tmp_path):
    with FORMAT.writing(tmp_path / "a.h5", author="Ann") as file:
        file["notes"] = np.arange(3)
    assert format_name(tmp_path / "a.h5") == "fit3dmm-tune"
    with FORMAT.reading(tmp_path / "a.h5") as file:
        assert file.attrs["author"] == "Ann"
        assert file.attrs["format_version"] == 2
        assert file["notes"][()].tolist() == [0, 1, 2]


def test_earlier_versions_are_read_and_later_ones_refused(tmp_path):
    for version in (1, 2, 3):
        with FileFormat("fit3dmm-tune", version, "tune", "").writing(tmp_path / f"{version}.h5"):
            pass
    for version in (1, 2):
        with FORMAT.reading(tmp_path / f"{version}.h5") as file:
            assert file.attrs["format_version"] == version
    sentence = r"3\.h5: it is a tune of version 3, this fit3dmm reads up to 2: update fit3dmm\."
    with pytest.raises(InputError, match=sentence), FORMAT.reading(tmp_path / "3.h5"):
        pass


def test_nothing_is_written_where_the_block_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), FORMAT.writing(tmp_path / "a.h5") as file:
        file["notes"] = 1 // 0
    assert not list(tmp_path.iterdir())


def test_files_that_are_not_ours(tmp_path):
    (tmp_path / "text").write_text("no HDF5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with FileFormat("fit3dmm-song", 1, "song", "").writing(tmp_path / "song.h5"):
        pass
    assert format_name(tmp_path / "text") is None
    assert format_name(tmp_path / "other.h5") is None
    assert format_name(tmp_path / "none") is None
    for name, sentence in (
        ("none", "There is no file .*none: hum it again"),
        ("text", "text can't be read as a tune .*: it is incomplete, damaged or of another kind"),
        ("other.h5", "expected a tune, but the file does not say what it is: hum it again"),
        ("song.h5", "expected a tune, but the file calls itself 'fit3dmm-song': hum it again"),
    ):
        with pytest.raises(InputError, match=sentence), FORMAT.reading(tmp_path / name):
            pass


def test_what_the_reader_misses_counts_as_damage(tmp_path):
    with FORMAT.writing(tmp_path / "a.h5"):
        pass
    sentence = "can't be read as a tune"
    with pytest.raises(InputError, match=sentence), FORMAT.reading(tmp_path / "a.h5") as file:
        file["notes"][()]
    sentence = r"a\.h5: three notes are too few"
    with pytest.raises(InputError, match=sentence), FORMAT.reading(tmp_path / "a.h5"):
        raise InputError("three notes are too few")
