"""Settings of a fit: what is known of faces, with noise sigmas in units, and the stages that are
run."""

from dataclasses import dataclass, field, fields, replace
from typing import Literal

from fit3dmm._errors import InputError, unlike
from fit3dmm._settings import Settings
from fit3dmm.fitting.evidence import (
    AlbedoPrior,
    Blendshapes,
    Contour,
    DetailPrior,
    DetectorModesPrior,
    DistancePrior,
    Evidence,
    Exposure,
    ExpressionPrior,
    Flattening,
    FocalPrior,
    IdentityPrior,
    Iris,
    JointsPrior,
    Landmarks,
    Landmarks68,
    LightPrior,
    Openings,
    Perceptual,
    Photometric,
    Pixels,
    PositiveLight,
    WhiteLight,
)
from fit3dmm.fitting.stage import Stage
from fit3dmm.observe.detection import NETWORK
from fit3dmm.solve.levenberg_marquardt import LevenbergMarquardt
from fit3dmm.solve.solvers import Solver
from fit3dmm.unknowns import (
    ALBEDO,
    DETAIL,
    DETECTOR_MODES,
    EXPRESSION,
    IDENTITY,
    IRRADIANCE,
    JOINTS,
    LOG_FOCAL,
    ROTATION,
    TRANSLATION,
    UNKNOWNS,
)

POSE = (ROTATION, TRANSLATION)
SHAPE = (IDENTITY, DETAIL, EXPRESSION, JOINTS)
COLOUR = (ALBEDO, IRRADIANCE)
CAMERA = (LOG_FOCAL,)
DETECTOR = (DETECTOR_MODES,)
"""What the detectors make of this photo (`energy.detected`)."""

POINTS = ("landmarks", "network", "detector_modes", "openings", "blendshapes", "iris")
PRIORS = ("identity", "detail", "expression", "joints", "distance", "focal")
COLOURS = ("photometric", "albedo", "light", "positive_light")

LANDMARK_STAGES = (
    Stage(
        "pose",
        POSE + DETECTOR,
        ("landmarks", "network", "detector_modes", "distance", "focal"),
        solver=LevenbergMarquardt(max_steps=10, relative_decrease=1e-3),
    ),
    Stage(
        "landmarks",
        POSE + CAMERA + SHAPE + DETECTOR,
        POINTS + PRIORS,
        solver=LevenbergMarquardt(max_steps=20, relative_decrease=2e-4),
    ),
)
PHOTO_STAGES = (
    Stage(
        "light",
        COLOUR,
        COLOURS,
        blur_px=2.0,
        hairless_only=True,
        solver=LevenbergMarquardt(max_steps=6, relative_decrease=1e-2),
    ),
    Stage(
        "coarse",
        POSE + CAMERA + SHAPE + COLOUR + DETECTOR,
        POINTS + COLOURS + PRIORS,
        blur_px=2.0,
        mask_occlusions=True,
        solver=LevenbergMarquardt(max_steps=8, relative_decrease=1e-3),
    ),
    Stage(
        "fine",
        POSE + CAMERA + SHAPE + COLOUR + DETECTOR,
        ("contour", *POINTS, *COLOURS, *PRIORS),
        blur_px=0.7,
        mask_occlusions=True,
        solver=LevenbergMarquardt(max_steps=8, relative_decrease=1e-3),
    ),
)
SKIN_STAGES = (
    # Shape is found with the colours that explain the photo best; how much of them is skin and how
    # much light is decided behind it, so that a dim picture costs no accuracy.
    Stage(
        "skin",
        COLOUR,
        (*COLOURS, "exposure"),
        blur_px=0.7,
        mask_occlusions=True,
        solver=LevenbergMarquardt(max_steps=12, relative_decrease=1e-4),
    ),
    Stage(
        "judgement",
        POSE + CAMERA + SHAPE + COLOUR + DETECTOR,
        ("contour", *POINTS, *COLOURS, "exposure", *PRIORS),
        blur_px=0.7,
        mask_occlusions=True,
        solver=LevenbergMarquardt(max_steps=0),
    ),
)


