import numpy as np
import pytest

from fit3dmm._errors import InputError
from fit3dmm.evaluate.aflw2000 import Aflw2000, normalised_error, yaw_bin
from fit3dmm.evaluate.protocol import Outcome, Score
from tests.evaluate import tiny_sets
from tests.shared_data import shared


def test_agrees_with_the_original_code_on_noise(tmp_path):
    """Truth plus 3 px of noise, scored by the original code; equal to all its four decimals."""
    expected = {
        "original": (1.9091, 2.2222, 2.2557, 2.1290, 0.1561),
        "reannotated": (1.8949, 2.1970, 2.3057, 2.1325, 0.1738),
    }
    data = tmp_path / "data"
    (data / "AFLW2000").mkdir(parents=True)
    files = ("AFLW2000-3D.pts68.npy", "AFLW2000-3D-Reannotated.pts68.npy")
    for name in (*files, "AFLW2000-3D.pose.npy"):
        (data / name).symlink_to(shared(f"aflw2000/{name}"))
    for row in range(2000):
        (data / "AFLW2000" / f"image{row:05d}.jpg").touch()
    protocol = Aflw2000()
    cases = protocol.list_cases(data)
    noise = np.random.RandomState(0)  # the oracle's generator, one stream for both sets
    percent = {
        annotations: [
            100 * normalised_error(points + noise.randn(2, 68).T * 3, points)
            for points in np.load(data / file)[:, :2].astype(np.float64).transpose(0, 2, 1)
        ]
        for annotations, file in zip(expected, files, strict=True)
    }
    outcomes = [
        Outcome(case, "scored", Score({f"{a}_percent": percent[a][case.row] for a in expected}))
        for case in cases
    ]
    table = protocol.summarise(outcomes)
    for annotations, numbers in expected.items():
        rows = [row for row in table if row["annotations"] == annotations]
        assert [row["cases"] for row in rows] == [1312, 383, 305, 2000]
        means = [round(float(row["nme_percent"]), 4) for row in rows]
        assert (*means, round(float(rows[-1]["std_percent"]), 4)) == numbers


def test_some_pictures_are_found_by_their_mat_files():
    cases = Aflw2000().list_cases(shared("aflw2000"))
    assert len(cases) == 16
    rows = {case.name: case.row for case in cases}
    assert (rows["image00050"], rows["image04331"]) == (28, 1984)
    assert {case.name: case.groups for case in cases}["image02420"] == ("60-90",)


def test_the_norm_by_hand():
    truth = np.array([[0.0, 0], [40, 0], [0, 90], [40, 90]])
    assert normalised_error(truth + np.array([3, 4]), truth) == pytest.approx(5 / 60)


@pytest.mark.parametrize(
    ("yaw_deg", "name"),
    [(0.0, "0-30"), (-30.0, "0-30"), (30.01, "30-60"), (-60.0, "30-60"), (-103.0, "60-90")],
)
def test_bounds_belong_to_the_lower_bin(yaw_deg, name):
    assert yaw_bin(yaw_deg) == name


def test_no_bin_for_nonsense():
    with pytest.raises(InputError, match="yaw in degrees"):
        yaw_bin(float("nan"))


def test_crops_are_carried_to_the_picture(tmp_path):
    tiny_sets.aflw2000_set(tmp_path)
    boxes = np.tile(np.array([100.0, 50, 340, 290]), (6, 1))
    np.save(tmp_path / "AFLW2000-3D_crop.roi_box.npy", boxes)
    whole, crop = Aflw2000(), Aflw2000(crop=True)
    truth = np.load(tmp_path / "AFLW2000-3D.pts68.npy")[2, :2] + 1.5
    np.save(tmp_path / "whole.npy", truth)
    np.save(tmp_path / "crop.npy", ((truth.T - [100, 50]) / 2).T)
    scores = [
        protocol.score(protocol.list_cases(tmp_path)[2], (tmp_path / f"{name}.npy",))
        for protocol, name in ((whole, "whole"), (crop, "crop"))
    ]
    assert scores[0].numbers == pytest.approx(scores[1].numbers)
    np.save(tmp_path / "short.npy", truth[:, :60])
    with pytest.raises(InputError, match="68 finite points"):
        whole.score(whole.list_cases(tmp_path)[2], (tmp_path / "short.npy",))


def test_no_mean_without_every_bin(tmp_path):
    """A subset without profile views must not print a number that looks like the published one."""
    tiny_sets.aflw2000_set(tmp_path)
    protocol = Aflw2000()
    np.save(tmp_path / "p.npy", np.load(tmp_path / "AFLW2000-3D.pts68.npy")[0, :2])
    cases = protocol.list_cases(tmp_path)
    outcomes = [Outcome(c, "scored", protocol.score(c, (tmp_path / "p.npy",))) for c in cases[:4]]
    last = protocol.summarise(outcomes)[3]
    assert last["yaw_deg"] == "mean of bins"
    assert "nme_percent" not in last
