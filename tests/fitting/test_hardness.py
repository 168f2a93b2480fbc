"""Photos in which the network doubts its points are harder for all that sees."""

from dataclasses import replace

import pytest
import torch

from fit3dmm.fitting import FitConfig
from fit3dmm.fitting.hardness import ORDINARY_DOUBT, point_doubt, with_hardness
from fit3dmm.observe.detection import NETWORK, Detection
from fit3dmm.regress.prediction import FACE_POINTS
from fit3dmm.solve.noise import TermProduct
from tests.export.faces import known_face
from tests.fitting.synthetic import observe_scene

SEEN = ("landmarks", "network", "detector_modes", "openings", "contour", "photometric", "iris")
KNOWN = ("identity", "detail", "albedo", "expression", "distance", "focal", "light", "exposure")


@pytest.fixture(scope="module")
def observation():
    known = known_face(side_px=100)
    return observe_scene(known.model, known.scene, 64)


def _doubting(observation, share: float):
    """The network sees the box of a face with such a doubt."""
    corners = torch.tensor([[0.0, 0.0], [100.0, 80.0]])
    points = corners.repeat(FACE_POINTS // 2, 1)
    covariance = (share * 100.0) ** 2 * torch.eye(2).expand(FACE_POINTS, 2, 2)
    seen = Detection(NETWORK, "mediapipe478", points, covariance_px2=covariance)
    return observation.replace(detections={**observation.detections, NETWORK: seen})


def _products() -> dict[str, TermProduct]:
    one = TermProduct(torch.arange(2), torch.ones(2), torch.eye(2), 3 * torch.eye(2))
    return dict.fromkeys((*SEEN, *KNOWN, "no term"), one)


def test_what_is_seen_errs_in_proportion_to_the_doubt_and_what_is_known_as_ever(observation):
    doubting = _doubting(observation, 2 * ORDINARY_DOUBT)
    assert point_doubt(doubting) == pytest.approx(2 * ORDINARY_DOUBT, rel=1e-4)
    before = _products()
    found = with_hardness(before, FitConfig(), doubting)
    for name in SEEN:
        assert torch.allclose(found[name].noise, 4 * before[name].noise, rtol=1e-3), name
        assert torch.equal(found[name].curvature, before[name].curvature)
    for name in (*KNOWN, "no term"):
        assert found[name] is before[name], name


def test_ordinary_photos_and_those_that_no_network_saw_are_as_they_were(observation):
    for one in (_doubting(observation, 0.5 * ORDINARY_DOUBT), observation):
        found = with_hardness(_products(), FitConfig(), one)
        assert all(torch.equal(found[name].noise, 3 * torch.eye(2)) for name in found)
    assert point_doubt(observation) is None
    told = _doubting(observation, 0.01)
    unsaid = replace(told.detections[NETWORK], covariance_px2=None)
    assert point_doubt(told.replace(detections={NETWORK: unsaid})) is None
