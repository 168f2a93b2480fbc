"""The square of the recognition network, by laws of its alignment and of resampling."""

import torch

from fit3dmm.geometry.transform import Similarity
from fit3dmm.recognise.chip import CHIP_PX, chip_from_points, chip_points_px, extract_chip


def test_points_of_any_similar_face_come_to_their_places():
    for turn, scale in ((0.0, 1.0), (0.7, 0.31), (-2.5, 4.0)):
        T_photo_chip = Similarity.in_plane(scale, (40.0, -13.0), turn).to(dtype=torch.float64)
        found = chip_from_points(T_photo_chip @ chip_points_px())
        torch.testing.assert_close(found @ (T_photo_chip @ chip_points_px()), chip_points_px())
        torch.testing.assert_close(found.rotation @ found.rotation.mT, torch.eye(2).double())


def test_no_other_similarity_lays_uneven_points_nearer():
    points = chip_points_px() + torch.tensor([[3.0, 0], [0, 2], [-4, 1], [0, 0], [1, -5]])
    best = chip_from_points(points)

    def off(T: Similarity) -> float:
        return float((T @ points - chip_points_px()).square().sum())

    for name, step in (("scale", torch.tensor(1e-3)), ("translation", torch.tensor([0.05, 0.02]))):
        for sign in (1, -1):
            assert off(best.replace(**{name: getattr(best, name) + sign * step})) > off(best)
    turned = Similarity.in_plane(1.0, (0.0, 0.0), 0.01).to(dtype=torch.float64).rotation
    assert off(best.replace(rotation=turned @ best.rotation)) > off(best)


def test_resampling_keeps_a_ramp_and_averages_where_it_reduces():
    at = torch.arange(600, dtype=torch.float64) + 0.5
    ramp = torch.stack([at.expand(600, 600), at[:, None].expand(600, 600)], -1)
    T_photo_chip = Similarity.in_plane(3.2, (60.0, 50.0), 0.05).to(dtype=torch.float64)
    chip = extract_chip(ramp, T_photo_chip.inverse())
    place = torch.arange(CHIP_PX, dtype=torch.float64) + 0.5
    rows, columns = torch.meshgrid(place, place, indexing="ij")
    wanted = T_photo_chip @ torch.stack([columns, rows], -1).reshape(-1, 2)
    # The turn was made in float32.
    torch.testing.assert_close(chip.reshape(-1, 2), wanted, atol=1e-5, rtol=0)

    stripes = (torch.arange(600) % 2).double().expand(600, 600)[..., None]
    chip = extract_chip(stripes, T_photo_chip.inverse())
    # Without smoothing the stripes would come out as stripes.
    assert float((chip - 0.5).abs().max()) < 0.3


def test_chips_have_derivatives_by_picture_and_points():
    torch.manual_seed(1)
    photo = torch.rand(40, 40, 1, dtype=torch.float64, requires_grad=True)
    points = (0.25 * chip_points_px() + torch.randn(5, 2)).requires_grad_(True)
    weight = torch.randn(CHIP_PX, CHIP_PX, 1, dtype=torch.float64)

    def summed(photo: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        return (weight * extract_chip(photo, chip_from_points(points))).mean()

    assert torch.autograd.gradcheck(
        summed, (photo[:, :8].detach().requires_grad_(True), points), fast_mode=True, atol=1e-6
    )
