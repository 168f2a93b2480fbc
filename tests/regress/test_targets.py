import pytest
import torch

from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.harmonics import sh_basis
from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.regress.batch import Batch, light_rolled, resized, rolled
from fit3dmm.regress.targets import (
    crop_pose,
    focal_px_of,
    pose_in_camera,
    rotation_from_columns,
)

SIZE = 64


def _scene(n=5):
    generator = torch.Generator().manual_seed(0)
    rotation = rotation_matrix(torch.randn(n, 3, generator=generator).double())
    translation = torch.randn(n, 3, generator=generator).double() * 60
    translation[:, 2] -= 700
    principal = 32 + 200 * torch.randn(n, 2, generator=generator).double()
    focal = 100 + 300 * torch.rand(n, generator=generator).double()
    return rotation, translation, focal, principal


def _batch(points_mm: torch.Tensor) -> Batch:
    rotation, translation, focal, principal = _scene(len(points_mm))
    camera = Camera(focal, principal, SIZE, SIZE)
    px = camera.project(points_mm @ rotation.mT + translation[:, None])
    n = len(points_mm)
    return Batch(
        image_srgb=torch.rand(n, 3, SIZE, SIZE).double(),
        points_px=px,
        cover=torch.zeros(n, 8, 8, dtype=torch.long),
        rotation=rotation,
        translation_mm=translation,
        focal_px=focal,
        principal_point_px=principal,
        coefficients={},
        is_of_model=torch.ones(n, dtype=torch.bool),
        irradiance_sh=torch.randn(n, 9, 3).double(),
        tone=torch.ones(n).double(),
    )


def _projected(batch: Batch, points_mm: torch.Tensor) -> torch.Tensor:
    camera = Camera(batch.focal_px, batch.principal_point_px, batch.size_px, batch.size_px)
    return camera.project(points_mm @ batch.rotation.mT + batch.translation_mm[:, None])


def test_a_pose_comes_back_from_what_the_crop_shows_of_it():
    rotation, translation, focal, principal = _scene()
    camera = Camera(focal, principal, SIZE, SIZE)
    pose = crop_pose(rotation, translation, camera)
    again, back_mm = pose_in_camera(pose, camera)
    torch.testing.assert_close(again, rotation)
    torch.testing.assert_close(back_mm, translation)
    torch.testing.assert_close(focal_px_of(pose, SIZE), focal)


def test_what_a_crop_shows_does_not_depend_on_where_it_was_in_the_photo():
    """A head before the camera, and the same head seen the same way but off the axis."""
    camera = Camera(torch.tensor(300.0), torch.tensor([32.0, 32.0]), SIZE, SIZE)
    ahead = torch.tensor([0.0, 0.0, -800.0])
    pose = crop_pose(torch.eye(3), ahead, camera)
    turn = rotation_matrix(torch.tensor([0.0, -0.3, 0.0]))
    aside = crop_pose(turn, turn @ ahead, camera)
    torch.testing.assert_close(aside.turned, pose.turned, atol=1e-5, rtol=0)


def test_changed_crops_keep_their_labels_exact():
    points_mm = torch.randn(5, 20, 3, dtype=torch.float64) * 60
    batch = _batch(points_mm)
    angle, zoom = torch.linspace(-3, 3, 5).double(), torch.linspace(0.7, 1.4, 5).double()
    changed = rolled(batch, angle, zoom, 0.2 * torch.randn(5, 2).double())
    torch.testing.assert_close(changed.points_px, _projected(changed, points_mm))
    smaller = resized(changed, 48)
    torch.testing.assert_close(smaller.points_px, _projected(smaller, points_mm))


def test_the_picture_moves_with_its_labels():
    """A bright spot is found where the label of its point went."""
    batch = _batch(torch.zeros(1, 1, 3, dtype=torch.float64))
    image = torch.zeros(1, 3, SIZE, SIZE, dtype=torch.float64)
    image[..., 20:22, 40:42] = 1
    spot = torch.tensor([[[41.0, 21.0]]]).double()
    batch = batch.replace(image_srgb=image, points_px=spot)
    changed = rolled(
        batch, torch.tensor([0.5]).double(), torch.tensor([1.2]).double(),
        torch.tensor([[0.1, -0.05]]).double(),
    )  # fmt: skip
    weight = changed.image_srgb[0, 0]
    centres = torch.arange(SIZE).double() + 0.5
    x, y = (weight.sum(0) @ centres) / weight.sum(), (weight.sum(1) @ centres) / weight.sum()
    # Bilinear interpolation keeps the centre of gravity to a small fraction of a pixel.
    torch.testing.assert_close(torch.stack([x, y]), changed.points_px[0, 0], atol=0.1, rtol=0)


@pytest.mark.parametrize("angle", [0.4, -2.0])
def test_light_turns_with_the_picture(angle):
    sh = torch.randn(1, 9, 3).double()
    normals = torch.nn.functional.normalize(torch.randn(30, 3).double(), dim=1)
    turn = rotation_matrix(torch.tensor([0.0, 0.0, angle]).double())
    before = sh_basis(normals) @ sh[0]
    after = sh_basis(normals @ turn.T) @ light_rolled(sh, torch.tensor([angle]).double())[0]
    torch.testing.assert_close(after, before)


def test_two_columns_say_a_rotation():
    rotation = rotation_matrix(torch.randn(4, 3).double())
    columns = torch.cat([rotation[:, :, 0] * 2, rotation[:, :, 1] + 0.3 * rotation[:, :, 0]], -1)
    torch.testing.assert_close(rotation_from_columns(columns), rotation)
