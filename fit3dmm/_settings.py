"""Records of settings: every number of them is checked when a record is made."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from fit3dmm._errors import InputError

_LOWEST, _HIGHEST = "lowest", "highest"


def ranged(default: Any, lowest: int | float, highest: int | float = math.inf) -> Any:
    """A field of `Settings` whose numbers may lie within other bounds than above zero.

    Args:
        default: of the field.
        lowest, highest: both admissible.
    """
    return field(default=default, metadata={_LOWEST: lowest, _HIGHEST: highest})


@dataclass(frozen=True)
class Settings:
    """Base of frozen records of settings.

    A sigma, a scale, a size or a count means nothing at zero or below, so each number of a record,
    also in tuples, must be finite and above zero unless its field is `ranged`.

    Raises:
        InputError: a number is out of range, or none at all.
    """

    def __post_init__(self) -> None:
        for one in fields(self):
            for number in _numbers(getattr(self, one.name)):
                lowest, highest = one.metadata.get(_LOWEST), one.metadata.get(_HIGHEST, math.inf)
                inside = number > 0 if lowest is None else lowest <= number <= highest
                if not (inside and math.isfinite(number)):
                    raise InputError(
                        f"{one.name} must be {_range(lowest, highest)}, got {number}: "
                        f"see {type(self).__name__} for what it stands for."
                    )


def _numbers(value: Any) -> Iterator[int | float]:
    """The numbers of a field; switches, names and other records are none."""
    if isinstance(value, tuple):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


def _range(lowest: int | float | None, highest: int | float) -> str:
    if lowest is None:
        return "above 0"
    if math.isinf(highest):
        return f"{lowest:g} or more"
    return f"{lowest:g} to {highest:g}"
