"""Points that err less than a detector's: what is taken out of them, and what stays."""

import numpy as np
import pytest
import torch

import known_points
from fit3dmm.fitting import FitConfig
from fit3dmm.fitting.prepared import prepare
from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.model.files import load_model
from fit3dmm.scene import Pose, Scene
from fit3dmm.synthetic.specification import specify
from fit3dmm.synthetic.truth import Truth
from known_points import COMMON, DIFFERING, TRUE, seen_as
from tests.fitting.synthetic import observe_scene

CONFIG = FitConfig()


@pytest.fixture(scope="module")
def prepared():
    return prepare(load_model("commons", level=1), 200)


@pytest.fixture(scope="module")
def scenes(prepared):
    person = prepared.model.sample(generator=torch.Generator().manual_seed(2))
    scene = Scene.portrait(person, 320, 320)
    distance_mm = scene.pose.translation_mm
    return [
        scene.replace(pose=Pose(torch.tensor([0.05, yaw, 0.0]), distance_mm))
        for yaw in (-0.3, 0.1, 0.4)
    ]


@pytest.fixture(scope="module")
def truths(prepared, scenes):
    return [_truth(prepared.model, scene) for scene in scenes]


@pytest.fixture(scope="module")
def seen(prepared, scenes):
    """By a detector that errs by a little of everything."""
    generator = torch.Generator().manual_seed(4)
    return [
        observe_scene(prepared.model, one, 64, landmark_noise_px=2.0, generator=generator)
        for one in scenes
    ]


def _truth(model, scene) -> Truth:
    coarse = load_model("commons", level=0)
    kept = coarse.n_vertices
    shape = model.shape_mm(scene.coefficients)
    points = model.landmarks_mm("mediapipe478", scene.coefficients)
    points68 = model.landmarks_mm("ibug68", scene.coefficients)
    to_camera = scene.pose.T_cam_model
    arrays = {
        "neutral_mm": shape[:kept],
        "expressive_mm": shape[:kept],
        "landmarks68_mm": points68,
        "landmarks68_cam_mm": to_camera @ points68,
        "landmarks68_px": scene.camera.project(to_camera @ points68),
        "points478_mm": points,
        "points478_cam_mm": to_camera @ points,
        "rotation": rotation_matrix(scene.pose.rotation_rad),
        "translation_mm": scene.pose.translation_mm,
    }
    return Truth(
        case=specify(0, 1),
        topology="commons",
        triangles=coarse.surface.triangles.numpy(),
        face=np.ones(kept),
        visible=np.ones(kept, bool),
        albedo_linear=np.ones((kept, 3)),
        focal_px=float(scene.camera.focal_px),
        radiance=np.ones((2, 4, 3)),
        hidden=np.zeros((2, 2), bool),
        face_pixels=np.zeros((2, 2), bool),
        deformation_mm=0.0,
        **{name: one.double().numpy() for name, one in arrays.items()},
    )


def _modes(prepared, observations, truths) -> torch.Tensor:
    found = []
    for one, truth in zip(observations, truths, strict=True):
        errors = known_points._errors(CONFIG.landmarks, one, truth, prepared)
        found.append(known_points._modes("mediapipe", one, truth, prepared, errors))
    return torch.stack(found)


def test_true_points_are_where_the_truth_has_them(prepared, scenes, seen, truths):
    for scene, one in zip(scenes, seen_as(TRUE, seen, truths, prepared, CONFIG), strict=True):
        points = prepared.model.landmarks_mm("mediapipe478", scene.coefficients)
        wanted = scene.camera.project(scene.pose.T_cam_model @ points)
        assert torch.allclose(one.detection().points_px, wanted, atol=0.01)


def test_what_is_common_and_what_differs_are_taken_apart(prepared, seen, truths):
    before = _modes(prepared, seen, truths)
    differing, common = (
        _modes(prepared, seen_as(points, seen, truths, prepared, CONFIG), truths)
        for points in (DIFFERING, COMMON)
    )
    # Modes are found with a prior: of those that points hardly tell, a part is not taken out.
    size = before.norm(dim=1).mean()
    assert differing.mean(0).norm() < 0.4 * before.mean(0).norm()
    assert (common - common.mean(0)).norm(dim=1).max() < 0.4 * size
    assert (common.mean(0) - before.mean(0)).norm() < 0.4 * before.mean(0).norm()
