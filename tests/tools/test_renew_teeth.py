"""Teeth and gums put into a model that is there: they alone change, and move as those before."""

from dataclasses import replace

import numpy as np
import pytest

from fit3dmm._files import data_path
from fit3dmm.geometry.subdivision import refine_levels
from fit3dmm.model.files import read_stored
from fit3dmm.model.stored import StoredModel
from renew_teeth import renewed

TEETH = ("teeth_upper", "teeth_lower", "gums_upper", "gums_lower")
BASES = ("identity_basis_mm", "detail_basis_mm", "expression_basis_mm")
# Half a step of the file, per component, and what few vertices of it make of places beside them.
ROUNDING_MM = 0.005


@pytest.fixture(scope="module")
def shipped() -> StoredModel:
    if not data_path("commons.h5").exists():
        pytest.skip("data/commons.h5 is not built yet: python tools/build_commons.py")
    return read_stored(data_path("commons.h5"))


def rows(stored: StoredModel) -> np.ndarray:
    return np.unique(stored.base_faces[np.concatenate([stored.parts[part] for part in TEETH])])


def coloured_rows(stored: StoredModel) -> np.ndarray:
    chosen = np.zeros(len(stored.base_faces), dtype=bool)
    chosen[np.concatenate([stored.parts[part] for part in TEETH])] = True
    quads = refine_levels(stored.base_faces, len(stored.mean_mm), stored.albedo_level)[-1].quads
    return np.unique(quads[np.resize(chosen, len(quads))])


def test_the_shipped_model_has_the_teeth_that_are_made_today(shipped):
    again = renewed(shipped)
    np.testing.assert_allclose(again.mean_mm, shipped.mean_mm, atol=1e-4)
    for name in BASES:
        np.testing.assert_allclose(getattr(again, name), getattr(shipped, name), atol=ROUNDING_MM)
    np.testing.assert_allclose(again.albedo_mean_linear, shipped.albedo_mean_linear, atol=1e-3)
    np.testing.assert_allclose(again.albedo_basis_linear, shipped.albedo_basis_linear, atol=2e-3)


def test_teeth_of_another_form_become_todays_and_move_as_they_did(shipped):
    rng = np.random.default_rng(0)
    own, mean = rows(shipped), shipped.mean_mm.copy()
    mean[own] += rng.normal(0, 0.5, (len(own), 3))
    # A shift, a turn and a growth in each component.
    field = rng.normal(0, 0.02, (shipped.identity_basis_mm.shape[0], 4, 3))

    def moved(places_mm: np.ndarray) -> np.ndarray:
        basis = shipped.identity_basis_mm.copy()
        basis[:, own] = np.column_stack([places_mm[own], np.ones(len(own))]) @ field
        return basis

    after = renewed(replace(shipped, mean_mm=mean, identity_basis_mm=moved(mean)))
    np.testing.assert_allclose(after.mean_mm, shipped.mean_mm, atol=1e-4)
    np.testing.assert_allclose(after.identity_basis_mm, moved(shipped.mean_mm), atol=1e-4)


def test_all_but_teeth_and_gums_stays_number_by_number(shipped):
    mean, basis = shipped.albedo_mean_linear.copy(), shipped.albedo_basis_linear.copy()
    own, coloured = rows(shipped), coloured_rows(shipped)
    mean[coloured] *= 0.5
    basis[:, coloured] *= 0.5
    before = replace(
        shipped,
        mean_mm=shipped.mean_mm + np.array([0.0, 3.0, 0.0]),
        albedo_mean_linear=mean,
        albedo_basis_linear=basis,
    )
    after = renewed(before)
    others = np.setdiff1d(np.arange(len(before.mean_mm)), own)
    for name in ("mean_mm", *BASES):
        was, now = getattr(before, name), getattr(after, name)
        np.testing.assert_array_equal(now[..., others, :], was[..., others, :])
    others = np.setdiff1d(np.arange(len(mean)), coloured)
    for name in ("albedo_mean_linear", "albedo_basis_linear"):
        was, now = getattr(before, name), getattr(after, name)
        np.testing.assert_array_equal(now[..., others, :], was[..., others, :])
        # Teeth half as light as ours stay so.
        np.testing.assert_allclose(now[..., coloured, :], was[..., coloured, :], atol=2e-3)
    # They go with the head.
    np.testing.assert_allclose(after.mean_mm[own], before.mean_mm[own], atol=1e-4)
    for name in ("base_faces", "base_uv", "base_uv_faces", "base_mirror"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))


def test_a_model_whose_teeth_are_others_is_refused(shipped):
    parts = dict(shipped.parts)
    parts["skin"] = np.sort(np.concatenate([parts["skin"], parts["teeth_upper"][:40]]))
    parts["teeth_upper"] = parts["teeth_upper"][40:]
    with pytest.raises(SystemExit, match="upper teeth have other numbers of vertices"):
        renewed(replace(shipped, parts=parts))
