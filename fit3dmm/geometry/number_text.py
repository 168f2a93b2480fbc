"""Numbers in text files: what is no number is refused, never skipped."""

import re
import warnings

import numpy as np
from jaxtyping import Shaped

NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:nan|inf)", re.IGNORECASE)
"""A number as other programs write it, with a decimal point; Python alone would take `1_0` too."""

_MARKS = {
    b"\xef\xbb\xbf": "utf-8",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}


def without_mark(content: bytes) -> bytes:
    """The content without the byte order mark that some editors put before the first line.

    Raises:
        ValueError: the mark, or a zero byte, says that this is no text of one byte a character.
    """
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            if encoding != "utf-8":
                raise ValueError("it is encoded as UTF-16 where ASCII or UTF-8 is expected")
            return content.removeprefix(mark)
    return content


def parse_numbers(text: bytes, dtype: type[np.number]) -> Shaped[np.ndarray, "numbers"]:
    """Numbers with white space between them.

    Raises:
        ValueError: there is something else.
    """
    if not text.strip():
        return np.zeros(0, dtype)
    with warnings.catch_warnings():
        # At what is no number NumPy stops and warns; later versions raise.
        warnings.simplefilter("error")
        try:
            return np.fromstring(text, dtype=dtype, sep=" ")
        except (DeprecationWarning, ValueError) as error:
            raise ValueError("there is text where a number should be") from error
