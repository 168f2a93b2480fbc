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
        ("a.txt", "1,5 2,5 3,5\n" * 7, "decimal points in line 1"),
        ("a.txt", "1,5, 2,5, 3,5\n" * 7, "line 1"),
        ("a.txt", "1,5 2\n" * 7, "line 1"),
        ("a.txt", "nose 1,5 2 3\n" * 7, "line 1"),
        ("a.txt", "1 2 3\n" + "1,5;2;3\n" * 6, "line 2"),
        ("a.txt", "1 2 3 0.9\n" * 7, "fourth number, such as 1,"),
        ("a.txt", "1 2 3 1\n" * 7, "fourth number, such as 1,"),
        ("a.txt", "1 2 3 255 0 0\n" * 7, "line 1 .* more numbers"),
        ("a.txt", "nose 1 2 3 0.9\n" * 7, "line 1 .* more numbers"),
        ("a.txt", "1.0, 2.0, 3.0, 0.9\n" * 7, "fourth number"),
        ("a.txt", "1_0 2 3\n" * 7, "line 1"),
        ("a.txt", "1 2 3,\n" * 7, "line 1"),
        ("a.txt", "\ufeff1 2 three\n" * 7, "line 1"),
        ("a.pp", '<point x="1,5" y="2" z="3"/>' * 7, "decimal points in line 1"),
        ("a.pp", '\n<point x="1" y="2" z="3" active="0" name="chin"/>' * 7, "'chin' in line 2"),
        ("a.pp", '<!-- <point x="1" y="2" z="3"/> -->' * 7, "got 0"),
        ("a.pp", '<!-- <point x="1" y="2" z="3"/>' * 7, "comment without an end"),
        ("a.pp", '<point x="1" y="2" z="3" name="3"/>' * 7, "in another order"),
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


def test_names_that_count_the_points_say_their_order(tmp_path):
    order = [3, 0, 6, 1, 2, 5, 4]
    for start in (0, 1):
        lines = [f"{k + start} {x} {y} {z}" for k, (x, y, z) in enumerate(SEVEN)]
        (tmp_path / "a.txt").write_text("\n".join(lines[k] for k in order))
        np.testing.assert_array_equal(read_landmarks(tmp_path / "a.txt"), SEVEN)
    points = [
        f"<point x='{x}' y='{y}' z='{z}' active='1' name='{2 * k}'/>"
        for k, (x, y, z) in enumerate(SEVEN)
    ]
    (tmp_path / "a.pp").write_text("\n".join(points[k] for k in order))
    np.testing.assert_array_equal(read_landmarks(tmp_path / "a.pp"), SEVEN)


def test_what_is_no_point_is_left_out(tmp_path):
    rows = [f"left eye {x} {y} {z}  # seen from the front" for x, y, z in SEVEN]
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf" + "\r\n\r\n".join(rows).encode("latin-1"))
    np.testing.assert_array_equal(read_landmarks(tmp_path / "a.txt"), SEVEN)
    points = [f'<point x="{x}" y="{y}" z="{z}" name="a > b"/>' for x, y, z in SEVEN]
    points.insert(2, '<!-- <point x="9" y="9" z="9" name="was moved"/> -->')
    points.append('<point x="0" y="0" z="0" active="0" name="not asked for"/>')
    (tmp_path / "a.pp").write_text("\n".join(points))
    np.testing.assert_array_equal(read_landmarks(tmp_path / "a.pp"), SEVEN)
    (tmp_path / "b.txt").write_text("1 2 3\n" * 7, encoding="utf-16")
    with pytest.raises(InputError, match="UTF-16"):
        read_landmarks(tmp_path / "b.txt")
