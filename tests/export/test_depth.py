"""Depth lies in the photo's pixels."""

import numpy as np
import torch

from fit3dmm.export.depth import depth_map, write_depth
from fit3dmm.render import synthesise
from tests.export.faces import known_face


def test_depth_is_that_of_the_rendered_photo(tmp_path):
    known = known_face()
    drawn = synthesise(known.model, known.scene, silhouettes=False)
    depth = depth_map(known.model, known.scene)
    left, top, right, bottom = depth.box_px
    full = np.full((known.photo.height_px, known.photo.width_px), np.nan, np.float32)
    full[top:bottom, left:right] = depth.depth_mm
    expected = drawn.depth_mm.numpy()
    seen = expected > 0
    # Corners are rounded to 1/256 px relative to another origin: a few at the edge may differ.
    assert (np.isfinite(full) == seen).mean() > 0.999
    both = np.isfinite(full) & seen
    np.testing.assert_allclose(full[both], expected[both], atol=1.0)
    assert np.abs(full[both] - expected[both]).mean() < 0.01
    write_depth(depth, tmp_path / "depth.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "depth.npy"), depth.depth_mm)


def test_the_mask_is_the_face_alone():
    known = known_face(yaw_rad=0.0)
    depth = depth_map(known.model, known.scene)
    assert not depth.face[np.isnan(depth.depth_mm)].any()
    share = depth.face.sum() / np.isfinite(depth.depth_mm).sum()
    assert 0.4 < share < 1.0


def test_a_head_half_outside_and_one_wholly_outside():
    known = known_face()
    for x_mm, empty in ((120.0, False), (2000.0, True), (-2000.0, True)):
        pose = known.scene.pose.replace(translation_mm=torch.tensor([x_mm, 0.0, -700.0]))
        depth = depth_map(known.model, known.scene.replace(pose=pose))
        left, top, right, bottom = depth.box_px
        assert 0 <= left < right <= known.photo.width_px
        assert 0 <= top < bottom <= known.photo.height_px
        assert depth.depth_mm.shape == (bottom - top, right - left)
        assert np.isnan(depth.depth_mm).all() == empty
