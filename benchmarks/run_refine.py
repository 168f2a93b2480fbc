"""Refining what regressors put out: is it better, or was the input kept?

    python benchmarks/run_refine.py [--cases 40] [--network-cases 10] [--choose]

Rendered people of Commons, whose coefficients are known. Given are those with the noise of a
regressor: half-way to the mean, an expression, a turn and a place that are a little wrong, so that
its points lie 4 px off in a crop of 224, as those of Deep3DFaceRecon do; and what our own network
says of the same pictures. --choose takes people by whom settings may be chosen. Beside what came of
it stands what each sign that is seen without the truth tells of a step (refine_signs.py).
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float

from fit3dmm._parallel import available_cores, run_in_parallel
from fit3dmm.evaluate.preset_fitter import observe_largest, prepared_model
from fit3dmm.fitting import FitConfig, fit_observation, preset
from fit3dmm.geometry.alignment import solve_similarity
from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.rotation import rotation_vector
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import Coefficients, MorphableModel
from fit3dmm.observe.observation import Observation
from fit3dmm.observe.photo import photo_from_array
from fit3dmm.refining.read import own_start
from fit3dmm.refining.refine import Judge, attempts, chosen
from fit3dmm.scene import Lighting, Pose, Scene
from fit3dmm.synthetic.fast.example import Example
from fit3dmm.unknowns import PhotoIntrinsics, scene_of
from harness import Metric, run
from paired import case_metric
from refine_signs import LOOKED_AT, Looked, look, sign_metrics
from refine_tables import MEASURES, SIGNS_GROUP
from regressor_subjects import FIRST_SEED, studio

REGRESSOR, NETWORK = "a regressor's noise", "our network"
_FIRST = {True: FIRST_SEED + 500_000, False: FIRST_SEED + 600_000}
# What is nearer than this is the same.
_SAME_MM = 1e-3
# A regressor's noise. Shares of the truth and of independent noise, in sigmas: six tenths of the
# prior's spread is wrong. Detail is beyond what any of them tells.
_TOLD, _NOISE, _EXPRESSION = 0.6, 0.45, 0.15
_TURN_RAD, _DISTANCE_SHARE, _SHIFT_OF_FACE = 0.05, 0.05, 0.02


@dataclass(frozen=True)
class Case:
    """One picture: errors in mm with the input and with the result, and what was decided."""

    before: Mapping[str, float]
    after: Mapping[str, float]
    kept: bool
    trust: float | None
    moment_trust: float | None
    looked: Mapping[str, Looked] = field(default_factory=dict)
    """By the step."""


def measure(options: Namespace) -> Iterator[Metric]:
    """All pictures, then the statistics."""
    jobs = options.jobs or available_cores()
    for source, n in ((REGRESSOR, options.cases), (NETWORK, options.network_cases)):
        if not n:
            continue
        cases = _first_with_a_face(source, n, _FIRST[options.choose], jobs)
        yield Metric("pictures with a face", len(cases), "pictures", None, 0.0, source)
        yield from _statistics(source, cases)
        for step in LOOKED_AT:
            looked = {case: one.looked[step] for case, one in cases.items()}
            yield from sign_metrics(step, looked, f"{SIGNS_GROUP}{source}")


def _first_with_a_face(source: str, n: int, first: int, jobs: int) -> dict[str, Case]:
    """What was found on the first pictures in which the detector finds a face: heads that are
    turned away or covered are among them."""
    cases: dict[str, Case] = {}
    while len(cases) < n:
        seeds = range(first, first + n)
        found = dict(run_in_parallel(measure_case, [(seed, source) for seed in seeds], jobs))
        for k, seed in enumerate(seeds):
            one = found[k]
            if one is not None and len(cases) < n:
                cases[str(seed)] = one
        first += n
    return cases


def _statistics(source: str, cases: Mapping[str, Case]) -> Iterator[Metric]:
    n = max(len(cases), 1)
    kept = sum(one.kept for one in cases.values())
    yield Metric("input kept", kept / n, "share", None, 0.0, source)
    for what, trusts in (
        ("expression left", {case: one.moment_trust for case, one in cases.items()}),
        ("identity left", {case: one.trust for case, one in cases.items()}),
    ):
        left = sum(not cases[case].kept and trust != 0 for case, trust in trusts.items())
        yield Metric(what, left / n, "share", None, 0.0, source)
    for name in MEASURES:
        before = {case: one.before[name] for case, one in cases.items()}
        after = {case: one.after[name] for case, one in cases.items()}
        gain = {case: before[case] - after[case] for case in cases}
        yield case_metric(f"{name}: input", "mm", before, group=source)
        yield case_metric(f"{name}: result", "mm", after, group=source)
        yield case_metric(f"{name}: gain", "mm", gain, lower_is_better=False, group=source)
        worse = {case: float(one < -_SAME_MM) for case, one in gain.items()}
        yield case_metric(f"{name}: worse", "share", worse, group=source)


def measure_case(seed: int, source: str) -> Case | None:
    """One picture; None where no face is found."""
    config = FitConfig()
    prepared = prepared_model("commons", config.photometric.n_samples)
    example, person = studio(None).take(seed), studio(None).sitter(seed)
    photo = photo_from_array(example.image_srgb)
    seen = observe_largest(photo, prepared, config)
    if seen is None:
        return None
    if source == REGRESSOR:
        given = regressor_like(example, seen, seed)
    else:
        given = fit_observation(seen, prepared, preset("regressor")).scene
    truth = true_scene(example)
    with torch.no_grad():
        judge, start = Judge(seen, prepared, config), own_start(given)
        tried = list(attempts(judge, start))
        result = chosen(judge, start, tried)
        errors = [errors_mm(one.result.scene, truth, person.neutral_mm) for one in tried]
        looked = {
            step: look(judge, tried[k - 1], tried[k], errors[k - 1][measure] - errors[k][measure])
            for step, (k, measure) in LOOKED_AT.items()
        }
    refinement = result.refinement
    assert refinement is not None
    return Case(
        errors_mm(given, truth, person.neutral_mm),
        errors_mm(result.scene, truth, person.neutral_mm),
        refinement.kept,
        refinement.trust,
        refinement.moment_trust,
        looked,
    )


def true_scene(example: Example) -> Scene:
    """What the picture shows, in its own camera."""

    def tensor(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.asarray(values, dtype=np.float32))

    names = ("identity", "detail", "expression", "albedo")
    height, width = example.image_srgb.shape[:2]
    return Scene(
        Coefficients(*(tensor(getattr(example, name)) for name in names)),
        Pose(rotation_vector(tensor(example.rotation)), tensor(example.translation_mm)),
        Camera(
            torch.tensor(float(example.focal_px)), tensor(example.principal_point_px), width, height
        ),
        Lighting(tensor(example.irradiance_sh)),
    )


def regressor_like(example: Example, seen: Observation, seed: int) -> Scene:
    """The truth as a regressor tells it, in a camera through the middle of the picture."""
    rng = np.random.default_rng(seed)
    truth = true_scene(example)
    face = truth.coefficients

    def noise(values: torch.Tensor, sigma: float) -> torch.Tensor:
        return torch.from_numpy(sigma * rng.normal(size=values.shape)).float()

    told = Coefficients(
        _TOLD * face.identity + noise(face.identity, _NOISE),
        torch.zeros_like(face.detail),
        (face.expression + noise(face.expression, _EXPRESSION)).clamp(0, 1),
        _TOLD * face.albedo + noise(face.albedo, _NOISE),
    )
    # The picture's own axis passes beside its middle: the same head is seen there a little turned.
    width, height = seen.photo_width_px, seen.photo_height_px
    centred = PhotoIntrinsics.centred(width, height, face.identity)
    off = truth.camera.principal_point_px - centred.principal_point_px
    axis = torch.stack([off[0], -off[1], -truth.camera.focal_px]) / truth.camera.focal_px
    turn = least_turn(axis)
    place = turn @ truth.pose.translation_mm
    across = _SHIFT_OF_FACE * 160.0
    shift = torch.from_numpy(rng.normal(size=3) * [across, across, 0.0]).float()
    nearer = 1 + _DISTANCE_SHARE * float(rng.normal())
    rotation = turn @ truth.pose.T_cam_model.rotation
    vector = rotation_vector(rotation) + noise(torch.zeros(3), _TURN_RAD)
    values = {
        "identity": told.identity,
        "detail": told.detail,
        "expression": told.expression,
        "albedo": told.albedo,
        "rotation_rad": vector,
        "translation_mm": nearer * place + shift,
        "log_focal": (nearer * truth.camera.focal_px).log()[None],
        "irradiance_sh": truth.lighting.irradiance_sh,
    }
    return scene_of(values, centred)


def least_turn(axis: Float[torch.Tensor, "3"]) -> Float[torch.Tensor, "3 3"]:
    """From the camera's axis to a direction."""
    towards = torch.nn.functional.normalize(axis, dim=0).numpy().astype(np.float64)
    ahead = np.array([0.0, 0.0, -1.0])
    half = ahead + towards
    turn = 2 * np.outer(half, half) / (half @ half) - np.eye(3)
    # Two half turns: about the bisector, and about the axis itself.
    return torch.from_numpy(turn @ np.diag([-1.0, -1.0, 1.0])).float()


