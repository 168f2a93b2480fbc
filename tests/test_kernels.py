"""Compiled code finds a place to stay: of its own user only, and with one line of notice."""

import logging
import os
import tempfile
from pathlib import Path

import numba
import numpy as np
import pytest

from fit3dmm import _kernels
from fit3dmm._threads import torch_threads


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """As where neither the package nor a home folder can be written to; gives the rest's names."""
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(numba.config, "CACHE_DIR", numba.config.CACHE_DIR)
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    monkeypatch.setattr(
        _kernels, "_has_cache", lambda: Path(numba.config.CACHE_DIR).parent == tmp_path
    )
    return tmp_path / f"fit3dmm-kernels-{os.getuid()}"


def test_a_temporary_cache_with_one_line_of_notice(nowhere, caplog):
    with caplog.at_level(logging.WARNING, logger="fit3dmm"):
        assert _kernels._settle_cache()
        assert os.environ["NUMBA_CACHE_DIR"] == str(nowhere)
    assert nowhere.stat().st_mode & 0o777 == 0o700
    assert len(caplog.messages) == 1
    assert str(nowhere) in caplog.messages[0]
    assert "\n" not in caplog.messages[0]
    # The next run finds it again.
    assert _kernels._temporary_cache() == nowhere


@pytest.mark.parametrize("planted", ["open", "link", "file"])
def test_what_another_user_may_have_planted_is_not_used(nowhere, planted, caplog, tmp_path):
    if planted == "open":
        nowhere.mkdir()
        nowhere.chmod(0o777)
    elif planted == "link":
        (tmp_path / "theirs").mkdir(mode=0o700)
        nowhere.symlink_to(tmp_path / "theirs")
    else:
        nowhere.touch()
    with caplog.at_level(logging.WARNING, logger="fit3dmm"):
        assert not _kernels._settle_cache()
    assert "for this run only" in caplog.messages[0]


@pytest.mark.parametrize("threads", [1, 3])
def test_every_row_is_done_once(threads):
    done = np.zeros(1000, dtype=int)

    def count(start, end, rows):
        rows[start:end] += 1

    with torch_threads(threads):
        _kernels.run_rows(count, len(done), done)
    assert (done == 1).all()


def test_a_user_without_a_home_gets_no_folder_of_that_name(monkeypatch, tmp_path):
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(Path, "home", nobody)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert not _kernels._has_cache()
    assert not list(tmp_path.iterdir())
