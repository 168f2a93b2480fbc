"""Numbers about errors, and the curve of how many lie below a bound."""

from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float

from fit3dmm._errors import InputError


@dataclass(frozen=True)
class ErrorStatistics:
    """What is reported about a set of distances. All but `count` have their unit."""

    count: int
    median: float
    mean: float
    std: float
    """Of the population (divided by n), as the protocols do unless they say otherwise."""
    rms: float
    p90: float
    """Nine of ten are below this."""
    max: float

    def as_dict(self) -> dict[str, int | float]:
        """For JSON."""
        return asdict(self)


def describe_errors(errors: Float[np.ndarray, "errors"]) -> ErrorStatistics:
    """Statistics of a set of errors.

    Raises:
        InputError: there are none, or one is not finite.
    """
    if len(errors) == 0:
        raise InputError("There is no error to describe: no point was scored.")
    if not np.isfinite(errors).all():
        raise InputError("An error is not a finite number; look for NaN in the meshes.")
    errors = np.asarray(errors, dtype=np.float64)
    return ErrorStatistics(
        count=len(errors),
        median=float(np.median(errors)),
        mean=float(errors.mean()),
        std=float(errors.std()),
        rms=float(np.sqrt((errors**2).mean())),
        p90=float(np.percentile(errors, 90)),
        max=float(errors.max()),
    )


def cumulative_share(
    errors: Float[np.ndarray, "errors"], bounds: Float[np.ndarray, "bounds"]
) -> Float[np.ndarray, "bounds"]:
    """Share of the errors that are at most each bound, 0 to 1."""
    ordered = np.sort(errors)
    return np.searchsorted(ordered, bounds, side="right") / max(len(ordered), 1)
