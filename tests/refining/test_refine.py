"""Refining: where a start is put, what decides, and that a worse result replaces nothing."""

from dataclasses import replace

import pytest
import torch

from fit3dmm._errors import InputError
from fit3dmm.export.record import load_result, save_result
from fit3dmm.fitting import FitConfig, Iris, Photometric, fit_observation, prepare, preset
from fit3dmm.fitting.config import LANDMARK_STAGES, PHOTO_STAGES
from fit3dmm.fitting.context import context_at
from fit3dmm.fitting.initialise import values_at
from fit3dmm.fitting.result import FitResult, Refinement
from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.transform import Similarity
from fit3dmm.observe.detection import MEDIAPIPE
from fit3dmm.observe.detector_errors import exact_detector
from fit3dmm.refining import refine_observation
from fit3dmm.refining.given import told
from fit3dmm.refining.held_out import HeldOut, gain, is_kept_back, partial_config
from fit3dmm.refining.place import placed
from fit3dmm.refining.read import own_start, read_start
from fit3dmm.refining.start import Start
from fit3dmm.scene import Pose
from fit3dmm.solve import LevenbergMarquardt
from tests.fitting.synthetic import observe_scene
from tests.fitting.test_fit import NO_IRIS, random_scene
from tests.refining.flame_toy import flame_toy
from tests.toy import toy_model

# As the default ones, with few steps on a small picture.
FEW = LevenbergMarquardt(max_steps=4, relative_decrease=1e-3)
CONFIG = FitConfig(
    size_px=96,
    stages=(LANDMARK_STAGES[1], replace(PHOTO_STAGES[0], hairless_only=False), PHOTO_STAGES[1]),
    photometric=Photometric(n_samples=200),
    iris=Iris(noise_mm=NO_IRIS),
).solved_by(FEW)


POINTS_ALONE = replace(CONFIG, stages=CONFIG.stages[:1])


@pytest.fixture(scope="module")
def prepared():
    return prepare(toy_model(level=0), 200, {MEDIAPIPE: exact_detector(468, 0.5)})


@pytest.fixture(scope="module")
def photographed(prepared):
    truth = random_scene(prepared.model, 3)
    return truth, observe_scene(prepared.model, truth, size_px=96)


def off_mm(model, a, b) -> float:
    front = model.regions["face"] > 0.5
    apart = (model.shape_mm(a) - model.shape_mm(b))[front]
    return float((apart - apart.mean(0)).norm(dim=1).mean())


def became(result: FitResult) -> Refinement:
    assert result.refinement is not None
    return result.refinement


def noisy(truth, seed: int, sigma: float = 0.7):
    """A regressor's output: a face, a turn and a place that are a little wrong."""
    generator = torch.Generator().manual_seed(seed)

    def noise(values: torch.Tensor, size: float) -> torch.Tensor:
        return size * torch.randn(values.shape, generator=generator)

    face = truth.coefficients
    told = face.replace(
        identity=face.identity + noise(face.identity, sigma),
        detail=torch.zeros_like(face.detail),
        expression=(face.expression + noise(face.expression, 0.2)).clamp(0, 1),
        albedo=face.albedo + noise(face.albedo, sigma),
    )
    turned = truth.pose.rotation_rad + noise(truth.pose.rotation_rad, 0.05)
    place = truth.pose.translation_mm + noise(truth.pose.translation_mm, 4.0)
    return truth.replace(coefficients=told, pose=Pose(turned, place))


def test_noisy_outputs_come_nearer_or_are_kept(prepared, photographed):
    truth, seen = photographed
    given = noisy(truth, 0)
    result = refine_observation(seen, prepared, own_start(given), CONFIG)
    before, after = (
        off_mm(prepared.model, one.coefficients, truth.coefficients)
        for one in (given, result.scene)
    )
    assert became(result).kept or after < before
    assert not became(result).kept  # noise of that size shows
    assert became(result).gain > 0
    assert became(result).points_after < became(result).points_before
    assert result.start == "given"


def test_what_is_right_is_kept(prepared, photographed):
    """Nothing explains the photo better than the truth: the face stays as it was given."""
    truth, seen = photographed
    result = refine_observation(seen, prepared, own_start(truth), POINTS_ALONE)
    kept = off_mm(prepared.model, result.scene.coefficients, truth.coefficients)
    assert became(result).kept or became(result).trust == 0
    if became(result).kept:
        assert torch.equal(result.scene.pose.rotation_rad, truth.pose.rotation_rad)
        assert "was kept" in became(result).sentence()
    assert torch.equal(result.scene.coefficients.identity, truth.coefficients.identity)
    assert kept < 0.3


