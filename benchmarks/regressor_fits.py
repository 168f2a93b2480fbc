"""Methods that use what the network sees, or do not, on one photo."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from fit3dmm.evaluate.preset_fitter import face_of_scene, prepared_model
from fit3dmm.evaluate.synthetic.methods import POSE_ONLY
from fit3dmm.fitting import FitConfig, PreparedModel, Stage, fit_observation, preset
from fit3dmm.fitting.config import LANDMARK_STAGES
from fit3dmm.fitting.context import context_at
from fit3dmm.fitting.initialise import starting_values
from fit3dmm.fitting.look import seen_by_network
from fit3dmm.fitting.run import stage_problem
from fit3dmm.observe.detect import detect_faces
from fit3dmm.observe.detection import MEDIAPIPE, NETWORK
from fit3dmm.observe.face import N_POINTS
from fit3dmm.observe.observation import Observation, observe_face
from fit3dmm.scene import Scene
from fit3dmm.solve import LevenbergMarquardt, Problem, Values, solve
from regressor_scores import Subject, face_numbers, point_numbers
from regressor_subjects import Opener

BOTH, MEAN_FACE = "both", "mean face"
NEVER = math.inf
DETECTORS = {"MediaPipe": MEDIAPIPE, "network": NETWORK}


@dataclass(frozen=True)
class Measured:
    """What was found on one photo."""

    groups: tuple[str, ...]
    numbers: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By method; empty where no face was found, or where none was to be fitted."""
    points: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By detector; empty where no face was found, or where points are not known."""
    steps: tuple[float, float] | None = None
    """Of the start by the landmarks, and those after which the network's start is as low."""
    has_face: bool = True


def without_term(config: FitConfig, term: str) -> FitConfig:
    """The same settings with one term in no stage."""
    stages = tuple(
        replace(stage, terms=tuple(name for name in stage.terms if name != term))
        for stage in config.stages
    )
    return replace(config, stages=stages)


CONFIGS: Mapping[str, FitConfig] = {
    BOTH: FitConfig(),
    "MediaPipe": without_term(FitConfig(init="landmarks"), "network"),
    "network": without_term(FitConfig(), "landmarks"),
    "regressor alone": preset("regressor"),
}
METHODS = (*CONFIGS, MEAN_FACE)


def measure_subject(
    opener: Opener, methods: Sequence[str] = METHODS, with_steps: bool = False
) -> Measured:
    """Look at one photo, and fit its largest face by each method.

    Args:
        opener: gives the photo.
        methods: of METHODS; without any, only the points are looked at.
        with_steps: count the steps from both starts, too.
    """
    subject = opener()
    config = FitConfig()
    prepared = prepared_model("commons", config.photometric.n_samples)
    faces = detect_faces(subject.photo)
    if not faces:
        return Measured(subject.groups, has_face=False)
    found = observe_face(subject.photo, faces[0], config.size_px)
    seen = seen_by_network(found, subject.photo, prepared, config)
    numbers = {}
    for method in methods:
        scene = scene_by(method, seen, prepared)
        of_face = face_numbers(subject, face_of_scene(scene, prepared.model, False))
        if np.isfinite(list(of_face.values())).all():
            numbers[method] = of_face
        else:
            print(f"{subject.photo.name}, {method}: the fit has no finite numbers.")
    steps = steps_of_starts(seen, prepared) if with_steps else None
    return Measured(
        subject.groups, numbers, points_of(subject, found.seen_by(*seen.detections.values())), steps
    )


def scene_by(method: str, seen: Observation, prepared: PreparedModel) -> Scene:
    """The face as a method finds it."""
    if method == MEAN_FACE:
        scene = fit_observation(seen, prepared, POSE_ONLY).scene
        return scene.replace(coefficients=prepared.model.zeros())
    return fit_observation(seen, prepared, CONFIGS[method]).scene


def points_of(subject: Subject, seen: Observation) -> Mapping[str, Mapping[str, float]]:
    """How far each detector's 478 points are off, those that a fit leaves out as well."""
    if subject.points_px is None:
        return {}
    numbers = {}
    for name, source in DETECTORS.items():
        points_px = seen.detection(source).points_px[:N_POINTS].double().numpy()
        covariance = seen.detection(source).covariance_px2
        told = None if covariance is None else covariance[:N_POINTS].double().numpy()
        numbers[name] = point_numbers(subject.points_px, points_px, told)
    return numbers


@torch.no_grad()
def steps_of_starts(seen: Observation, prepared: PreparedModel) -> tuple[float, float]:
    """Steps of the stage `landmarks` from the landmarks' start, and how many from the network's
    face lead as low.

    What a stage sees as hidden or open depends on where it starts, and with it the energy: both
    starts are followed in the problem as it is where the first one's stage ends.
    """
    config = FitConfig()
    pose, stage = LANDMARK_STAGES

    def problem_at(values: Values, of: Stage) -> Problem:
        return stage_problem(context_at(prepared, seen, of, values), config)

    starts = starting_values(prepared, seen, config)
    placed = {
        name: solve(problem_at(values, pose), pose.solver).values for name, values in starts.items()
    }
    ended = solve(problem_at(placed["landmarks"], stage), stage.solver).values
    common = problem_at(ended, stage)
    energies = {
        name: [step.energy for step in solve(replace(common, start=values), stage.solver).history]
        for name, values in placed.items()
    }
    return steps_to_the_same(energies["landmarks"], energies["regressor"])


def steps_to_the_same(
    landmarks: Sequence[float], regressor: Sequence[float]
) -> tuple[float, float]:
    """Steps of the first, and after how many the second is as low as the first's end.

    Args:
        landmarks: energies, the start's first.
        regressor: from the other start; `NEVER` where it ends higher.
    """
    solver = LANDMARK_STAGES[-1].solver
    assert isinstance(solver, LevenbergMarquardt)
    # Less than what a step must gain for the stage to go on is no difference.
    enough = landmarks[-1] * (1 + solver.relative_decrease)
    reached = (float(k) for k, energy in enumerate(regressor) if energy <= enough)
    return float(len(landmarks) - 1), next(reached, NEVER)
