"""The camera by hand, its inverses, its clip space and what it refuses."""

import math

import pytest
import torch

from fit3dmm._errors import InputError
from fit3dmm.geometry.camera import Camera, depth_mm
from fit3dmm.geometry.transform import Similarity

CAMERA = Camera(torch.tensor(500.0), torch.tensor([320.0, 250.0]), 640, 480)


def points(dtype: torch.dtype = torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return 80 * torch.randn(2, 20, 3, generator=generator, dtype=dtype) - torch.tensor(
        [0.0, 0.0, 600.0], dtype=dtype
    )


@pytest.mark.parametrize(
    ("point_cam_mm", "point_px"),
    [
        ([0.0, 0.0, -1000.0], [320.0, 250.0]),  # the axis meets the principal point
        ([100.0, 0.0, -1000.0], [370.0, 250.0]),  # x is to the right
        ([0.0, 100.0, -500.0], [320.0, 150.0]),  # up in the world is up in the picture: less y
    ],
)
def test_projection_by_hand(point_cam_mm: list[float], point_px: list[float]) -> None:
    projected = CAMERA.project(torch.tensor([point_cam_mm]))
    torch.testing.assert_close(projected, torch.tensor([point_px]))


def test_unproject_inverts_project() -> None:
    camera = CAMERA.to(dtype=torch.float64)
    again = camera.unproject(camera.project(points()), depth_mm(points()))
    # Rounding in float64 at hundreds of millimetres.
    torch.testing.assert_close(again, points(), atol=1e-10, rtol=0)


def test_clip_space_is_the_picture_scaled_to_one() -> None:
    camera = CAMERA.to(dtype=torch.float64)
    clip = camera.to_clip(points())
    size = torch.tensor([640.0, 480.0], dtype=torch.float64)
    px = (clip[..., :2] / clip[..., 3:] + 1) * size / 2
    torch.testing.assert_close(px, camera.project(points()), atol=1e-9, rtol=0)
    torch.testing.assert_close(clip[..., 3], depth_mm(points()))


def test_clip_depth_runs_from_minus_one_at_near_to_one_at_far() -> None:
    camera = CAMERA.to(dtype=torch.float64)
    depths = torch.tensor([[0.0, 0.0, -50.0, 1.0], [0.0, 0.0, -1e5, 1.0]], dtype=torch.float64)
    clip = depths @ camera.clip_from_cam().mT
    torch.testing.assert_close(clip[:, 2] / clip[:, 3], torch.tensor([-1.0, 1.0]).double())


def test_opencv_matrix_projects_in_opencv_axes() -> None:
    camera = CAMERA.to(dtype=torch.float64)
    points_opencv = points() * torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64)
    homogeneous = points_opencv @ camera.opencv_matrix().mT
    px = homogeneous[..., :2] / homogeneous[..., 2:]
    torch.testing.assert_close(px, camera.project(points()), atol=1e-9, rtol=0)


def test_the_jacobian_is_the_derivative() -> None:
    camera = CAMERA.to(dtype=torch.float64)
    one = points()[:, :1]
    expected = torch.autograd.functional.jacobian(camera.project, one)[0, 0, :, 0, 0]
    torch.testing.assert_close(camera.project_jacobian(one)[0, 0], expected)


def test_a_crop_sees_the_same_points() -> None:
    T_crop_photo = Similarity.in_plane(scale=0.7, shift=(-30.0, 12.0))
    crop = CAMERA.cropped(T_crop_photo, 224, 224)
    seen = points(torch.float32)
    # float32 at hundreds of pixels.
    torch.testing.assert_close(
        crop.project(seen), T_crop_photo @ CAMERA.project(seen), atol=1e-3, rtol=0
    )


def test_a_turned_crop_is_refused() -> None:
    with pytest.raises(InputError, match="upright crop"):
        CAMERA.cropped(Similarity.in_plane(1.0, (0.0, 0.0), rotation_rad=0.1), 224, 224)


def test_a_batch_of_cameras_is_as_many_cameras() -> None:
    focal = torch.tensor([400.0, 900.0])
    centre = torch.tensor([[320.0, 240.0], [100.0, 50.0]])
    both = Camera(focal, centre, 640, 480)
    seen = points(torch.float32)
    for i in range(2):
        one = Camera(focal[i], centre[i], 640, 480)
        torch.testing.assert_close(both.project(seen)[i], one.project(seen[i]))
        torch.testing.assert_close(both.to_clip(seen)[i], one.to_clip(seen[i]))


def test_35_mm_equivalent_keeps_the_diagonal_angle() -> None:
    camera = Camera.of_35mm_equivalent(50.0, 3000, 4000)
    angle = math.atan(2500 / float(camera.focal_px))
    assert math.isclose(angle, math.atan(math.hypot(24, 36) / 2 / 50), rel_tol=1e-6)


@pytest.mark.parametrize("focal", [0.0, -10.0, math.nan])
def test_a_focal_length_that_is_not_positive_is_refused(focal: float) -> None:
    with pytest.raises(InputError, match="focal length must be a positive number"):
        Camera.centred(focal, 640, 480)


def test_an_empty_picture_is_refused() -> None:
    with pytest.raises(InputError, match="at least one pixel"):
        Camera.centred(500.0, 0, 480)
