"""How sure a fit is of each vertex, as files: they say what the posterior says."""

import numpy as np
import pytest
import torch

from fit3dmm.export.folder import write_face
from fit3dmm.export.ramp import ramp_srgb
from fit3dmm.export.sigma import ARRAY, MESH, VertexSigma, vertex_sigma
from fit3dmm.face.fit import face_of
from fit3dmm.fitting.misfit import misfit_mm
from fit3dmm.fitting.vertex_sigma import neutral_face_sigma_mm
from fit3dmm.geometry.ply_files import read_ply
from tests.export.faces import fitted, known_face


@pytest.fixture(scope="module")
def known():
    return known_face(yaw_rad=0.5)


@pytest.fixture(scope="module")
def result(known):
    return fitted(known)


@pytest.fixture(scope="module")
def folder(known, result, tmp_path_factory):
    made = tmp_path_factory.mktemp("sigma")
    content = write_face(result, known.photo, made, known.model, 64, write=("sigma", "json"))
    return made, content


def test_the_array_and_the_mesh_are_of_the_neutral_face(known, result, folder):
    made, content = folder
    sigma_mm = np.load(made / ARRAY)
    assert sigma_mm.shape == (known.model.n_vertices,)
    # Over three axes, what the model can't be is the least there is.
    beyond = misfit_mm(known.model, known.model.mean_mm).square()
    least = known.model.surface.lift(3 * beyond[:, None]).sqrt()[:, 0].numpy()
    assert (sigma_mm > least - 1e-4).all()
    mesh = read_ply(made / MESH)
    neutral = known.model.shape_mm(result.scene.coefficients.neutral()).numpy()
    np.testing.assert_allclose(mesh.vertices, neutral, atol=1e-4)
    np.testing.assert_array_equal(mesh.triangles, known.model.surface.triangles.numpy())
    told = content["uncertainty"]
    assert told["neutral_face_mm"] == pytest.approx(
        neutral_face_sigma_mm(known.model, result.uncertainty), rel=1e-5
    )
    # This focal length was given.
    assert "log_focal" not in told
    for name in ("identity", "detail", "expression", "albedo", "rotation_rad", "translation_mm"):
        np.testing.assert_allclose(told[name], result.uncertainty.sigma(name), rtol=1e-5)


def test_colours_of_the_mesh_are_those_of_the_sigmas(folder, known, result):
    content = (folder[0] / MESH).read_bytes()
    _, _, body = content.partition(b"end_header\n")
    kind = np.dtype([("place", "<f4", 3), ("colour", "u1", 3), ("quality", "<f4")])
    vertices = np.frombuffer(body, kind, known.model.n_vertices)
    found = vertex_sigma(result, known.model)
    np.testing.assert_allclose(vertices["quality"], found.sigma_mm, rtol=1e-6)
    np.testing.assert_array_equal(vertices["colour"], np.round(255 * found.colours_srgb()))
    # Who is less sure is darker.
    order = np.argsort(found.sigma_mm)
    grey = vertices["colour"].astype(int).sum(1)
    assert (np.diff(grey[order]) <= 1).all()


def test_a_face_says_it_too(known, result):
    face = face_of(result, known.model, known.photo)
    np.testing.assert_array_equal(face.sigma_mm, vertex_sigma(result, known.model).sigma_mm)
    # It is of the person and not of the expression that is shown.
    np.testing.assert_array_equal(face.with_expression(jawOpen=1.0).sigma_mm, face.sigma_mm)


def test_what_no_photo_shows_is_less_sure(known, result):
    """The far side of a turned head, seen by colours alone."""
    found = vertex_sigma(result, known.model)
    points = known.model.mean_mm.numpy()
    face = known.model.regions["face"].numpy()[: len(points)] > 0.5
    sigma_mm = found.sigma_mm[: len(points)]
    back = points[:, 2] < 0
    assert sigma_mm[back & ~face].mean() > sigma_mm[face].mean()


def test_the_ramp_ends_where_it_should():
    ends = ramp_srgb(np.array([-1.0, 0.0, 1.0, 2.0]))
    np.testing.assert_array_equal(ends[0], ends[1])
    np.testing.assert_array_equal(ends[2], ends[3])
    assert ends[1].sum() > ends[2].sum()
    flat = VertexSigma(np.full(3, 2.0), 2.0, 2.0).colours_srgb()
    assert np.isfinite(flat).all()
    assert torch.from_numpy(flat).std(0).max() == 0
