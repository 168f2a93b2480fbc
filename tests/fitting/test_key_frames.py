"""Key frames are sharp and differ."""

import math

import pytest
import torch

from fit3dmm.fitting.tracking import KeyFrames
from fit3dmm.fitting.tracking.key_frames import Candidate, choose_key_frames
from fit3dmm.geometry.rotation import rotation_from_angles
from fit3dmm.observe.face import DetectedFace


def candidate(index: int, yaw_deg: float, smile: float = 0.0, sharpness: float = 1.0) -> Candidate:
    pose = torch.eye(4)
    pose[:3, :3] = torch.from_numpy(rotation_from_angles(0.0, yaw_deg, 0.0))
    face = DetectedFace(
        points_px=torch.zeros(478, 2),
        depth_px=torch.zeros(478),
        blendshapes=torch.tensor([smile, smile]),
        blendshape_names=("mouthSmileLeft", "mouthSmileRight"),
        T_cam_canonical=pose,
    )
    return Candidate(index, index / 10, face, sharpness)


def chosen(candidates: list[Candidate], n: int = 3, **settings: float) -> list[int]:
    found = choose_key_frames(candidates, KeyFrames(n=n, **settings))
    return [one.index for one in found]


def test_turns_are_spread():
    candidates = [candidate(k, 5.0 * (k - 6)) for k in range(13)]
    assert chosen(candidates) == [0, 6, 12]
    assert chosen(candidates, n=1) == [6]
    assert chosen(candidates[:2], n=5) == [0, 1]


def test_expressions_are_spread():
    candidates = [candidate(k, 0.1 * k, smile=float(k == 2)) for k in range(5)]
    assert chosen(candidates, n=2) == [0, 2]


def test_blurred_and_far_turned_frames_are_left_out():
    candidates = [candidate(k, 10.0 * k) for k in range(4)]
    candidates += [candidate(4, -30.0, sharpness=0.2), candidate(5, 80.0)]
    assert chosen(candidates, n=6) == [0, 1, 2, 3]
    # Where no other is there, such a frame is better than none.
    assert chosen([candidate(0, 80.0)]) == [0]


def test_yaw_is_read_as_it_is_written():
    near, far = candidate(0, 0.0), candidate(1, -20.0)
    settings = KeyFrames(n=2, largest_yaw_deg=19.0)
    assert choose_key_frames([near, far], settings) == (near,)
    assert math.isclose(settings.yaw_deg, 15.0)
    with pytest.raises(ValueError, match="n must be above 0"):
        KeyFrames(n=0)