def test_a_wrong_face_is_left(prepared, photographed):
    truth, seen = photographed
    other = random_scene(prepared.model, 9).coefficients
    wrong = other.replace(identity=-2.5 * torch.sign(truth.coefficients.identity))
    result = refine_observation(seen, prepared, Start("somebody", wrong), POINTS_ALONE)
    assert became(result).trust != 0
    face = truth.coefficients
    assert off_mm(prepared.model, result.scene.coefficients, face) < 0.5 * off_mm(
        prepared.model, wrong, face
    )


def test_without_colours_points_alone_decide(prepared, photographed, tmp_path):
    truth, seen = photographed
    result = refine_observation(seen, prepared, own_start(noisy(truth, 1)), POINTS_ALONE)
    assert became(result).pixels_before is None
    save_result(tmp_path / "fit.h5", result)
    back = load_result(tmp_path / "fit.h5")
    assert back.refinement == result.refinement
    again = read_start(tmp_path / "fit.h5", prepared.model)
    assert torch.equal(again.coefficients.identity, result.scene.coefficients.identity)


def test_patches_that_are_kept_back_are_a_fifth_and_take_no_part(prepared, photographed):
    truth, seen = photographed
    places = prepared.samples.points.mean[:, :3]
    assert 0.1 < float(is_kept_back(places).mean()) < 0.3
    # Whatever the photo shows there, the fit of the rest is the same.
    back = is_kept_back(prepared.detectors[MEDIAPIPE].points.mean).bool()
    detection = seen.detection()
    moved_px = detection.points_px.clone()
    moved_px[: len(back)][back] += 30.0
    part = partial_config(replace(preset("landmarks"), stages=preset("landmarks").stages[:1]))
    scenes = [
        fit_observation(one, prepared, part, truth).scene
        for one in (seen, seen.seen_by(detection.replace(points_px=moved_px)))
    ]
    torch.testing.assert_close(scenes[0].pose.rotation_rad, scenes[1].pose.rotation_rad)


@pytest.mark.parametrize("known", [True, False])
def test_cameras_of_crops_become_the_photos_own(prepared, known):
    """Where the points are in the photo stays, though our camera looks through its middle."""
    model = prepared.model
    truth = random_scene(model, 5)
    seen = observe_scene(model, truth, size_px=96)
    # Deep3DFaceRecon's camera, before which the head is as they would see it.
    camera = Camera.centred(1015.0, 224, 224)
    pose = Pose(torch.tensor([0.05, 0.3, -0.02]), torch.tensor([10.0, -5.0, -1000.0]))
    points = model.landmarks_mm("mediapipe478", truth.coefficients)
    crop_px = camera.project(pose.T_cam_model @ points)
    scale, shift = 0.9, (-140.0, -60.0)
    T_crop_photo = Similarity.in_plane(scale, shift)
    photo_px = T_crop_photo.inverse() @ crop_px
    there = seen.seen_by(seen.detection().replace(points_px=photo_px))
    start = Start("deep", truth.coefficients, pose, camera, T_crop_photo if known else None)
    scene = placed(start, there, prepared, CONFIG)
    found_px = scene.camera.project(scene.pose.T_cam_model @ points)
    # A head that is turned is not seen quite alike.
    assert float((found_px - photo_px).norm(dim=1).max()) < 1.0
    assert torch.equal(
        scene.camera.principal_point_px,
        torch.tensor([seen.photo_width_px / 2, seen.photo_height_px / 2]),
    )
    wrong = replace(start, photo_size_px=(10, 10))
    with pytest.raises(InputError, match="of a photo of 10 x 10 px"):
        placed(wrong, there, prepared, CONFIG)


@pytest.mark.parametrize("turned", [True, False])
def test_orthographic_starts_are_put_where_the_landmarks_are(prepared, turned):
    model = prepared.model
    truth = random_scene(model, 6)
    seen = observe_scene(model, truth, size_px=96)
    pose = Pose(truth.pose.rotation_rad, torch.zeros(3)) if turned else None
    scene = placed(Start("far", truth.coefficients, pose), seen, prepared, CONFIG)
    points = model.landmarks_mm("mediapipe478", truth.coefficients)
    found_px = scene.camera.project(scene.pose.T_cam_model @ points)
    true_px = truth.camera.project(truth.pose.T_cam_model @ points)
    face_px = float((true_px.amax(0) - true_px.amin(0)).max())
    assert float((found_px - true_px).norm(dim=1).mean()) < 0.04 * face_px


