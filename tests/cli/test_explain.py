"""`fit3dmm fit --explain`, and terms on the command line."""

import json

import pytest

from fit3dmm.cli.main import main


def explained(capsys, *options: str) -> str:
    assert main(["fit", "--explain", *options]) == 0
    return capsys.readouterr().out


def test_settings_are_told_in_eighty_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    text = explained(capsys, "--preset", "deng2019-code")
    assert max(map(len, text.splitlines())) <= 80
    for word in ("landmarks68", "perceptual", "Adam", "1015 px", "identity"):
        assert word in text


def test_settings_are_told_to_programs(capsys):
    options = ("--add", "flattening", "--drop", "iris", "--count", "contour=2")
    change = ("--set", "contour.sigma_mm=3")
    told = json.loads(explained(capsys, *options, *change, "--json"))
    terms = {term["name"]: term for term in told["terms"]}
    assert terms["flattening"]["stages"] == ["light", "coarse", "fine", "skin", "judgement"]
    assert "iris" not in terms
    assert terms["contour"]["counts"] == 2
    assert {"name": "sigma_mm", "value": 3.0, "unit": "mm"} in terms["contour"]["settings"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--preset", "deng2019"], "did you mean 'deng2019-"),
        (["--add", "perceptal"], "did you mean 'perceptual'"),
        (["--count", "contour"], "NAME=VALUE"),
        (["--count", "contour=much"], "NUMBER"),
        (["--set", "contour.sigma=1"], "did you mean 'sigma_mm'"),
    ],
)
def test_names_that_are_none_end_with_a_sentence(options, sentence, capsys):
    assert main(["fit", "--explain", *options]) == 2
    said = capsys.readouterr()
    assert sentence in said.err
    assert said.out == ""
