"""What perspective tells of a distance: against cameras, and its laws."""

import numpy as np
import pytest
import torch

from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.rotation import rotation_from_angles
from fit3dmm.model.files import load_model
from fit3dmm.scene import Pose
from perspective import perspective

DISTANCE_MM, YAW_DEG, FOCAL_PX = 700.0, 20.0, 3000.0


@pytest.fixture(scope="module")
def model():
    return load_model(level=0)


def test_points_move_as_before_a_camera_that_goes_away(model):
    """By small changes of a camera and a pose, in place of closed derivatives."""
    rest = model.landmarks_mm("mediapipe478", model.zeros())[:468].double()
    turned = torch.from_numpy(rotation_from_angles(0.0, YAW_DEG, 0.0))
    step = 1e-4

    def seen(change: np.ndarray) -> np.ndarray:
        """Turn, shift in mm, and logarithms of distance and focal length."""
        turn, shift = torch.from_numpy(change[:3]), torch.from_numpy(change[3:5])
        distance, focal = DISTANCE_MM * np.exp(change[5]), FOCAL_PX * np.exp(change[6])
        place = torch.cat([shift, torch.tensor([-distance], dtype=torch.float64)])
        rotation = Pose(turn, place).T_cam_model.rotation @ turned
        cam = rest @ rotation.mT + place
        camera = Camera.centred(focal, 640, 640).to(dtype=torch.float64)
        return (camera.project(cam) * DISTANCE_MM / FOCAL_PX).numpy().ravel()

    def moved(*along: float) -> np.ndarray:
        change = step * np.array(along)
        return (seen(change) - seen(-change)) / (2 * step)

    free = np.stack([moved(*row) for row in np.eye(7)[:5]] + [moved(0, 0, 0, 0, 0, 0, 1)]).T
    both = moved(0, 0, 0, 0, 0, 1, 1)
    left = both - free @ np.linalg.lstsq(free, both, rcond=None)[0]
    found = perspective(model, DISTANCE_MM, YAW_DEG, 0.6, 1.5)
    assert found.moved_mm == pytest.approx(np.sqrt(np.square(left).sum() / 468), rel=1e-3)


def test_less_is_told_from_afar_by_worse_points_and_of_stranger_people(model):
    usual = perspective(model, 1000.0, 0.0, 0.6, 1.5)
    far = perspective(model, 4000.0, 0.0, 0.6, 1.5)
    # Effects of perspective are inverse to the distance where it is large.
    assert usual.moved_mm / far.moved_mm == pytest.approx(4.0, rel=0.3)
    assert far.log_sigma > 3 * usual.log_sigma
    assert perspective(model, 1000.0, 0.0, 1.2, 1.5).log_sigma > 1.05 * usual.log_sigma
    assert perspective(model, 1000.0, 0.0, 0.6, 3.0).log_sigma > usual.log_sigma
    # A head that is turned shows its depth.
    assert perspective(model, 1000.0, 30.0, 0.6, 1.5).log_sigma < usual.log_sigma
