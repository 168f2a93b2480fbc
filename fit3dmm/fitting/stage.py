"""One step of a fit's schedule."""

from dataclasses import dataclass, field

from fit3dmm._errors import InputError
from fit3dmm._settings import Settings, ranged
from fit3dmm.solve.levenberg_marquardt import LevenbergMarquardt
from fit3dmm.solve.solvers import Solver
from fit3dmm.unknowns import UNKNOWNS


@dataclass(frozen=True)
class Stage(Settings):
    """One minimisation: what moves, what it is compared with, and how sharp the photo is."""

    name: str
    """For histories and messages."""
    free: tuple[str, ...]
    """Unknowns that move, of `unknowns.UNKNOWNS`; a family stands for all its members, and
    `log_focal` stays where the focal length is given."""
    terms: tuple[str, ...]
    """Evidence that counts, by the names of the fields of the settings that hold it."""
    blur_px: float = ranged(0.0, 0.0)
    """Blur of the crop, in px of a crop of 224: coarse to fine."""
    hairless_only: bool = False
    """Whether colours count mainly where no hair grows: a first light must not explain a fringe."""
    mask_occlusions: bool = False
    """Whether colours count only where those around are explained at the start; before light has
    been fitted, none is."""
    white_light: bool = False
    """Whether light has no colour for the terms that draw pictures, as in Deng et al. 2019."""
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