@dataclass(frozen=True)
class FitConfig(Settings):
    """All settings. Every weight is the sigma of a noise or of a prior, with its unit.

    Each field that holds evidence is a term that stages can name: `FitConfig(iris=Iris(0.3))`
    changes one, and a subclass with one more field adds one.

    Raises:
        InputError: a number is out of range, or a stage names no such evidence.
    """

    preset: str = "default"
    """What the settings are called in results."""
    size_px: int = 224
    """Side of the square crop that is compared, 64 to 1024; the face takes some 70 % of it."""
    stages: tuple[Stage, ...] = LANDMARK_STAGES + PHOTO_STAGES + SKIN_STAGES
    """What is run, in this order."""

    landmarks: Landmarks = field(default_factory=Landmarks)
    """Points that the detector saw."""
    network: Landmarks = field(default_factory=lambda: Landmarks(NETWORK, modes_scale=1.0))
    """Points that the model's own network saw, where it has one: its table was made of pictures
    that are about as hard as photos, so it is taken at its word."""
    detector_modes: DetectorModesPrior = field(default_factory=DetectorModesPrior)
    """What the detector makes of the photo."""
    openings: Openings = field(default_factory=Openings)
    """How far eyes and mouth are open."""
    blendshapes: Blendshapes = field(default_factory=Blendshapes)
    """The detector's scores of the expression."""
    iris: Iris = field(default_factory=Iris)
    """The size of the irises."""
    contour: Contour = field(default_factory=Contour)
    """Where the face ends."""
    photometric: Photometric = field(default_factory=Photometric)
    """The colours of the face."""
    identity: IdentityPrior = field(default_factory=IdentityPrior)
    """Whose face is likely."""
    detail: DetailPrior = field(default_factory=DetailPrior)
    """What of it beyond the principal components."""
    expression: ExpressionPrior = field(default_factory=ExpressionPrior)
    """Which expressions are likely."""
    joints: JointsPrior = field(default_factory=JointsPrior)
    """How far jaw, eyes and neck are turned, where a model has joints."""
    albedo: AlbedoPrior = field(default_factory=AlbedoPrior)
    """Which colours of skin are likely."""
    distance: DistancePrior = field(default_factory=DistancePrior)
    """How far a head is from the camera."""
    focal: FocalPrior = field(default_factory=FocalPrior)
    """How long a focal length is."""
    light: LightPrior = field(default_factory=LightPrior)
    """How a face is lit."""
    exposure: Exposure = field(default_factory=Exposure)
    """How dark the skin is and how bright the light on it."""
    positive_light: PositiveLight = field(default_factory=PositiveLight)
    """That it is lit by no less than nothing."""

    perceptual: Perceptual = field(default_factory=Perceptual)
    """What a recognition network makes of the fitted face."""
    flattening: Flattening = field(default_factory=Flattening)
    """That skin has about one colour."""
    pixels: Pixels = field(default_factory=Pixels)
    """The colours of each pixel, as Deng et al. 2019 compare them."""
    landmarks68: Landmarks68 = field(default_factory=Landmarks68)
    """68 points, as Deng et al. 2019 compare them."""
    tint: WhiteLight = field(default_factory=WhiteLight)
    """That light is nearly white, as their code has it."""

    counts: tuple[tuple[str, float], ...] = ()
    """Terms that count so many times as much as their sigmas say: a share of 0.5 halves a term's
    energy. For comparisons; what is known of a noise belongs into its sigma."""
    crop: Literal["box", "five points"] = "box"
    """Which square of the photo is compared: about all points, or by eyes, nose and corners of the
    mouth as in Deng et al. 2019."""
    crop_focal_px: float | None = None
    """Focal length in px of a crop of 224 px whose middle the camera's axis meets; None: the camera
    is the photo's."""
    init: Literal["auto", "landmarks", "regressor"] = "auto"
    """Whether a fit begins with the mean face where the landmarks put it, or with the face that the
    model's regressor sees; `auto` takes the better after a few steps."""
    focal_px: float | None = None
    """Focal length in px of the photo where it is known; else EXIF or an estimate."""
    threads: int | None = 1
    """Threads of PyTorch during the fit; None leaves them. One is as fast as two for one photo:
    give each core its own photo."""

    def __post_init__(self) -> None:
        if self.focal_px is not None and not self.focal_px > 0:
            raise InputError(f"The focal length must be above 0 px, got {self.focal_px}.")
        super().__post_init__()
        known = self.evidence()
        for name, _ in self.counts:
            if name not in known:
                raise InputError(unlike(name, known, "term"))
        for stage in self.stages:
            unknown = [name for name in stage.terms if name not in known]
            if unknown:
                raise InputError(
                    f"The stage {stage.name} names {', '.join(unknown)}, which is no evidence: "
                    f"choose of {', '.join(known)}."
                )

    @property
    def uses_network(self) -> bool:
        """Whether the network has anything to say."""
        return self.init == "regressor" or any("network" in stage.terms for stage in self.stages)

    def evidence(self) -> dict[str, Evidence]:
        """All that stages can name."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        if self.focal_px is not None:
            # The size of the head then says how far it is, far better than its perspective does.
            values["distance"] = replace(self.distance, told_share=0.0)
        return {name: value for name, value in values.items() if isinstance(value, Evidence)}

    def of_person(self) -> tuple[str, ...]:
        """Unknowns and evidence that all photos of a person share: what `solve.join` asks for."""
        unknowns = [name for name, row in UNKNOWNS.items() if row.per == "person"]
        evidence = [name for name, one in self.evidence().items() if one.per == "person"]
        return tuple(dict.fromkeys([*unknowns, *evidence]))

    def share_of(self, term: str) -> float:
        """How many times a term counts as much as its sigmas say."""
        return dict(self.counts).get(term, 1.0)

    def solved_by(self, solver: Solver) -> "FitConfig":
        """The same with each stage solved by this solver instead of its own."""
        return replace(self, stages=tuple(replace(one, solver=solver) for one in self.stages))
