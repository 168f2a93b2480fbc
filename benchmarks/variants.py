"""The default fit with one thing changed: a term left out, another solver, fewer landmarks, ...

A variant is a function from one trial to another. Terms and stages are read from the settings, so
that a term that is added gets its variant, and a change that would change nothing is an error.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch

from fit3dmm.energy import model_points
from fit3dmm.evaluate.preset_fitter import observe_largest, prepared_model
from fit3dmm.fitting import (
    FitConfig,
    FitResult,
    PreparedModel,
    Stage,
    fit_observation,
    preset,
)
from fit3dmm.fitting.detector_errors import LandmarkErrorModel, landmark_error_model
from fit3dmm.fitting.switches import counting, having, without
from fit3dmm.geometry.camera import Camera
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.choice import NoFaceError
from fit3dmm.observe.detection import MEDIAPIPE, MEDIAPIPE_POINTS, Detection
from fit3dmm.observe.detector_errors import exact_detector
from fit3dmm.observe.face import FACE_OVAL, N_POINTS
from fit3dmm.observe.observation import Observation
from fit3dmm.observe.photo import Photo, read_photo
from fit3dmm.scene import Scene
from fit3dmm.solve import LBFGS, Adam, Solver
from fit3dmm.synthetic.truth import Truth

DEFAULT = "default"
_FIRST_ORDER_STEPS = 150
# Of the energy, by a step: when L-BFGS may stop before.
_DECREASE = 1e-6
# What EXIF says is rounded and forgets a little cropping.
_EXIF_LOG_ERROR = 0.05
_SIZES_PX = (224, 384)
# The detector's points from here on have a term of their own.
_IRISES = N_POINTS - 10
# Of a point by itself on a photo: what all points together make of the detector left aside.
_ALONE_SIGMA_MM = 2.0
# A point with this noise pulls nothing; with an infinite one, mixing views would give no number.
_NOTHING_MM = 1e6
# Priors that no fit can do without: instead of being left out they are weakened.
_PRIOR_SIGMAS = {
    "identity": ("identity", ("sigma",)),
    "detail": ("detail", ("sigma",)),
    "expression": ("expression", ("sigma",)),
    "distance": ("distance", ("log_sigma", "told_share")),
    "focal": ("focal", ("log_sigma",)),
    "detector_modes": ("landmarks", ("modes_scale",)),
    "light": ("light", ("level_sigma", "direct_sigma", "tint_sigma")),
}

# What the fit does where a switch of its stages is off.
_FLAGS_OFF = {"hairless_only": "first light from all skin", "mask_occlusions": "occluders count"}


@dataclass(frozen=True)
class Trial:
    """One fit before it is run."""

    photo: Photo
    truth: Truth | None
    """None for a photo of a real person."""
    observation: Observation
    prepared: PreparedModel
    config: FitConfig
    focal_px: float | None = None
    """Of the photo, where it is known; a fit is not told."""

    def under(self, config: FitConfig) -> "Trial":
        """The same with other settings: looked at again where they decide what is seen.

        Raises:
            NoFaceError: with them nobody sees a face.
        """
        prepared, observation = self.prepared, self.observation
        if config.photometric.n_samples != self.config.photometric.n_samples:
            prepared = prepared_model("commons", config.photometric.n_samples)
        if _seen_by(config) != _seen_by(self.config):
            observation = _observed(self.photo, prepared, config)
        return replace(self, observation=observation, prepared=prepared, config=config)

    def result(self) -> FitResult:
        """Fit."""
        return fit_observation(self.observation, self.prepared, self.config)

    def run(self) -> tuple[Scene, float]:
        """Fit; returns also the seconds that the stages took."""
        result = self.result()
        return result.scene, result.seconds


def trial_of(
    photo: Path, truth: Truth | None = None, focal_px: float | None = None
) -> Trial | None:
    """The default fit of the largest face before it is run; None where no face is found."""
    picture, config = read_photo(photo), FitConfig()
    prepared = prepared_model("commons", config.photometric.n_samples)
    seen = observe_largest(picture, prepared, config)
    return None if seen is None else Trial(picture, truth, seen, prepared, config, focal_px)


def _seen_by(config: FitConfig) -> tuple[object, ...]:
    """The settings that decide what is seen of a photo."""
    return config.size_px, config.crop, config.focal_px, config.uses_network


def _observed(photo: Photo, prepared: PreparedModel, config: FitConfig) -> Observation:
    seen = observe_largest(photo, prepared, config)
    if seen is None:
        raise NoFaceError(f"With these settings nobody sees a face in {photo.name}.")
    return seen


Change = Callable[[Trial], Trial]


@dataclass(frozen=True)
class Variant:
    """One row of the ablation."""

    name: str
    group: str
    change: Change
    needs_truth: bool = False
    """Whether it is for generated photos alone."""


def variants() -> dict[str, Variant]:
    """By name; the default first."""
    config = FitConfig()
    found = [
        Variant(DEFAULT, "default", lambda trial: trial),
        Variant("landmarks only", "stages", _stages_of("landmarks")),
    ]
    terms = dict.fromkeys(term for stage in config.stages for term in stage.terms)
    for term in terms:
        if term == "landmarks":
            found.append(Variant("no landmarks after the start", "terms", _without_beside_colours))
        elif term not in _PRIOR_SIGMAS:
            kind = " prior" if term == "albedo" else ""
            found.append(Variant(f"no {term}{kind}", "terms", _without(term)))
    for term in terms:
        if term in _PRIOR_SIGMAS:
            found.append(Variant(f"{term} prior / 10", "priors", _weaker(*_PRIOR_SIGMAS[term])))
    found.append(Variant("identity prior x 2", "priors", _weaker("identity", ("sigma",), 0.5)))
    adam = Adam(max_steps=_FIRST_ORDER_STEPS, learning_rate=0.1)
    lbfgs = LBFGS(max_steps=_FIRST_ORDER_STEPS, relative_decrease=_DECREASE)
    found += [
        Variant("with perceptual", "losses of the paper", _with("perceptual")),
        Variant("with flattening", "losses of the paper", _with("flattening")),
        Variant("coefficients by the paper's ratios", "losses of the paper", _paper_ratios),
        Variant("fast", "presets", _preset("fast")),
        Variant("accurate", "presets", _preset("accurate")),
        Variant("deng2019-code", "presets", _preset("deng2019-code")),
        Variant("deng2019-paper", "presets", _preset("deng2019-paper")),
        Variant("network alone", "detectors", _network_alone),
        Variant("Adam", "solvers", _solved_by(adam)),
        Variant("L-BFGS", "solvers", _solved_by(lbfgs)),
        Variant("68 landmarks", "landmarks", _only(_ibug68)),
        Variant("no contour points", "landmarks", _only(_inner)),
        Variant("detector taken at its word", "landmarks", _exact),
        Variant("true points", "landmarks", _true_points, needs_truth=True),
        Variant("focal known", "focal length", _focal_known),
        Variant("focal by EXIF", "focal length", _focal_by_exif, needs_truth=True),
    ]
    for size_px in _SIZES_PX:
        if size_px != config.size_px:
            found.append(Variant(f"crop of {size_px} px", "picture", _crop(size_px)))
    for flag in _flags(config):
        found.append(Variant(_FLAGS_OFF.get(flag, f"no {flag}"), "stages", _flag_off(flag)))
    return {variant.name: variant for variant in found}


def _stages_of(name: str) -> Change:
    stages = preset(name).stages
    return lambda trial: trial.under(replace(trial.config, stages=stages))


def _preset(name: str) -> Change:
    """All settings of a preset, with its crop and its samples."""
    return lambda trial: trial.under(preset(name))


def _with(term: str) -> Change:
    return lambda trial: trial.under(having(trial.config, term))


def _paper_ratios(trial: Trial) -> Trial:
    """Deng et al. 2019 weigh squares of identity, expression and albedo as 1, 0.8 and 0.0017."""
    ratios = {"identity": 1.0, "expression": 0.8, "albedo": 1.7e-3}
    return trial.under(counting(trial.config, ratios))


def _network_alone(trial: Trial) -> Trial:
    """MediaPipe finds the face and tells nothing of it; `no network` is the other alone."""
    told = ("landmarks", "openings", "iris", "blendshapes")
    return trial.under(without(trial.config, *told))


def _without(term: str) -> Change:
    def change(trial: Trial) -> Trial:
        def less(stage: Stage) -> Stage:
            return replace(stage, terms=tuple(name for name in stage.terms if name != term))

        return _with_stages(trial, less)

    return change


def _without_beside_colours(trial: Trial) -> Trial:
    """Landmarks lead to where colours are compared, and no further: without them is no start."""

    def less(stage: Stage) -> Stage:
        if "photometric" not in stage.terms:
            return stage
        return replace(stage, terms=tuple(name for name in stage.terms if name != "landmarks"))

    return _with_stages(trial, less)


def _flags(config: FitConfig) -> list[str]:
    """Switches of stages that are on in some."""
    switches = [field.name for field in fields(Stage) if field.type in (bool, "bool")]
    return [name for name in switches if any(getattr(stage, name) for stage in config.stages)]


def _flag_off(flag: str) -> Change:
    return lambda trial: _with_stages(trial, lambda stage: replace(stage, **{flag: False}))


def _weaker(evidence: str, sigmas: tuple[str, ...], times: float = 10.0) -> Change:
    """Priors whose energy counts so many times less."""

    def change(trial: Trial) -> Trial:
        settings = getattr(trial.config, evidence)
        wider = {name: math.sqrt(times) * getattr(settings, name) for name in sigmas}
        return trial.under(replace(trial.config, **{evidence: replace(settings, **wider)}))

    return change


def _solved_by(solver: Solver) -> Change:
    return lambda trial: trial.under(trial.config.solved_by(solver))


def _only(choose: Callable[[MorphableModel], torch.Tensor]) -> Change:
    """Some of the detector's points."""

    def change(trial: Trial) -> Trial:
        detected = trial.prepared.detectors[MEDIAPIPE]
        left_out = torch.ones(detected.errors.n_points, dtype=torch.bool)
        left_out[choose(trial.prepared.model)] = False
        sigma = detected.errors.sigma.masked_fill(left_out, _NOTHING_MM)
        fewer = detected.replace(errors=detected.errors.replace(sigma=sigma))
        return _detected_by(trial, fewer)

    return change


