"""Who is in several photos, by the recognition network: two people are told apart."""

from dataclasses import replace

import pytest
import torch

from fit3dmm.fitting.recognition import Recognition, pair_log_odds
from fit3dmm.observe.detect import detect_faces
from fit3dmm.observe.detection import MEDIAPIPE
from fit3dmm.observe.observation import observe_face
from fit3dmm.observe.photo import read_photo
from tests.shared_data import shared

PHOTOS = ("obama", "obama2", "biden", "biden2")


@pytest.fixture(scope="module")
def seen():
    photos = [read_photo(shared("photos") / f"{name}.jpg") for name in PHOTOS]
    return [observe_face(photo, detect_faces(photo)[0]) for photo in photos]


def test_two_people_are_told_apart(seen):
    said = pair_log_odds(seen, Recognition())
    assert torch.equal(said, said.T)
    own = torch.tensor([[0, 1], [2, 3]])
    assert all(said[i, j] > 3 for i, j in own)
    assert (said[:2, 2:] < -3).all()
    # A photo and itself are as alike as can be; what says nothing sways nobody.
    assert said[0, 0] == said.max()
    assert not pair_log_odds(seen, replace(Recognition(), log_odds_per_unit=0.0)).any()


def test_a_photo_without_points_tells_nothing(seen):
    others = {name: one for name, one in seen[0].detections.items() if name != MEDIAPIPE}
    blind = seen[0].replace(detections=others)
    said = pair_log_odds([blind, *seen[1:]], Recognition())
    assert not said[0].any()
    assert not said[:, 0].any()
    assert said[2, 3] > 0
