"""What decides a training's numbers."""

from dataclasses import dataclass, field

from fit3dmm.regress.batch import Changes
from fit3dmm.regress.learner import Learns
from fit3dmm.regress.loss import LossWeights


@dataclass(frozen=True)
class Phase:
    """A stretch of the training at one resolution."""

    size_px: int
    share: float
    """Of all steps."""


@dataclass(frozen=True)
class PhotoSettings:
    """How photos without labels are mixed with rendered pictures, where there are photos."""

    batch: int = 8
    """Photos a step, beside the rendered pictures; 0 shows none."""
    weight: float = 0.3
    """How much their energies count beside the losses on rendered pictures."""
    most_worse: float = 0.02
    """Share by which no error on held-out renders may be larger than it was at best. Weights of
    looks at which one is are not kept."""
    held_out: int = 200
    """Held-out photos that are looked at, at most."""


@dataclass(frozen=True)
class TrainingSettings:
    """How the network is trained; everything that decides its numbers."""

    steps: int | None = None
    """Optimisation steps; None trains by the clock, for `hours`."""
    hours: float = 2.0
    """Time for the whole training, where `steps` says none."""
    batch: int = 64
    """Pictures a step, those of all processes together."""
    trains: Learns = "all"
    """What learns. `upper` leaves the trunk's layers up to a stride of 4 as they are, and norms'
    statistics. The `refiner` alone takes a fraction of the time for a picture; what the last layer
    is told of the points learns with it, and what covers a face is seen as before."""
    fresh: int = 16
    """New pictures a step; the rest are earlier ones, changed by augmentation."""
    fill: int = 512
    """Pictures before the first step."""
    learning_rate: float = 1.2e-3
    """Of the head, at its highest."""
    trunk_rate: float = 4e-4
    """Of the trunk, at its highest."""
    weight_decay: float = 1e-4
    """Of AdamW."""
    warm_up: int = 100
    """Steps in which the rate rises."""
    clip: float = 5.0
    """Longest gradient."""
    average: float = 0.998
    """What of the averaged weights stays from step to step (EMA)."""
    phases: tuple[Phase, ...] = (Phase(128, 0.6), Phase(160, 0.3), Phase(224, 0.1))
    """Resolutions, one after another, and the share of the training of each."""
    weights: LossWeights = field(default_factory=LossWeights)
    """Of the parts of the loss."""
    changes: Changes = field(default_factory=Changes)
    """How pictures that are shown again differ."""
    photos: PhotoSettings = field(default_factory=PhotoSettings)
    """How photos are mixed in, where there are any."""
    seed: int = 0
    """Of the order of pictures and of their changes."""
    check_every: int = 500
    """Steps between looks at the held-out pictures, which are checkpoints too."""
    patience: int = 8
    """Looks without a better loss after which training stops."""
    bfloat16: bool = True
    """Whether the trunk computes in bfloat16, where the device does so natively."""
