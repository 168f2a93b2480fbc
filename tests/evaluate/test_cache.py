import numpy as np

from fit3dmm._content import content_key
from fit3dmm.evaluate.cache import load_score, store_score
from fit3dmm.evaluate.protocol import Score


def test_the_key_depends_on_content_alone(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"same")
    b.write_bytes(b"same")
    assert content_key("x", a) == content_key("x", b)
    b.write_bytes(b"other")
    assert content_key("x", a) != content_key("x", b)
    assert content_key("ab", "c") != content_key("a", "bc")
    a.write_bytes(b"changed")
    assert content_key(a) != content_key(b)


def test_scores_come_back_unchanged(tmp_path):
    score = Score({"mean_mm": 1 / 3, "points": 2}, np.random.default_rng(0).normal(size=50))
    assert load_score(tmp_path, "k") is None
    store_score(tmp_path, "k", score)
    back = load_score(tmp_path, "k")
    assert back is not None
    assert back.numbers == score.numbers
    assert isinstance(back.numbers["points"], int)  # it is printed as one
    np.testing.assert_array_equal(back.errors, score.errors)
