"""What the command line prints: a name that can't be shown, or nobody who reads, stops no fit."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fit3dmm._errors import InputError

if TYPE_CHECKING:
    from rich.console import Console


def say(text: str, error: bool = False) -> None:
    """Print one line, on the standard error stream if so told.

    Raises:
        InputError: the line can't be written, for example because the disk is full.
    """
    stream = sys.stderr if error else sys.stdout
    try:
        print(printable(text), file=stream, flush=True)
    except BrokenPipeError:
        silence(stream)
    except OSError as failure:
        silence(stream)
        raise InputError(
            f"Can't print: {failure.strerror or failure}; send the output elsewhere."
        ) from failure


def printable(text: str) -> str:
    """The text in one line, with escapes for what no terminal shows: names may hold anything."""
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def console(stderr: bool = False) -> "Console":
    """A console that shows words as they are: brackets in names are no markup."""
    from rich.console import Console  # takes time, and --version needs none

    return Console(stderr=stderr, markup=False, highlight=False, emoji=False)


@contextlib.contextmanager
def working_streams() -> Iterator[None]:
    """Standard streams that take whatever is printed, also where the system gives none.

    Services and `2>&-` start programs without them. The numbers of closed streams would be given to
    the next files that are opened, and a library's message would be written into a result.
    """
    for number in range(3):
        _open_number(number)
    before = sys.stdout, sys.stderr
    with contextlib.ExitStack() as stack:
        stack.callback(_set_streams, *before)
        _set_streams(*(stack.enter_context(_working(stream)) for stream in before))
        yield


def silence(stream: object) -> None:
    """Send what is still printed nowhere: a second failure would come at the program's end."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # pyright: ignore[reportAttributeAccessIssue]
        os.close(nowhere)


def _open_number(number: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        # The lowest free number is taken, and lower ones are open already.
        os.open(os.devnull, os.O_RDWR)


def _set_streams(stdout: object, stderr: object) -> None:
    sys.stdout, sys.stderr = stdout, stderr  # pyright: ignore[reportAttributeAccessIssue]


@contextlib.contextmanager
def _working(stream: object) -> Iterator[object]:
    if stream is None:
        with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - no path but a device
            yield nowhere
    elif isinstance(stream, io.TextIOWrapper):
        errors = stream.errors
        stream.reconfigure(errors="backslashreplace")
        try:
            yield stream
        finally:
            stream.reconfigure(errors=errors)
    else:
        yield stream
