"""What is taken for hair in the map of a photo."""

from dataclasses import dataclass

from fit3dmm._settings import Settings, ranged


@dataclass(frozen=True)
class HairMapSettings(Settings):
    """What is taken for hair: judgements by looking, not measurements."""

    cells: int = ranged(120, 32)
    """Side of the map."""
    margin: float = ranged(1.7, 1.0)
    """Its side over the head's longer side."""
    rounds: int = ranged(4, 1)
    """Rounds of expectation and maximisation."""
    network_errs: float = ranged(0.12, 0.0, 1.0)
    """Probability that is added to each of those that the network tells."""
    on_scalp: float = ranged(0.5, 0.0, 1.0)
    """Prior probability of hair where the head's model has its scalp."""
    reach_mm: tuple[float, float] = (22.0, 30.0)
    """Distances over which it falls by a factor of e: from the scalp down the face, and out from
    the head."""
    on_face: float = ranged(0.02, 0.0, 1.0)
    """The same anywhere on the face: strands."""
    least_spread: tuple[float, float, float, float] = (0.25, 0.07, 0.09, 0.35)
    """Least standard deviations of lightness, of two directions of hue and of roughness."""
    fewest: float = ranged(60.0, 0.0)
    """Cells of hair, or of skin, without which there is none."""
    narrowest_cells: int = ranged(3, 1)
    """What is narrower is no hair."""
    beard: float = ranged(0.1, 0.0, 1.0)
    """The same below the nose."""
    least_yellow: float = ranged(0.2, 0.0)
    """Natural logarithm of blue over the other colours beyond which hair is unlikely."""
    own_mm: float = 25.0
    """Distance from the head over which what looks like hair says less of its colour by a factor of
    e."""
    smooth_cells: float = ranged(0.8, 0.0)
    """Standard deviation of the blur of what each cell says."""
