"""`fit3dmm doctor` names what works and why the rest doesn't."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

import pytest
import torch

from fit3dmm.cli import doctor, self_test
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


def test_a_broken_renderer_is_noticed_and_the_rest_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    true_draw = self_test._draw

    def darkened(points, topology, camera, backend="auto"):
        drawn = true_draw(points, topology, camera, backend)
        if backend == "auto":
            return drawn.replace(rgb_linear=drawn.rgb_linear * 0.9)
        return drawn

    monkeypatch.setattr(self_test, "_draw", darkened)
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["doctor"]) == 2
    printed = capsys.readouterr()
    assert "self-test failed" in printed.out
    assert "model commons" in printed.out
    assert "1 of the checks failed" in printed.err


def test_advice_names_what_is_imported_and_nothing_else() -> None:
    root = Path(doctor.__file__).parents[2]
    imported = set()
    for path in (root / "fit3dmm").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    # Whoever wants it builds it: it is on no registry.
    imported -= {*sys.stdlib_module_names, "fit3dmm", "nvdiffrast"}
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[^\w.-]", entry)[0] for entry in project["dependencies"]}
    optional = {
        re.split(r"[^\w.-]", entry)[0]
        for entries in project["optional-dependencies"].values()
        for entry in entries
    }
    homes = importlib.metadata.packages_distributions()
    needed = {homes[name][0].lower().replace("_", "-") for name in imported if name in homes}
    assert declared <= needed
    assert needed <= declared | optional
    assert "scikit-learn" not in doctor.required_packages()
    assert {"torch", "numba", "mediapipe"} <= set(doctor.required_packages())