def _inner(model: MorphableModel) -> torch.Tensor:
    """All but the points on the contour of the face."""
    del model
    return torch.tensor(sorted(set(range(_IRISES)) - set(FACE_OVAL)))


def _exact(trial: Trial) -> Trial:
    """Points that are what they seem, with independent noise."""
    n_points = trial.prepared.detectors[MEDIAPIPE].errors.n_points
    simple = exact_detector(n_points, _ALONE_SIGMA_MM)
    landmarks = model_points(trial.prepared.model, trial.prepared.model.landmarks[MEDIAPIPE_POINTS])
    return _detected_by(trial, landmark_error_model(simple, landmarks))


def _detected_by(trial: Trial, detector: LandmarkErrorModel) -> Trial:
    return replace(trial, prepared=trial.prepared.replace(detectors={MEDIAPIPE: detector}))


def _true_points(trial: Trial) -> Trial:
    """What a perfect detector would see: the most that better points could bring."""
    truth, seen = trial.truth, trial.observation
    assert truth is not None
    cam = torch.from_numpy(truth.points478_cam_mm)
    camera = Camera.centred(truth.focal_px, seen.photo_width_px, seen.photo_height_px)
    points_px = camera.to(dtype=torch.float64).project(cam).to(seen.face_points_px)
    true = Detection(MEDIAPIPE, MEDIAPIPE_POINTS, points_px)
    return replace(_exact(trial), observation=seen.seen_by(true))


