import numpy as np
import pytest
import torch

from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.observe.photo import photo_from_array
from fit3dmm.regress.network import FaceNetwork, NetworkSettings
from fit3dmm.regress.outputs import SIGMAS, Outputs
from fit3dmm.regress.prediction import FACE_POINTS, predict, predict_batch
from fit3dmm.regress.targets import crop_pose
from tests.regress.examples import SIZES

SIZE = 96
ROTATION_RAD = torch.tensor([0.1, -0.4, 0.2])
TRANSLATION_MM = torch.tensor([80.0, 40.0, -700.0])
FOCAL_PX = 900.0


class PerfectNetwork:
    """Says what is true of one head, whatever crop it is shown: it is told which one that is."""

    def __init__(self, photo, points_mm):
        self.camera = Camera.centred(FOCAL_PX, photo.width_px, photo.height_px)
        self.rotation = rotation_matrix(ROTATION_RAD)
        cam = points_mm @ self.rotation.T + TRANSLATION_MM
        self.points_px = self.camera.project(cam)
        self.looked = []

    def __call__(self, image):
        # The crop is found as the function under test takes it: around the points it was given.
        from fit3dmm.observe.crop import crop_around

        around = self.around_px if not self.looked else self.points_px[:FACE_POINTS]
        T_crop_photo = crop_around(around, SIZE, 1.6)
        self.looked.append(image)
        n = len(self.points_px)
        camera = self.camera.cropped(T_crop_photo, SIZE, SIZE)
        pose = crop_pose(self.rotation, TRANSLATION_MM, camera)
        return Outputs(
            points=(T_crop_photo @ self.points_px)[None] / SIZE,
            log_sigma=torch.full((1, n, 2), 0.01).log(),
            correlation=torch.full((1, n), 0.5),
            coefficients={name: torch.ones(1, size) for name, size in SIZES.items()},
            log_sigmas={name: torch.zeros(1) for name in SIGMAS},
            pose=pose.map(lambda t: t[None]),
            light_asinh=torch.ones(1, 9, 3),
            log_tone=torch.tensor([0.3]).log(),
            cover=torch.zeros(1, 6, 8, 8),
        )


@pytest.fixture(scope="module")
def seen():
    photo = photo_from_array(np.full((480, 640, 3), 0.5))
    points = torch.randn(478, 3, generator=torch.Generator().manual_seed(0)) * 50
    network = PerfectNetwork(photo, points)
    # The first look is at a box that is somewhat off.
    network.around_px = network.points_px[:FACE_POINTS] * 1.05 - 10
    return photo, network


@pytest.mark.parametrize("focal_px", [None, FOCAL_PX])
def test_what_is_seen_in_the_crop_is_told_in_the_photo(seen, focal_px):
    photo, network = seen
    network.looked.clear()
    said = predict(network, photo, network.around_px, SIZE, focal_px)
    assert len(network.looked) == 2
    torch.testing.assert_close(said.points_px, network.points_px, atol=0.01, rtol=0)
    torch.testing.assert_close(said.scene.pose.rotation_rad, ROTATION_RAD, atol=1e-4, rtol=0)
    torch.testing.assert_close(said.scene.pose.translation_mm, TRANSLATION_MM, atol=0.05, rtol=0)
    assert float(said.scene.camera.focal_px) == pytest.approx(FOCAL_PX, rel=1e-4)
    assert float(said.tone) == pytest.approx(0.3)


def test_covariances_are_in_pixels_of_the_photo(seen):
    photo, network = seen
    network.looked.clear()
    said = predict(network, photo, network.around_px, SIZE, FOCAL_PX)
    side_px = SIZE / float(said.T_crop_photo.scale)
    expected = (0.01 * side_px) ** 2 * torch.tensor([[1.0, 0.5], [0.5, 1.0]])
    torch.testing.assert_close(said.covariance_px2[7], expected)
    assert bool((torch.linalg.eigvalsh(said.covariance_px2) > 0).all())


def test_a_batch_is_seen_as_each_face_alone():
    rng = torch.Generator().manual_seed(0)
    network = FaceNetwork(NetworkSettings("lite0", 478, 4, 2, 3, 2), torch.rand(478, 2)).eval()
    for layer in (network.say_points, network.say_rest):
        torch.nn.init.normal_(layer.weight, std=0.02, generator=rng)
    sizes = ((90, 120), (150, 100), (90, 120))
    photos = [photo_from_array(torch.rand(*size, 3, generator=rng).numpy()) for size in sizes]
    places = [torch.tensor([[x, 20.0], [x + 50, 80.0]]) for x in (10.0, 30.0, 40.0)]
    focals = [None, 300.0, None]
    together = predict_batch(network, photos, places, 64, focals)
    assert len(together) == 3
    for said, photo, place, focal in zip(together, photos, places, focals, strict=True):
        alone = predict(network, photo, place, 64, focal)
        # Sums of a batch are taken in another order.
        torch.testing.assert_close(said.points_px, alone.points_px, atol=1e-2, rtol=1e-4)
        torch.testing.assert_close(said.covariance_px2, alone.covariance_px2, atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(said.cover, alone.cover, atol=1e-4, rtol=0)
        pose, focal_px = said.scene.pose, said.scene.camera.focal_px
        torch.testing.assert_close(
            pose.rotation_rad, alone.scene.pose.rotation_rad, atol=1e-4, rtol=0
        )
        torch.testing.assert_close(focal_px, alone.scene.camera.focal_px, rtol=1e-4, atol=0)
    assert not torch.allclose(together[0].points_px, together[2].points_px, atol=1)
    assert predict_batch(network, [], [], 64) == ()
