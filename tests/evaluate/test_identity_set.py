"""Any folder of photos named by person: who is alike, by shape and by coefficients."""

import csv
import itertools
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fit3dmm._errors import InputError
from fit3dmm.evaluate.fitter import FittedFace
from fit3dmm.evaluate.identity import first_of_same, roc_auc
from fit3dmm.evaluate.identity_set import (
    COEFFICIENTS,
    SHAPE,
    Identity,
    person_of,
    run_identity,
)
from fit3dmm.evaluate.preset_fitter import face_of_scene
from fit3dmm.geometry.camera import Camera
from fit3dmm.scene import Lighting, Pose, Scene
from tests.toy import toy_model


@dataclass(frozen=True)
class ByColour:
    """Takes the colour of a photo for the person in it, its brightness for the fit's error; sees no
    face in black."""

    fingerprint: str = "by colour"
    with_coefficients: bool = True

    def __call__(self, photo: Path) -> FittedFace | None:
        with Image.open(photo) as picture:
            red, green, error = picture.convert("RGB").getpixel((0, 0))
        if not red:
            return None
        model = toy_model(0)
        face = model.zeros().replace(
            identity=torch.tensor([red / 40 - 3, green / 40 - 3, error / 200, 0, 0, 0])
        )
        pose = Pose(torch.zeros(3), torch.tensor([0.0, 0.0, -700.0]))
        scene = Scene(face, pose, Camera.centred(900.0, 300, 300), Lighting.ambient_white())
        found = face_of_scene(scene, model, has_light=False)
        return found if self.with_coefficients else replace(found, coefficients=None)


def _photos(folder: Path, colours: dict[str, tuple[int, int, int]]) -> list[Path]:
    paths = []
    for name, colour in colours.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), colour).save(path)
        paths.append(path)
    return paths


PEOPLE = {
    "anna/one.png": (40, 200, 0),
    "anna/two.png": (44, 200, 30),
    "bert1.png": (200, 40, 0),
    "bert2.png": (200, 48, 20),
    "bert-03.png": (204, 44, 40),
    "cleo.png": (120, 240, 10),
}


@pytest.fixture
def photos(tmp_path):
    return _photos(tmp_path / "in", PEOPLE)


def run(tmp_path, photos, fitter=None, **how):
    return run_identity(
        Identity(**how), photos, tmp_path / "in", tmp_path / "out", fitter or ByColour()
    )


def test_people_are_told_by_the_names_of_their_photos():
    names = {
        "anna/one.png": "anna",
        "family/anna/x.png": "family/anna",
        "obama.jpg": "obama",
        "obama2.jpg": "obama",
        "obama_03.jpg": "obama",
        "obama-4.jpg": "obama",
        "1999.jpg": "1999",
    }
    for place, person in names.items():
        assert person_of(Path(place)) == person


def test_who_is_alike_is_found(tmp_path, photos):
    found = run(tmp_path, photos)
    assert [row["measure"] for row in found.rows] == [SHAPE, COEFFICIENTS]
    for row in found.rows:
        assert row["within"] < row["between"]
        assert row["roc_auc"] == row["rank1"] == 1
        # Cleo has no second photo that could be found.
        assert row["probes"] == 5
        assert (row["pairs_within"], row["pairs_between"]) == (4, 11)
    with (tmp_path / "out/pairs.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 15
    shape = {(line["a"], line["b"]): float(line["shape_mm"]) for line in lines}
    same = [float(line["shape_mm"]) for line in lines if line["same"] == "1"]
    assert np.mean(same) == pytest.approx(found.rows[0]["within"], rel=1e-5)
    assert shape["anna/one.png", "anna/two.png"] == min(
        distance for pair, distance in shape.items() if "anna/one.png" in pair
    )
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert (summary["photos"], summary["people"], summary["without_fit"]) == (6, 3, {})
    assert (tmp_path / "out/curve.png").stat().st_size > 1000


def test_a_list_says_which_pairs_count(tmp_path, photos):
    listed = tmp_path / "pairs.csv"
    # By this list the photos of anna are of two people: it has the last word.
    listed.write_text(
        "a,b,same\nanna/one.png,anna/two.png,0\nbert1.png,bert2.png,1\nbert1.png,cleo.png,\n"
    )
    found = run(tmp_path, photos, pairs=listed)
    assert (found.rows[0]["pairs_within"], found.rows[0]["pairs_between"]) == (1, 2)
    assert found.rows[0]["probes"] == 1
    assert not (tmp_path / "out/predictions/bert-03.png.h5").exists()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x,y\n1,2\n", "a header with a and b"),
        ("a,b\nanna/one.png,nobody.png\n", "line 2: there is no photo 'nobody.png'"),
        ("a,b,same\nbert1.png,bert2.png,maybe\n", "expected 1 or 0 for same, got 'maybe'"),
        ("a,b\nbert1.png,bert2.png\n", "got 1 and 0"),
    ],
)
def test_a_bad_list_gets_a_sentence(tmp_path, photos, text, sentence):
    listed = tmp_path / "pairs.csv"
    listed.write_text(text)
    with pytest.raises(InputError, match=sentence):
        run(tmp_path, photos, pairs=listed)
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="Can't read the pairs"):
        run(tmp_path, photos, pairs=tmp_path / "missing.csv")


def test_photos_without_a_face_are_counted(tmp_path):
    photos = _photos(tmp_path / "in", PEOPLE | {"bert2.png": (0, 0, 0)})
    found = run(tmp_path, photos)
    assert [outcome.case.name for outcome in found.lost] == ["bert2.png"]
    assert found.pairs_left_out == 5
    assert found.rows[0]["pairs_within"] == 2


def test_a_second_run_fits_nothing_again(tmp_path, photos):
    first = run(tmp_path, photos)

    @dataclass(frozen=True)
    class Stopped(ByColour):
        def __call__(self, photo: Path) -> FittedFace | None:
            raise AssertionError(f"{photo} was fitted again")

    assert run(tmp_path, photos, Stopped()).rows == first.rows


def test_a_fitter_without_coefficients_is_compared_by_shape(tmp_path, photos):
    found = run(tmp_path, photos, ByColour("bare", with_coefficients=False))
    assert [row["measure"] for row in found.rows] == [SHAPE]


def test_the_area_under_the_curve_counts_pairs():
    generator = np.random.default_rng(0)
    within = np.round(generator.normal(0, 1, 40), 1)
    between = np.round(generator.normal(1, 1, 70), 1)
    by_hand = np.mean([(o > s) + 0.5 * (o == s) for s, o in itertools.product(within, between)])
    assert roc_auc(within, between) == pytest.approx(by_hand)
    assert roc_auc(np.zeros(2), np.zeros(3)) == 0.5
    with pytest.raises(ValueError, match="two people"):
        roc_auc(within, np.zeros(0))


def test_who_is_equally_near_shares_the_first_place():
    assert first_of_same(np.array([1.0, 2.0]), np.array([True, False])) == 1
    assert first_of_same(np.array([2.0, 1.0]), np.array([True, False])) == 0
    assert first_of_same(np.array([1.0, 1.0, 3.0]), np.array([True, False, True])) == 0.5
