"""`fit3dmm doctor` names what works and why the rest doesn't."""

import pytest
import torch

from fit3dmm.cli import doctor
from fit3dmm.cli.main import main


def test_a_working_installation(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    for name in ("torch", "numba", "renderer cpu", "renderer nvdiffrast", "kernels", "self-test"):
        assert name in printed
    assert torch.__version__ in printed
    assert "passed" in printed


def test_a_broken_renderer_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    true_draw = doctor._draw

    def darkened(points, topology, camera, backend="auto"):
        drawn = true_draw(points, topology, camera, backend)
        if backend == "auto":
            return drawn.replace(rgb_linear=drawn.rgb_linear * 0.9)
        return drawn

    monkeypatch.setattr(doctor, "_draw", darkened)
    with pytest.raises(RuntimeError, match="self-test failed"):
        doctor._self_test()
