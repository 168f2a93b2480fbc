"""The reader of GNM Head: its numbers are those of the family's own formulas."""

import numpy as np
import pytest

from fit3dmm._errors import InputError
from fit3dmm.geometry.subdivision import quads_to_triangles
from fit3dmm.model.formats import read_source
from fit3dmm.model.stored import StoredModel
from fit3dmm.model.surface import build_surface
from tests.model import source_files as made


def point_places(stored: StoredModel, name: str) -> np.ndarray:
    faces = stored.base_faces
    triangles = quads_to_triangles(faces) if faces.shape[1] == 4 else faces
    points = stored.landmarks[name]
    corners = np.asarray(stored.mean_mm)[triangles][points.triangle]
    return np.einsum("pc,pcx->px", points.barycentric, corners)


def test_gnm_keeps_head_and_eyes_in_mm(tmp_path):
    truth = made.write_gnm(tmp_path)
    source = read_source([tmp_path])
    stored = source.stored
    np.testing.assert_allclose(stored.mean_mm, 1000 * truth["template_vertex_positions"], atol=1e-4)
    # The teeth mode is left out by its name, the last one because it moves nothing.
    np.testing.assert_allclose(
        stored.identity_basis_mm, 1000 * truth["vertex_identity_basis"][:3], atol=1e-4
    )
    assert stored.is_quad_mesh
    build_surface(stored.base_faces, stored.base_mirror, stored.base_uv, stored.base_uv_faces, 1)
    assert source.own_parts["eye_left"].sum() == source.own_parts["eye_right"].sum() == 26
    np.testing.assert_allclose(point_places(stored, "ibug68"), made.head()[2], atol=1e-3)


def test_gnm_joints_become_blendshapes(tmp_path):
    made.write_gnm(tmp_path)
    stored = read_source([tmp_path]).stored
    unit = dict(zip(stored.expression_names, stored.expression_basis_mm, strict=True))
    left = stored.mean_mm[:, 0] > 0
    eye = np.arange(len(left)) >= 386
    front = eye & (stored.mean_mm[:, 2] > 84)
    # The front of an eye of 11 mm radius that turns by 25 degrees rises by 11 sin 25 = 4.6 mm.
    np.testing.assert_allclose(unit["eyeLookUpLeft"][front & left, 1].max(), 4.6, atol=0.6)
    assert (unit["eyeLookUpLeft"][~(eye & left)] == 0).all()
    assert (unit["eyeLookOutLeft"][front & left, 0] > 0).all()
    assert (unit["eyeLookOutRight"][front & ~left, 0] < 0).all()
    # The head stays, what hangs below it moves.
    still = stored.mean_mm[:, 1] > -69
    assert np.abs(unit["neckPitch"][still]).max() == 0
    assert np.abs(unit["neckPitch"][~still & ~eye]).max() > 0


def test_gnm_without_its_landmarks_or_of_another_layout_is_told(tmp_path):
    made.write_gnm(tmp_path)
    with pytest.raises(InputError, match=r"head_sparse_68.txt from github.com/google/GNM"):
        read_source([tmp_path / "gnm_head.npz"])
    made.write_gnm(tmp_path, quads=np.full((3, 4), 10**6))
    with pytest.raises(InputError, match="quad_uvs has shape"):
        read_source([tmp_path])
    arrays = made.gnm_arrays()
    del arrays["quads"], arrays["skinning_weights"]
    np.savez(tmp_path / "gnm_head.npz", **arrays)
    with pytest.raises(InputError, match="lacks skinning_weights, quads"):
        read_source([tmp_path])


def test_gnm_archives_with_pickles_are_refused(tmp_path):
    made.write_gnm(tmp_path, joint_names=np.array([object()] * 4))
    with pytest.raises(InputError, match="can't be read as a GNM archive"):
        read_source([tmp_path])


def test_a_truncated_gnm_archive_is_told(tmp_path):
    made.write_gnm(tmp_path)
    path = tmp_path / "gnm_head.npz"
    path.write_bytes(path.read_bytes()[:50_000])
    with pytest.raises(InputError, match="incomplete or damaged"):
        read_source([tmp_path])
