"""Settings of a track: how key frames are chosen, what a frame is fitted by, how heads move."""

from dataclasses import dataclass, field, replace

from fit3dmm._errors import InputError
from fit3dmm._settings import Settings, ranged
from fit3dmm.fitting.config import DETECTOR, LANDMARK_STAGES, POSE, FitConfig
from fit3dmm.fitting.evidence import Photometric
from fit3dmm.fitting.stage import Stage
from fit3dmm.solve.levenberg_marquardt import LevenbergMarquardt
from fit3dmm.unknowns import (
    DETECTOR_MODES,
    EXPRESSION,
    IRRADIANCE,
    ROTATION,
    TRANSLATION,
)

_POINTS = ("landmarks", "network", "detector_modes", "openings", "blendshapes", "expression")
_COLOURS = ("photometric", "light", "positive_light")


@dataclass(frozen=True)
class Motion(Settings):
    """How much a head and a face change: a random walk, which prefers no direction and no rest.

    Each number is the standard deviation of the change within a second; that within t seconds is
    the square root of t times as much. They are such that a thirtieth of a second moves a head and
    a face about as far as talking people do move: 45 degrees, 8 cm and four activations a second.
    """

    rotation_rad: float = 0.15
    translation_mm: float = 15.0
    expression: float = 0.8
    """Of an activation, or in sigmas for models without named blendshapes."""
    irradiance: float = 0.05
    """Of each harmonic, in linear RGB."""
    detector_modes: float = 10.0
    """Of what a detector makes of the face, in its own sigmas: hardly less than anew in each frame.
    Held tighter, its moods become movements of the head."""

    def of(self, name: str) -> float:
        """The number for an unknown."""
        numbers = {
            ROTATION: self.rotation_rad,
            TRANSLATION: self.translation_mm,
            EXPRESSION: self.expression,
            IRRADIANCE: self.irradiance,
            DETECTOR_MODES: self.detector_modes,
        }
        return numbers[name.partition("/")[0]]


@dataclass(frozen=True)
class KeyFrames(Settings):
    """Which frames say whose face it is."""

    n: int = 6
    """Frames that are fitted together."""
    n_candidates: int = 48
    """Frames, evenly over the video, of which they are chosen."""
    yaw_deg: float = 15.0
    """A turn this much apart tells as much anew as `pitch_deg` or `expression` do."""
    pitch_deg: float = 12.0
    expression: float = 0.8
    """Length of a difference of all scores."""
    largest_yaw_deg: float = 50.0
    """Heads that are turned further say too little of the rest."""
    least_sharpness: float = ranged(0.6, 0.0, 1.0)
    """Share of the candidates' median below which a frame is blurred."""


def frame_config(n_samples: int = 400, steps: int = 2) -> FitConfig:
    """What a frame is fitted by: all stages where a face is found anew, the last two after that.

    Points say where the head is and what the face does, then colours say the light. Both together
    ask for three times as many steps, and come no nearer (docs/video.md).

    Args:
        n_samples: points at which colours are compared.
        steps: of the last stages. With one, turns come out half a degree from where many lead.
    """
    pose = LANDMARK_STAGES[0]
    moving = (EXPRESSION, *POSE, *DETECTOR)
    found = Stage(
        "found",
        moving,
        _POINTS,
        solver=LevenbergMarquardt(max_steps=12, relative_decrease=1e-3),
    )
    few = LevenbergMarquardt(max_steps=steps, relative_decrease=1e-3)
    followed = Stage("followed", moving, _POINTS, solver=few)
    lit = Stage("lit", (IRRADIANCE,), _COLOURS, mask_occlusions=True, solver=few)
    return FitConfig(
        preset="track",
        stages=(pose, found, followed, lit),
        photometric=Photometric(n_samples=n_samples),
    )


@dataclass(frozen=True)
class TrackConfig(Settings):
    """All settings of a track."""

    motion: Motion = field(default_factory=Motion)
    """What is expected between frames."""
    key_frames: KeyFrames = field(default_factory=KeyFrames)
    """Where the person is learned from."""
    person: FitConfig = field(default_factory=FitConfig)
    """What key frames are fitted by."""
    frame: FitConfig = field(default_factory=frame_config)
    """What every frame is fitted by."""
    n_following: int = 2
    """The last stages of `frame`, which are run on every frame; each moves other unknowns. All of
    them are run where a face is found anew."""
    level: int = ranged(0, 0)
    """Subdivision of the surface that frames are compared by; detectors' points are the fine
    surface's in any case."""
    look_ahead_s: float = ranged(0.3, 0.0)
    """How long after a frame later ones still change it."""
    lost_mm: float = 4.0
    """A face whose points lie further off on average is not the one that was followed."""
    jump: float = 0.5
    """Share of a face's size by which it may be off between two frames: beyond it is a cut."""
    search_every_s: float = 1.0
    """While there is no face, small and turned ones are looked for this often."""

    def __post_init__(self) -> None:
        super().__post_init__()
        moved = [family for stage in self.following for family in stage.free]
        if self.n_following > len(self.frame.stages) or len(moved) != len(set(moved)):
            raise InputError(
                f"The last {self.n_following} of {len(self.frame.stages)} stages are run on all "
                "frames: there must be as many, and each must move other unknowns."
            )

    @property
    def following(self) -> tuple[Stage, ...]:
        """The stages that are run on every frame."""
        return self.frame.stages[-self.n_following :]


def without_network(config: TrackConfig) -> TrackConfig:
    """The same without the network's looks at frames, key frames apart."""
    stages = tuple(
        replace(stage, terms=tuple(name for name in stage.terms if name != "network"))
        for stage in config.frame.stages
    )
    return replace(config, frame=replace(config.frame, stages=stages))
