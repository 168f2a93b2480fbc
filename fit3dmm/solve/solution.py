"""What a solver gives back."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from fit3dmm.solve.problem import Evaluation, Values


class Reason(enum.Enum):
    """Why a solver stopped, in a sentence."""

    CONVERGED = "The last step lowered the energy by less than the tolerance."
    FLAT = "The gradient is zero within the tolerance."
    NO_DESCENT = "No step, however small, lowers the energy any more."
    STEP_LIMIT = "The limit of steps was reached; raise max_steps to go further."
    NOT_FINITE = "The energy at the start is not a finite number; check the input."

    @property
    def is_success(self) -> bool:
        """Whether the values lie at a minimum as far as the solver can tell."""
        return self in (Reason.CONVERGED, Reason.FLAT, Reason.NO_DESCENT)


@dataclass(frozen=True)
class Step:
    """One line of a solver's history."""

    energy: float
    """After the step."""
    damping: float
    """Levenberg's lambda; zero for solvers without one."""
    gain: float
    """Actual over predicted decrease; nan for solvers that predict none."""
    evaluations: int
    """Evaluations of all terms until now."""


@dataclass(frozen=True)
class Solution:
    """Where a solver ended, and how it came there."""

    values: Values
    energy: float
    energies: Mapping[str, float]
    """By term."""
    reason: Reason
    history: tuple[Step, ...]
    """The start first, then each accepted step."""
    at: Evaluation | None = field(default=None, compare=False, repr=False)
    """All terms there, from solvers that have them."""
