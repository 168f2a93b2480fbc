"""Fast paths of the texture are what the plain ones are."""

import numpy as np
import pytest
import torch

from fit3dmm.export import texels
from fit3dmm.export.nearest_texel import nearest_texels, plain_nearest_texels
from fit3dmm.export.smoothing import averaged
from fit3dmm.export.srgb_bytes import nearest_bytes, plain_bytes
from fit3dmm.export.texels import padded, texel_bands, texel_fragments
from tests.toy import toy_model


def test_bytes_are_those_of_the_transfer_function():
    generator = np.random.default_rng(0)
    linear = generator.uniform(-0.2, 1.2, (40, 50, 3)).astype(np.float32)
    # The borders between bytes, and the floats beside them.
    borders = ((np.arange(255) + 0.5) / 255).astype(np.float32)
    near = np.where(borders < 0.04045, borders / 12.92, ((borders + 0.055) / 1.055) ** 2.4)
    linear.flat[:255] = near
    linear.flat[255:510] = np.nextafter(near.astype(np.float32), np.float32(2))
    linear.flat[510:512] = 0.0, 1.0
    np.testing.assert_array_equal(nearest_bytes(linear), plain_bytes(linear))
    assert nearest_bytes(np.full((1, 1), np.nan, np.float32))[0, 0] == 0


@pytest.mark.parametrize("size_px", [64, 100])
def test_bands_are_the_rows_of_the_whole(monkeypatch, size_px):
    surface = toy_model(1).surface
    whole = texel_fragments(surface, size_px)
    monkeypatch.setattr(texels, "_BAND_TEXELS", 17 * size_px)
    bands = list(texel_bands(surface, size_px))
    assert [band.rows.start for band in bands] == list(range(0, size_px, 17))
    assert bands[-1].rows.stop == size_px
    triangle = torch.cat([band.fragments.triangle for band in bands], 1)
    # Corners are rounded to 1/256 px, so that a texel on an edge may fall to either side.
    assert (triangle != whole.triangle).float().mean() < 1e-3
    same = triangle == whole.triangle
    barycentric = torch.cat([band.fragments.barycentric for band in bands], 1)
    assert torch.allclose(barycentric[same], whole.barycentric[same], atol=2e-3)


def test_small_textures_find_their_fragments_again():
    surface = toy_model(1).surface
    (one,), (two,) = texel_bands(surface, 32), texel_bands(surface, 32)
    assert one.fragments is two.fragments


def test_padding_takes_the_nearest(monkeypatch):
    covered = np.random.default_rng(1).uniform(size=(24, 24)) < 0.1
    texture = np.random.default_rng(2).uniform(size=(24, 24, 3))
    filled = padded(texture, covered)
    inside = np.argwhere(covered)
    for row, column in np.ndindex(24, 24):
        away = np.linalg.norm(inside - [row, column], axis=1)
        nearest = [tuple(texture[r, c]) for r, c in inside[away < away.min() + 1e-9]]
        assert tuple(filled[row, column]) in nearest
    # Large ones are not kept, and are the same.
    monkeypatch.setattr(texels, "_BAND_TEXELS", 10)
    np.testing.assert_array_equal(padded(texture, covered), filled)


def test_averages_are_those_of_the_neighbours():
    edges = toy_model(0).surface.topology.edges
    n = int(edges.max()) + 1
    values = torch.randn(n, 2, generator=torch.Generator().manual_seed(0))
    near = torch.eye(n)
    a, b = edges.long().unbind(-1)
    near[a, b] = near[b, a] = 1.0
    mean = near / near.sum(1, keepdim=True)
    assert torch.allclose(averaged(values, edges, 3), mean @ mean @ mean @ values, atol=1e-5)


@pytest.mark.parametrize("share", [0.002, 0.1, 0.9])
def test_the_nearest_texels_are_those_that_scipy_finds(share):
    covered = np.random.default_rng(0).uniform(size=(61, 301)) < share
    # Islands with straight borders have many places that are equally near.
    covered[10:30, 40:90] = covered[45:50] = True
    covered[:, 200:230] = False
    np.testing.assert_array_equal(nearest_texels(covered), plain_nearest_texels(covered))
