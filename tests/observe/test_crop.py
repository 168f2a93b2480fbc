"""Crops show what lies where their similarity says, without aliasing, in linear light."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from fit3dmm._errors import InputError
from fit3dmm.colour import linear_to_srgb, srgb_to_linear
from fit3dmm.geometry.transform import Similarity
from fit3dmm.observe import photo_from_array
from fit3dmm.observe.crop import crop_around, extract_crop


def _ramp(height: int, width: int) -> np.ndarray:
    """Linear light that grows with x in red and with y in green."""
    y, x = np.mgrid[0:height, 0:width] + 0.5
    linear = torch.from_numpy(np.stack([x / width, y / height, 0 * x + 0.25], axis=-1))
    return linear_to_srgb(linear).numpy()


@pytest.mark.parametrize("scale", [0.13, 0.4, 0.77, 1.0, 2.6])
def test_crop_maps_positions(scale):
    photo = photo_from_array(_ramp(400, 500))
    T_crop_photo = Similarity.in_plane(scale, (-70 * scale, -90 * scale))
    crop = extract_crop(photo, T_crop_photo, 64)
    centres = torch.arange(64) + 0.5
    x_photo, y_photo = (centres / scale + start for start in (70, 90))
    inside = crop.inside[10]
    wanted = x_photo / 500
    inner = inside & (x_photo < 490)
    # A byte of sRGB is at most 0.009 of linear light; averaging bytes makes it less.
    assert torch.allclose(crop.image_linear[10, inner, 0], wanted[inner].float(), atol=0.006)
    inner = crop.inside[:, 10] & (y_photo < 390)
    assert torch.allclose(
        crop.image_linear[inner, 10, 1], (y_photo / 400)[inner].float(), atol=0.006
    )


@pytest.mark.parametrize("scale", [1.0, 1.37, 2.6])
def test_enlarged_crop_is_bilinear(scale):
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    crop = extract_crop(
        photo_from_array(pixels), Similarity.in_plane(scale, (-9.3 * scale, 4.1 * scale)), 64
    )
    x, y = (((np.arange(64) + 0.5) / scale + start) - 0.5 for start in (9.3, -4.1))
    light = srgb_to_linear(torch.from_numpy(pixels).double() / 255).numpy()
    rows, columns = np.meshgrid(y, x, indexing="ij")
    plain = [
        ndimage.map_coordinates(light[..., c], [rows, columns], order=1, mode="nearest")
        for c in range(3)
    ]
    # Places are rounded to float32 in the similarity: 1e-5 px between pixels as unlike as can be.
    assert np.allclose(crop.image_linear.numpy(), np.stack(plain, -1), atol=2e-5)


@pytest.mark.parametrize("scale", [0.07, 0.3, 1.4])
def test_cropping_in_bands_changes_nothing(scale, monkeypatch):
    photo = photo_from_array(_ramp(301, 401))
    T_crop_photo = Similarity.in_plane(scale, (3.0, 2.0))
    whole = extract_crop(photo, T_crop_photo, 64)
    monkeypatch.setattr("fit3dmm.observe.crop._BAND_PIXELS", 5000)
    assert torch.equal(extract_crop(photo, T_crop_photo, 64).image_linear, whole.image_linear)


def test_outside_is_marked():
    photo = photo_from_array(_ramp(100, 100))
    crop = extract_crop(photo, Similarity.in_plane(1.0, (32.0, -60.0)), 64)
    assert crop.inside.sum() == 32 * 40
    assert not crop.inside[:, :32].any()
    assert crop.image_linear.isfinite().all()


def test_stripes_too_fine_to_show_become_grey_of_the_same_light():
    stripes = np.zeros((512, 512, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    crop = extract_crop(photo_from_array(stripes), Similarity.in_plane(0.17, (0.0, 0.0)), 80)
    # Half of the pixels are white: half of the light, which in sRGB is 188 and not 128.
    assert torch.allclose(crop.image_linear, torch.full_like(crop.image_linear, 0.5), atol=0.02)


def test_square_holds_the_points_in_its_middle():
    points = torch.tensor([[100.0, 50.0], [180.0, 150.0], [120.0, 90.0]])
    T_crop_photo = crop_around(points, 224, margin=1.4)
    mapped = T_crop_photo @ points
    assert torch.allclose((mapped.amin(0) + mapped.amax(0)) / 2, torch.full((2,), 112.0))
    assert (mapped.amax(0) - mapped.amin(0)).max().item() == pytest.approx(224 / 1.4, rel=1e-5)
    back = T_crop_photo.inverse() @ mapped
    assert torch.allclose(back, points, atol=1e-3)
    with pytest.raises(InputError, match="working size"):
        crop_around(points, 10, margin=1.4)


def test_transfer_functions_are_inverse_and_have_gradients():
    x = torch.linspace(0, 1, 1001, dtype=torch.float64)
    assert torch.allclose(linear_to_srgb(srgb_to_linear(x)), x, atol=1e-6)
    small = torch.tensor([0.0, 0.003, 0.5], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(linear_to_srgb(small).sum(), small)
    assert gradient.isfinite().all()
