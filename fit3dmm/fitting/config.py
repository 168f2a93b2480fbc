"""Settings of a fit: noise sigmas with units, and the stages that are run. Presets by name."""

from dataclasses import dataclass, field, replace

from fit3dmm._errors import InputError
from fit3dmm._settings import Settings, ranged
from fit3dmm.observe.crop import MAX_SIZE_PX, MIN_SIZE_PX
from fit3dmm.solve.levenberg_marquardt import LevenbergMarquardt
from fit3dmm.solve.solvers import Solver
from fit3dmm.unknowns import (
    ALBEDO,
    DETAIL,
    DETECTOR_MODES,
    EXPRESSION,
    IDENTITY,
    IRRADIANCE,
    LOG_FOCAL,
    ROTATION,
    TRANSLATION,
    UNKNOWNS,
)

POSE = (ROTATION, TRANSLATION)
SHAPE = (IDENTITY, DETAIL, EXPRESSION)
COLOUR = (ALBEDO, IRRADIANCE)
CAMERA = (LOG_FOCAL,)
DETECTOR = (DETECTOR_MODES,)
"""What the detectors make of this photo (`energy.detected`)."""


@dataclass(frozen=True)
class Stage(Settings):
    """One minimisation: what moves, what it is compared with, and how sharp the photo is."""

    name: str
    free: tuple[str, ...]
    """Unknowns that move, of `unknowns.UNKNOWNS`; a family stands for all its members, and
    `log_focal` stays where the focal length is given."""
    terms: tuple[str, ...]
    """Names of `fitting.terms.BUILDERS`."""
    blur_px: float = ranged(0.0, 0.0)
    """Blur of the crop, in px of a crop of 224: coarse to fine."""
    bare_skin: bool = False
    """Whether colours count mainly where no hair grows: a first light must not explain a fringe."""
    leaves_out_occluded: bool = False
    """Whether colours count only where those around are explained at the start; before light has
    been fitted, none is."""
    solver: Solver = field(default_factory=LevenbergMarquardt)
    """How it is minimised: the settings say also which solver it is."""

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = [name for name in self.free if name not in UNKNOWNS]
        if unknown:
            raise InputError(
                f"The stage {self.name} moves {', '.join(unknown)}, which is no unknown: "
                f"choose of {', '.join(UNKNOWNS)}."
            )


_POINTS = ("landmarks", "detector", "gaps", "blendshapes", "iris")
_PRIORS = ("identity", "detail", "expression", "distance", "focal")
_COLOURS = ("photometric", "albedo", "light")

LANDMARK_STAGES = (
    Stage(
        "pose",
        POSE + DETECTOR,
        ("landmarks", "detector", "distance", "focal"),
        solver=LevenbergMarquardt(max_steps=10, relative_decrease=1e-3),
    ),
    Stage(
        "landmarks",
        POSE + CAMERA + SHAPE + DETECTOR,
        _POINTS + _PRIORS,
        solver=LevenbergMarquardt(max_steps=20, relative_decrease=2e-4),
    ),
)
PHOTO_STAGES = (
    Stage(
        "light",
        COLOUR,
        _COLOURS,
        blur_px=2.0,
        bare_skin=True,
        solver=LevenbergMarquardt(max_steps=6, relative_decrease=1e-2),
    ),
    Stage(
        "coarse",
        POSE + CAMERA + SHAPE + COLOUR + DETECTOR,
        _POINTS + _COLOURS + _PRIORS,
        blur_px=2.0,
        leaves_out_occluded=True,
        solver=LevenbergMarquardt(max_steps=8, relative_decrease=1e-3),
    ),
    Stage(
        "fine",
        POSE + CAMERA + SHAPE + COLOUR + DETECTOR,
        ("silhouette", *_POINTS, *_COLOURS, *_PRIORS),
        blur_px=0.7,
        leaves_out_occluded=True,
        solver=LevenbergMarquardt(max_steps=8, relative_decrease=1e-3),
    ),
)


