import numpy as np
import pytest

from fit3dmm._errors import InputError
from fit3dmm.evaluate.landmark_files import find_landmarks, read_landmarks

SEVEN = np.arange(21.0).reshape(7, 3) / 4


def test_every_format_gives_the_same_points(tmp_path):
    np.save(tmp_path / "a.npy", SEVEN[None])
    (tmp_path / "a.txt").write_text("# seven\n" + "\n".join(f"{x}, {y}, {z}" for x, y, z in SEVEN))
    (tmp_path / "a.lnd").write_text(
        "\n".join(f"p{k} {x} {y} {z}" for k, (x, y, z) in enumerate(SEVEN))
    )
    points = [
        f'<point  z="{z}" name="{k}" x="{x}"  y="{y}" />' for k, (x, y, z) in enumerate(SEVEN)
    ]
    # A further point: MeshLab files may carry more than the protocol's.
    points.append('<point x="9" y="9" z="9" name="more"/>')
    (tmp_path / "a.pp").write_text("<PickedPoints>\n" + "\n".join(points) + "\n</PickedPoints>")
    for suffix in ("npy", "txt", "lnd", "pp"):
        np.testing.assert_allclose(read_landmarks(tmp_path / f"a.{suffix}"), SEVEN)
    assert find_landmarks(tmp_path / "a") == tmp_path / "a.npy"
    assert find_landmarks(tmp_path / "b") is None


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.txt", "1 2 3\n", "Expected 7 landmarks"),
        ("a.txt", "1 2 3\n" * 8, "Expected 7 landmarks"),
        ("a.txt", "1 2\n" * 7, "line 1"),
        ("a.txt", "1 2 three\n" * 7, "line 1"),
        ("a.txt", "1 2 nan\n" * 7, "finite"),
        ("a.pp", '<point x="1" y="2"/>' * 7, "numbers x, y and z"),
        ("a.pp", "", "Expected 7 landmarks"),
        ("a.npy", "", "plain NPY"),
    ],
)
def test_bad_lists_get_a_sentence(tmp_path, name, content, sentence):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=sentence):
        read_landmarks(tmp_path / name)


def test_any_number_on_request(tmp_path):
    (tmp_path / "a.txt").write_text("1 2 3\n" * 4)
    assert read_landmarks(tmp_path / "a.txt", None).shape == (4, 3)
    with pytest.raises(InputError, match="no landmark file"):
        read_landmarks(tmp_path / "b.txt")
