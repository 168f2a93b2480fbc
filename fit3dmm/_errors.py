"""The one exception that is the user's to mend."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Something given to fit3dmm is unusable: a file, a photo, a number.

    The message is one sentence that says what was expected, what came and what to do. The command
    line prints it and exits with code 2; every other exception is a failure of our own (code 1).
    """


def unlike(name: str, known: Iterable[str], what: str) -> str:
    """The sentence about a name that does not exist, with the nearest one that does.

    Args:
        name: as it was given.
        known: names that exist.
        what: of which kind they are, such as `preset`.
    """
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}? There are" if near else "choose one of"
    return f"There is no {what} {name!r}: {hint} {', '.join(names)}."
