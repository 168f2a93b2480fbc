"""What the measurement of avatars' outlines takes for a person."""

import numpy as np

from measure_hair_volume import before_wall


def test_a_person_before_a_wall_in_a_frame_is_found():
    size = 160
    y, x = np.mgrid[0:size, 0:size]
    wall = np.array([80, 120, 150]) * (0.7 + 0.5 * y / size)[..., None]
    person = np.hypot(x - 80, y - 90) < 40
    picture = np.where(person[..., None], [190, 140, 110], wall)
    picture += np.random.default_rng(0).normal(0, 2, picture.shape)
    framed = np.zeros((size + 20, size + 12, 3))
    framed[10:-10, 6:-6] = picture
    found, counts = before_wall(framed.clip(0, 255).astype(np.uint8))
    inner = np.s_[10:-10, 6:-6]
    assert (found[inner] == person).mean() > 0.99
    assert counts[inner].mean() > 0.9
    assert not counts[:10].any()
    assert not found[:10].any()
