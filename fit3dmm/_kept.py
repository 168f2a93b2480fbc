"""What is worked out once of a record and kept for as long as the record lives."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from torch.utils.weak import WeakIdKeyDictionary

Result = TypeVar("Result")


def kept(most: int = 4) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Decorate a function of a record, which is never changed, and of hashable values besides.

    The results are shared by all who ask for them, so nobody may write into them.

    Args:
        most: results kept of one record; then the oldest goes.
    """

    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        # By identity: two records that are equal are as rare as their comparison is slow.
        known: Any = WeakIdKeyDictionary()

        @functools.wraps(function)
        def remembered(record: Any, *values: Any) -> Result:
            results = known.setdefault(record, {})
            if values not in results:
                # Two threads may both work it out, and come to the same.
                result = function(record, *values)
                for oldest in list(results)[: max(len(results) - most + 1, 0)]:
                    results.pop(oldest, None)
                results[values] = result
                return result
            return results[values]

        return remembered

    return decorate
