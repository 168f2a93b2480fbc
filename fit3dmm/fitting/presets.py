"""Settings by name."""

from collections.abc import Mapping
from dataclasses import replace

from fit3dmm._errors import InputError, unlike
from fit3dmm.fitting.config import (
    CAMERA,
    COLOUR,
    COLOURS,
    DETECTOR,
    LANDMARK_STAGES,
    PHOTO_STAGES,
    POINTS,
    POSE,
    PRIORS,
    SHAPE,
    SKIN_STAGES,
    FitConfig,
)
from fit3dmm.fitting.evidence import (
    AlbedoPrior,
    ExpressionPrior,
    Flattening,
    IdentityPrior,
    Landmarks68,
    Perceptual,
    Photometric,
    Pixels,
    WhiteLight,
)
from fit3dmm.fitting.stage import Stage
from fit3dmm.solve.first_order import Adam
from fit3dmm.solve.levenberg_marquardt import LevenbergMarquardt
from fit3dmm.unknowns import EXPRESSION, IDENTITY

REGRESSOR_STAGES = (
    # Only what the detectors make of the photo is found; the face stays as it was seen.
    Stage(
        "detectors",
        DETECTOR,
        ("landmarks", "network", "detector_modes"),
        solver=LevenbergMarquardt(max_steps=3),
    ),
    Stage(
        "judgement",
        POSE + CAMERA + SHAPE + COLOUR + DETECTOR,
        (*POINTS, *COLOURS, *PRIORS),
        blur_px=0.7,
        mask_occlusions=True,
        solver=LevenbergMarquardt(max_steps=0),
    ),
)

_DENG_UNKNOWNS = (*POSE, IDENTITY, EXPRESSION, *COLOUR)
_DENG_TERMS = (
    *("pixels", "landmarks68", "perceptual"),
    *("identity", "expression", "albedo", "flattening"),
)
# A network is trained with these losses; a face is found by as many steps as lead no lower.
_DENG_SOLVER = Adam(max_steps=100, learning_rate=0.1)


def _sigma(weight: float) -> float:
    """Of the noise that a published weight stands for: it multiplies what we halve the square
    of."""
    return (2 * weight) ** -0.5


def _deng2019(name: str, stage: Stage, w_albedo: float, sure_from: float) -> FitConfig:
    """All losses of Y. Deng et al. 2019, section 3.2, with their weights."""
    w_coefficients = 3e-4
    albedo_sigma = _sigma(w_coefficients * w_albedo)
    return FitConfig(
        preset=name,
        stages=(stage,),
        pixels=Pixels(sigma_srgb=1 / 1.92, sure_from=sure_from),
        landmarks68=Landmarks68(sigma_px=_sigma(1.6e-3), emphasis=20.0),
        # Half the square of a difference of unit vectors is their cosine distance.
        perceptual=Perceptual(sigma=0.2**-0.5, n_directions=1, drawn="alone"),
        identity=IdentityPrior(_sigma(w_coefficients * 1.0)),
        expression=ExpressionPrior(_sigma(w_coefficients * 0.8), correlated=False),
        albedo=AlbedoPrior(albedo_sigma, tone_sigma=albedo_sigma, by_tone=False),
        flattening=Flattening(sigma_linear=_sigma(5.0)),
        tint=WhiteLight(_sigma(10.0)),
        crop="five points",
        crop_focal_px=1015.0,
        init="landmarks",
    )


# Half as many samples, fewer steps, and one stage of all colours instead of two.
_FAST_STAGES = (
    replace(LANDMARK_STAGES[0], solver=LevenbergMarquardt(max_steps=5, relative_decrease=1e-2)),
    replace(LANDMARK_STAGES[1], solver=LevenbergMarquardt(max_steps=8, relative_decrease=2e-3)),
    replace(PHOTO_STAGES[0], solver=LevenbergMarquardt(max_steps=3, relative_decrease=1e-2)),
    replace(
        PHOTO_STAGES[2], blur_px=1.0, solver=LevenbergMarquardt(max_steps=4, relative_decrease=3e-3)
    ),
    *SKIN_STAGES,
)
# The network looks where everything else has come to rest.
_ACCURATE_STAGES = (
    *LANDMARK_STAGES,
    *PHOTO_STAGES[:-1],
    replace(PHOTO_STAGES[-1], terms=(*PHOTO_STAGES[-1].terms, "perceptual")),
    *SKIN_STAGES,
)
PRESETS: Mapping[str, FitConfig] = {
    "default": FitConfig(),
    "fast": FitConfig(preset="fast", stages=_FAST_STAGES, photometric=Photometric(n_samples=1000)),
    "accurate": FitConfig(preset="accurate", stages=_ACCURATE_STAGES),
    "landmarks": FitConfig(preset="landmarks", stages=LANDMARK_STAGES),
    "fine": FitConfig(preset="fine", size_px=512, photometric=Photometric(n_samples=8000)),
    "regressor": FitConfig(preset="regressor", init="regressor", stages=REGRESSOR_STAGES),
    "deng2019-paper": _deng2019(
        "deng2019-paper",
        Stage("all", _DENG_UNKNOWNS, _DENG_TERMS, white_light=True, solver=_DENG_SOLVER),
        w_albedo=1.7e-3,
        sure_from=0.5,
    ),
    "deng2019-code": _deng2019(
        "deng2019-code",
        Stage("all", _DENG_UNKNOWNS, (*_DENG_TERMS, "tint"), solver=_DENG_SOLVER),
        w_albedo=1.7e-2,
        sure_from=1.0,
    ),
}
"""All of them, by name."""


def preset(name: str) -> FitConfig:
    """Settings by name: `default`, `fast`, `accurate` (with the perceptual term), `landmarks` (no
    colours, fastest), `fine` (crop of 512), `regressor` (what the model's network sees, and no
    fit), or `deng2019-paper` and `deng2019-code` (the losses of Deng et al. 2019).

    Raises:
        InputError: there is no such preset.
    """
    if name not in PRESETS:
        raise InputError(unlike(name, PRESETS, "preset"))
    return PRESETS[name]