@dataclass(frozen=True)
class FitConfig(Settings):
    """All settings. Every weight is the sigma of a noise or of a prior, with its unit."""

    preset: str = "default"
    """What the settings are called in results."""
    size_px: int = ranged(224, MIN_SIZE_PX, MAX_SIZE_PX)
    """Side of the square crop that is compared, 64 to 1024; the face takes some 70 % of it."""
    stages: tuple[Stage, ...] = LANDMARK_STAGES + PHOTO_STAGES

    detector_scale: float = 1.8
    """How much more the detector errs, on many points alike, than on the renders that
    data/detector_errors.h5 was made of: hair, light and glasses are not on them."""
    landmark_floor_mm: float = ranged(1.5, 0.0)
    """What comes to the noise of each point, because no person's features lie quite where the
    model can put them."""
    landmark_scale: float = 2.0
    """Multiplies the noise of the points: what is left of it is still alike for neighbours, so that
    468 count as few independent ones."""
    gap_sigma_mm: float = 1.0
    """Error of the vector between two points across the eye or the mouth."""
    landmark_turn: float = 1.5
    """Sigmas beyond which a point counts as badly detected and pulls no harder."""

    photometric_sigma_range: tuple[float, float] = (0.03, 0.3)
    """Bounds of what the model does not explain of a colour, as a share of the face's mean light;
    between them it is what a stage finds at its start."""
    photometric_correlation_mm: float = 15.0
    """Distance on the face within which such errors are alike: a square of this side counts as one
    observation, however many pixels it has."""
    photometric_turn: float = 1.5
    """Sigmas beyond which a colour counts as none of the face's own, and pulls ever less: hair,
    glasses and shadows must not become skin."""
    silhouette_sigma_mm: float = 2.0
    """Distance of the outline from the photo's edge."""
    skin_floor: float = ranged(0.2, 0.0, 1.0)
    """Least weight of a seen point whose colour looks like no skin."""
    skin_points: int = 2000
    """Points on the face at which colours are compared."""

    identity_sigma: float = 1.0
    """Spread of identity coefficients, in the model's own sigmas."""
    detail_sigma: float = 1.0
    """Spread of detail coefficients, in the model's own sigmas."""
    expression_sigma: float = 1.0
    """Spread of expression coefficients, in the model's own sigmas."""
    albedo_sigma: float = 1.0
    """Spread of albedo coefficients, in the model's own sigmas."""
    blendshape_sigma: float = 0.35
    """Error of the detector's expression scores, where the model has units of the same name."""

    focal_px: float | None = None
    """Focal length in px of the photo where it is known; else EXIF or an estimate."""
    exif_log_sigma: float = 0.1
    """Error of EXIF's focal length, as a natural logarithm."""
    focal_to_side: float = 1.6
    """Typical focal length without EXIF, in units of the photo's longer side."""
    focal_log_sigma: float = 0.8
    """Spread of it, as a natural logarithm."""
    distance_mm: float = 1300.0
    """Typical distance of the head from the camera."""
    distance_log_sigma: float = 0.4
    """Spread of it, as a natural logarithm."""
    iris_noise_mm: float = ranged(0.6, 0.0)
    """Error of the detector's iris diameter, at the eye."""

    light_level: float = 1.0
    """What white that faces the camera reflects, on average, in a well exposed photo (linear
    RGB)."""
    light_level_sigma: float = 0.3
    """Spread of it."""
    light_direct_sigma: float = 0.5
    """Spread of each harmonic of the light beyond the mean, in units of `light_level`."""
    light_tint_sigma: float = 0.12
    """Spread of the colour of light around white, in units of `light_level`."""

    threads: int | None = 1
    """Threads of PyTorch during the fit; None leaves them. One is as fast as two for one photo:
    give each core its own photo."""

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self.photometric_sigma_range
        if not low < high:
            raise InputError(f"photometric_sigma_range must rise, got {low} to {high}.")

    def solved_by(self, solver: Solver) -> "FitConfig":
        """The same with each stage solved by this solver instead of its own."""
        return replace(self, stages=tuple(replace(one, solver=solver) for one in self.stages))


def preset(name: str) -> FitConfig:
    """Settings by name: `default`, `landmarks` (no colours, fastest) or `fine` (crop of 512).

    Raises:
        InputError: there is no such preset.
    """
    presets = {
        "default": FitConfig(),
        "landmarks": FitConfig(preset="landmarks", stages=LANDMARK_STAGES),
        "fine": FitConfig(preset="fine", size_px=512, skin_points=8000),
    }
    if name not in presets:
        raise InputError(f"There is no preset {name!r}: choose one of {', '.join(presets)}.")
    return presets[name]