def test_a_face_with_joints_is_fitted_from_its_photo():
    """Jaw and eyes are unknowns of the fit as any other."""
    model = flame_toy()
    prepared = prepare(model, 200, {MEDIAPIPE: exact_detector(468, 0.3)})
    turned = torch.zeros(12)
    turned[:3] = torch.tensor([0.3, 0.02, 0.0])
    truth = random_scene(model, 2)
    calm = truth.coefficients.replace(expression=torch.zeros(model.n_expression), joints_rad=turned)
    truth = truth.replace(coefficients=calm)
    seen = observe_scene(model, truth, size_px=96)
    seen = seen.replace(blendshapes=torch.zeros(0), blendshape_names=())
    config = replace(CONFIG, focal_px=float(truth.camera.focal_px))
    result = fit_observation(seen, prepared, config)
    found = result.scene.coefficients
    still = found.replace(joints_rad=torch.zeros(12))
    assert "joints" in result.energies
    assert float(found.joints_rad[0]) > 0.1
    assert off_mm(model, found, calm) < 0.6 * off_mm(model, still, calm)
    assert result.quality.verdict == "good", result.quality
    assert bool((result.uncertainty.sigma("joints_rad") > 0).all())


def test_a_face_that_is_right_is_put_in_its_place(prepared, photographed):
    """Where identity and expression are right, nothing but the place is left."""
    truth, seen = photographed
    aside = truth.pose.translation_mm + torch.tensor([6.0, -5.0, 0.0])
    given = truth.replace(pose=truth.pose.replace(translation_mm=aside))
    result = refine_observation(seen, prepared, own_start(given), POINTS_ALONE)
    assert not became(result).kept
    assert became(result).gain > became(result).gain_noise > 0
    assert became(result).trust == became(result).moment_trust == 0
    assert "identity and expression as given" in became(result).sentence()
    for kind in ("identity", "detail", "expression"):
        same = getattr(result.scene.coefficients, kind), getattr(truth.coefficients, kind)
        torch.testing.assert_close(*same)
    off_mm = (result.scene.pose.translation_mm - truth.pose.translation_mm)[:2].norm()
    assert float(off_mm) < 1.5


def held(points, colours, seen, modes=0.0) -> HeldOut:
    return HeldOut(torch.tensor(points), modes, 12, torch.tensor(colours), torch.tensor(seen))


def test_gain_and_its_noise_by_hand():
    before = held([4.0, 2.0, 6.0, 0.0], [3.0, 0.0, 0.0, 0.0], [3.0, 0.0, 0.0, 2.0], modes=1.0)
    after = held([1.0, 2.5, 5.0, 0.0], [1.0, 0.0, 0.0, 0.0], [2.0, 9.0, 0.0, 0.0], modes=0.5)
    # Of colours where both see the face: 2 observations with 1 before and 0.5 after. The last patch
    # is seen by the first alone, and says nothing.
    found = gain(before, after)
    of_patch = torch.tensor([3.0 + 1.0, -0.5, 1.0])
    assert found.value == pytest.approx(float(of_patch.sum()) + 0.5)
    assert found.noise == pytest.approx(float(of_patch.std()) * 3**0.5)
    assert gain(after, before).value == pytest.approx(-found.value)
    nothing = held([0.0], [0.0], [0.0])
    assert gain(nothing, nothing).noise == float("inf")


def test_what_was_given_takes_the_place_of_what_is_known_of_people(prepared, photographed):
    truth, seen = photographed
    face = truth.coefficients.replace(detail=torch.zeros_like(truth.coefficients.detail))
    settings = told(CONFIG, face, 0.2, 0.8)
    (stage,) = settings.stages[:1]
    assert {"given", "detail"} <= set(stage.terms)  # nothing was said of the detail
    assert not {"identity", "expression"} & set(stage.terms)
    still = told(CONFIG, face, 0.0, 0.0).stages[0]
    assert not {"identity", "detail", "expression"} & set(still.free)
    assert still.terms == CONFIG.stages[0].terms
    assert told(CONFIG, face, None, None) == CONFIG
    # Its derivatives, against differences in float64.
    model = prepared.model.to(dtype=torch.float64)
    values = {name: one.double() for name, one in values_at(truth, prepared).items()}
    context = context_at(prepared.replace(model=model), seen, stage, values)
    term = settings.evidence()["given"].term(context)
    assert term is not None
    at = term(values)
    assert float(at.energy) == pytest.approx(0.0, abs=1e-9)
    assert at.jacobian is not None
    rows = at.jacobian(("expression",))
    assert rows.keys() == {"expression"}
    step = torch.linspace(0.01, 0.02, model.n_expression, dtype=torch.float64)
    moved = term({**values, "expression": values["expression"] + step})
    torch.testing.assert_close(moved.residual - at.residual, rows["expression"] @ step)
    assert float(moved.energy) == pytest.approx(
        0.5 * float((step / (0.8 * model.expression_sigma.clamp_min(0.05))).square().sum())
    )
