"""A face that moves as is known is followed as it moves, with gaps, cuts and interruptions."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from fit3dmm.export.track_file import load_part, save_part
from fit3dmm.fitting import Iris, prepare
from fit3dmm.fitting.tracking import Motion, TrackConfig, frame_config, without_network
from fit3dmm.fitting.tracking import segments as segments_module
from fit3dmm.fitting.tracking.follow import Follower
from fit3dmm.fitting.tracking.looking import Gaze, Seen
from fit3dmm.fitting.tracking.motion import Belief, belief_term
from fit3dmm.fitting.tracking.person import person_model, prepare_person
from fit3dmm.fitting.tracking.segments import Resumption, Segment, segments
from fit3dmm.fitting.tracking.smooth import smoothed
from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.harmonics import sh_basis
from fit3dmm.observe.detection import MEDIAPIPE
from fit3dmm.observe.detector_errors import exact_detector
from fit3dmm.scene import Lighting, Pose, Scene
from fit3dmm.unknowns import EXPRESSION, ROTATION
from tests.fitting.synthetic import observe_scene
from tests.toy import toy_model

SIZE_PX, N = 96, 8
FRAME = replace(frame_config(n_samples=300), iris=Iris(noise_mm=1e3), size_px=SIZE_PX)
CONFIG = without_network(TrackConfig(frame=FRAME, look_ahead_s=0.05))


@pytest.fixture(scope="module")
def prepared():
    return prepare(toy_model(), 300, {MEDIAPIPE: exact_detector(468, 0.5)})


@pytest.fixture(scope="module")
def person(prepared):
    return prepared.model.sample(generator=torch.Generator().manual_seed(2))


def scenes(model, person, moving: bool = True) -> list[Scene]:
    """A turn, a step aside and a smile, at 30 frames a second; or one of them again and again."""
    camera = Camera.centred(900.0, 400, 420)
    light = Lighting.ambient_white(0.6) + 0.4 * Lighting.directional((0.3, 0.4, 1.0))
    found = []
    for k in range(N):
        t = k / N if moving else 0.3
        expression = torch.tensor([0.5 * t, 0.0, 0.0, 0.3 + 0.4 * t, 0.3 + 0.4 * t])
        pose = Pose(torch.tensor([0.1, 0.4 * t, 0.05]), torch.tensor([20 * t, -5.0, -700 - 30 * t]))
        found.append(Scene(person.replace(expression=expression), pose, camera, light))
    return found


def seen(model, truths: list[Scene], noise_px: float = 0.0) -> list[Seen]:
    generator = torch.Generator().manual_seed(0)
    return [
        Seen(k, k / 30, observe_scene(model, one, SIZE_PX, noise_px, generator), k == 0)
        for k, one in enumerate(truths)
    ]


def follower(prepared, person, truth: Scene, config: TrackConfig = CONFIG) -> Follower:
    own = prepare_person(prepared, toy_model(0), person, 300)
    return Follower(own, config, truth.camera.focal_px.log()[None], truth.lighting.irradiance_sh)


def track(
    looks: list[Seen], following: Follower, begin: Resumption
) -> list[tuple[Segment, Resumption]]:
    return list(segments(((look, Gaze()) for look in looks), following, begin))


def joined(parts: list[tuple[Segment, Resumption]], name: str) -> torch.Tensor:
    return torch.cat([getattr(segment, name) for segment, _ in parts])


def test_a_person_s_model_is_the_person(prepared, person):
    own = person_model(prepared.model, person)
    expression = torch.tensor([0.5, 0.1, 0.0, 0.4, 0.2])
    shown = own.zeros().replace(expression=expression)
    expected = prepared.model.shape_mm(person.replace(expression=expression))
    torch.testing.assert_close(own.shape_mm(shown), expected)
    torch.testing.assert_close(own.albedo_linear(shown), prepared.model.albedo_linear(person))
    points = prepare_person(prepared, toy_model(0), person, 50).points["mediapipe478"]
    on_surface = prepared.model.landmarks_mm("mediapipe478", person.replace(expression=expression))
    torch.testing.assert_close(
        points.at({EXPRESSION: expression}).mm, on_surface, atol=1e-3, rtol=0
    )


def test_motion_is_followed(prepared, person):
    truths = scenes(prepared.model, person)
    following = follower(prepared, person, truths[0])
    parts = track(seen(prepared.model, truths), following, Resumption.start())
    assert [len(segment) for segment, _ in parts] == [N]
    turn = joined(parts, "rotation_rad") - torch.stack([t.pose.rotation_rad for t in truths])
    place = joined(parts, "translation_mm") - torch.stack([t.pose.translation_mm for t in truths])
    shown = joined(parts, "expression")
    off = shown - torch.stack([t.coefficients.expression for t in truths])
    # A level from all sides and one from the front are much the same for what is seen.
    towards = torch.nn.functional.normalize(torch.tensor([[0.0, 0, 1], [0.5, 0, 1], [0, 0.5, 1]]))
    light = sh_basis(towards) @ (joined(parts, "irradiance_sh") - truths[0].lighting.irradiance_sh)
    assert turn.abs().max() < 0.02
    assert place[:, :2].abs().max() < 1
    assert off.abs().max() < 0.12
    assert light.abs().max() < 0.08
    assert (joined(parts, "landmark_error_mm") < 0.5).all()


def test_the_walk_calms_what_noise_shakes(prepared, person):
    truths = scenes(prepared.model, person, moving=False)
    looks = seen(prepared.model, truths, noise_px=1.5)
    loose = replace(CONFIG, motion=Motion(100.0, 1e5, 100.0, 100.0, 100.0))
    shakes = {}
    for name, config in (("walk", CONFIG), ("loose", loose)):
        parts = track(looks, follower(prepared, person, truths[0], config), Resumption.start())
        shakes[name] = joined(parts, "rotation_rad").diff(dim=0).norm(dim=1).mean()
    assert shakes["walk"] < 0.75 * shakes["loose"]


def test_gaps_and_cuts_are_found_anew(prepared, person):
    truths = scenes(prepared.model, person)
    looks = seen(prepared.model, truths)
    looks[3] = replace(looks[3], observation=None)
    looks[4] = replace(looks[4], is_anew=True)
    following = follower(prepared, person, truths[0])
    ((segment, after),) = track(looks, following, Resumption.start())
    lost = segment.landmark_error_mm.isnan()
    assert lost.tolist() == [k == 3 for k in range(N)]
    assert segment.expression[3].isnan().all()
    assert after.last is not None
    turn = segment.rotation_rad - torch.stack([t.pose.rotation_rad for t in truths])
    assert turn[~lost].abs().max() < 0.03


def test_a_run_that_goes_on_is_the_same_run(prepared, person, tmp_path, monkeypatch):
    monkeypatch.setattr(segments_module, "N_FRAMES", 3)
    truths = scenes(prepared.model, person)
    looks = seen(prepared.model, truths)
    following = follower(prepared, person, truths[0])
    whole = track(looks, following, Resumption.start())
    assert [segment.first for segment, _ in whole] == [0, 3, 6]
    save_part(tmp_path / "part.h5", *whole[0])
    segment, resumption = load_part(tmp_path / "part.h5")
    assert resumption.next == 3
    later = track(looks[3:], following, resumption)
    for name in ("times_s", "expression", "rotation_rad", "translation_mm", "irradiance_sh"):
        found = torch.cat([getattr(segment, name), joined(later, name)])
        torch.testing.assert_close(found, joined(whole, name), atol=0, rtol=0)


def test_smoothing_is_a_newton_step_on_all_frames(prepared, person):
    truths = scenes(prepared.model, person)
    following = follower(prepared, person, truths[0])
    layout, frames, last = following.layout, [], None
    for look in seen(prepared.model, truths[:4], noise_px=1.0):
        last = following.follow(look.observation, look.time_s, last)
        frames.append(last)
    free = layout.low == -torch.inf  # so that no bound is in the way

    def energy(x: torch.Tensor) -> torch.Tensor:
        total = torch.zeros((), dtype=torch.float64)
        for part, one in zip(x, frames, strict=True):
            step = part - one.x
            total = total + one.gradient @ step + 0.5 * step @ one.curvature @ step
        for (a, b), (this, following_) in zip(pairwise(x), pairwise(frames), strict=True):
            walked = layout.variance(CONFIG.motion, following_.time_s - this.time_s)
            total = total + 0.5 * ((b - a) ** 2 / walked).sum()
        return total

    found = torch.stack(smoothed(frames, layout, CONFIG.motion)).requires_grad_()
    (gradient,) = torch.autograd.grad(energy(found), found)
    before = torch.stack([one.x for one in frames]).requires_grad_()
    (gradient_before,) = torch.autograd.grad(energy(before), before)
    assert energy(found) < energy(before)
    assert gradient[:, free].norm() < 1e-4 * gradient_before[:, free].norm()


def test_a_belief_spreads_as_a_walk_does():
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(9, 4, generator=generator, dtype=torch.float64)
    belief = Belief(torch.zeros(4, dtype=torch.float64), rows.T @ rows)
    variance = torch.tensor([1e-4, 0.1, 1.0, 50.0], dtype=torch.float64)
    expected = torch.linalg.inv(belief.information) + torch.diag(variance)
    torch.testing.assert_close(torch.linalg.inv(belief.after(variance).information), expected)
    term = belief_term(belief, ("a", "b"), torch.zeros(1, dtype=torch.float64))
    values = {"a": torch.ones(1, dtype=torch.float64), "b": torch.arange(3).double()}
    x = torch.cat(list(values.values()))
    at = term(values)
    torch.testing.assert_close(at.energy, 0.5 * x @ belief.information @ x)
    parts = at.jacobian(("b",))
    assert parts.keys() == {"b"}
    torch.testing.assert_close(
        parts["b"] @ values["b"] + at.jacobian(("a",))["a"][:, 0], at.residual
    )


def test_a_frame_has_its_unknowns_in_the_order_of_the_solver(prepared, person):
    truths = scenes(prepared.model, person)
    following = follower(prepared, person, truths[0])
    look = seen(prepared.model, truths[:1])[0]
    values = following.layout.values(following.follow(look.observation, 0.0, None).x)
    for stage in CONFIG.following:
        _, problem = following._problem(look.observation, stage, values)
        rows = following.layout.rows(problem.free)
        torch.testing.assert_close(problem.flat_bounds()[0].double(), following.layout.low[rows])
        found = following.layout.values(torch.arange(len(following.layout.low)).double())
        flat = torch.cat([found[name].flatten() for name in problem.free])
        torch.testing.assert_close(flat.double(), rows.double())
    torch.testing.assert_close(values[ROTATION], truths[0].pose.rotation_rad, atol=0.02, rtol=0)