def _ibug68(model: MorphableModel) -> torch.Tensor:
    """The detector's points nearest to iBUG's on the mean face."""
    triangles = model.surface.triangles
    mean_mm = model.shape_mm(model.zeros())
    wanted, detected = (
        model.landmarks[name].locate(mean_mm, triangles) for name in ("ibug68", MEDIAPIPE_POINTS)
    )
    return torch.cdist(wanted, detected[:_IRISES]).argmin(1)


def _focal_known(trial: Trial) -> Trial:
    if trial.focal_px is None:
        raise ValueError("Nothing is known of the focal length of this photo.")
    return trial.under(replace(trial.config, focal_px=trial.focal_px))


def _focal_by_exif(trial: Trial) -> Trial:
    assert trial.truth is not None
    error = _EXIF_LOG_ERROR * trial.truth.case.generator("exif").normal()
    focal_px = trial.truth.focal_px * math.exp(error)
    told = replace(trial.photo, focal_px=focal_px)
    seen = _observed(told, trial.prepared, trial.config)
    return replace(trial, photo=told, observation=seen)


def _crop(size_px: int) -> Change:
    return lambda trial: trial.under(replace(trial.config, size_px=size_px))


def _with_stages(trial: Trial, change: Callable[[Stage], Stage]) -> Trial:
    stages = tuple(change(stage) for stage in trial.config.stages)
    if stages == trial.config.stages:
        raise ValueError("The variant changes no stage of the default.")
    return trial.under(replace(trial.config, stages=stages))


VARIANTS: Mapping[str, Variant] = variants()
