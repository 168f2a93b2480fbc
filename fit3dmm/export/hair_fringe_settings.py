"""What counts as hair that hangs over a forehead."""

from dataclasses import dataclass, field

from fit3dmm._settings import Settings, ranged
from fit3dmm.export.hair_front import FrontSettings
from fit3dmm.export.hair_outline import HairOutlineSettings


@dataclass(frozen=True)
class FringeSettings(Settings):
    """What counts as a fringe: judgements by looking, not measurements."""

    front: FrontSettings = field(default_factory=FrontSettings)
    """Where it is looked for."""
    line: HairOutlineSettings = field(
        default_factory=lambda: HairOutlineSettings(most_bend_mm=24.0)
    )
    """How its lower edge may bend."""
    bend_per_mm: float = ranged(0.05, 0.0)
    """Loss for each millimetre by which it is lower in one column than in the next."""
    lock_columns: float = ranged(0.7, 0.1)
    """Standard deviation of the blur, in columns of some 2 mm, over which locks hang together."""
    gap_columns: int = ranged(9, 1)
    """Width of the gaps between locks, in columns of some 2 mm."""
    gap_mm: float = ranged(6.0, 0.0)
    """How far up these reach at most."""
    steepest_mm: float = ranged(4.5, 0.1)
    """How much lower it may end in one column than in the next: locks are pointed."""
    off_mm: float = ranged(3.0, 0.0)
    """How far before the skin hair is looked for."""
    sure: float = ranged(0.8, 0.0, 1.0)
    """Probability from which the map tells what hair and what skin look like here."""
    fewest: int = ranged(40, 1)
    """Places of hair, or of skin, that must be seen."""
    least_spread: tuple[float, float, float] = ranged((0.22, 0.05, 0.06), 0.01)
    """Least standard deviations of lightness and of two directions of hue, natural logarithms."""
    most_odds: float = ranged(2.5, 0.0)
    """Logarithm of odds that one place's colour speaks for either at most."""
    network: float = ranged(0.8, 0.0)
    """Weight of what the network tells, which looks at some 4 mm at once."""
    cap: float = ranged(0.2, 0.0, 1.0)
    """What it tells of other things where the map has hair, on average, from which a cap is worn:
    0.34 under one, 0.11 at most on sixteen heads without."""
    odds_per_mm: float = ranged(0.12, 0.0)
    """Share of these that counts for each millimetre: neighbours tell the same."""
    middle_deg: float = ranged(46.0, 5.0)
    """Azimuth up to which it counts: what hangs at the temples alone is none."""
    short_mm: float = ranged(3.0, 0.0)
    """Length below the hairline that does not."""
    least_cm2: float = ranged(8.0, 0.0)
    """Area below that. Of 60 portraits drawn at random all with a fringe had 11 and more, but one
    with a lock of 4; of the others none had more than 6."""
    least_down_mm: float = ranged(8.0, 0.0)
    """How far below the hairline it must hang."""
    least_wide_mm: float = ranged(50.0, 0.0)
    """Over which width."""
    grazing: float = ranged(0.2, 0.0, 1.0)
    """Cosine between the skin and the view below which the map alone tells what is there."""
    least_apart: float = ranged(1.0, 0.0)
    """Least distance between the colours of hair and skin, over their spreads."""
    below_scalp_mm: float = ranged(6.0, 0.0)
    """How far below the model's scalp people's hairlines lie."""