def errors_mm(
    scene: Scene, truth: Scene, true_rest_mm: Float[np.ndarray, "vertices 3"]
) -> dict[str, float]:
    """How far the face is from the true one: where the photo shows it, with its expression after
    the best similarity, and at rest after the best similarity.

    Args:
        scene: what is measured.
        truth: pose, camera and expression.
        true_rest_mm: the person at rest, whom the model can't quite show.
    """
    model = _coarse()
    face = model.regions["face"] > 0.5
    person = truth.coefficients
    moved = model.shape_mm(person) - model.shape_mm(person.neutral())
    true_rest = torch.from_numpy(np.asarray(true_rest_mm, dtype=np.float32))
    true, true_rest = (true_rest + moved)[face], true_rest[face]
    shape = model.shape_mm(scene.coefficients)[face]
    rest = model.shape_mm(scene.coefficients.neutral())[face]
    px = scene.camera.project(scene.pose.T_cam_model @ shape)
    true_cam = truth.pose.T_cam_model @ true
    mm_per_px = -true_cam[:, 2].mean() / truth.camera.focal_px
    in_photo = (px - truth.camera.project(true_cam)).norm(dim=1).mean() * mm_per_px
    return {
        "face in the photo": float(in_photo),
        "face with its expression": _apart_mm(shape, true),
        "face at rest": _apart_mm(rest, true_rest),
    }


def _apart_mm(ours: torch.Tensor, true: torch.Tensor) -> float:
    moved, target = (one.double().numpy() for one in (ours, true))
    return float(np.linalg.norm(solve_similarity(moved, target) @ moved - target, axis=1).mean())


@lru_cache(maxsize=1)
def _coarse() -> MorphableModel:
    """Once a process, as pictures are taken of it."""
    return load_model("commons", level=1)


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--cases", type=int, default=40)
    parser.add_argument("--network-cases", type=int, default=10)
    parser.add_argument("--choose", action="store_true")
    parser.add_argument("--jobs", type=int, default=0, help="processes; 0 takes one for each core")


if __name__ == "__main__":
    sys.exit(run("refine", __doc__, measure, _options))
