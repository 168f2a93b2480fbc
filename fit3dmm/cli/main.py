"""`fit3dmm`: finds the command, runs it, and turns failures into a sentence and an exit code."""

import atexit
import contextlib
import difflib
import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from fit3dmm import _collector
from fit3dmm._errors import InputError
from fit3dmm._version import __version__
from fit3dmm.cli.console import say, silence, working_streams

# Each command is a module in fit3dmm.cli that says COMMAND: a frozen record with `run()`, or a
# mapping of subcommand names to such records; it may offer `in_current_words`, which puts arguments
# that have got another name under it. Modules are imported when their command is named, so
# that help and --version need not wait for torch.
COMMANDS = {
    "doctor": "Check the installation: versions, devices, renderers, and a self-test.",
    "evaluate": "Score fits, or meshes that another system made, by the field's benchmarks.",
    "fit": "Fit the faces in photos: meshes, avatars, textures, depth and numbers.",
    "model": "List, inspect, show, convert and download face models.",
    "predict": "Say what the model's network sees of the faces in photos, without a fit.",
    "refine": "Refine coefficients that any system made of a photo, or keep them.",
    "render": "Draw a result, a saved scene, or a model with given coefficients.",
    "skin": "Train, apply and score classifiers that tell skin by its colour.",
    "track": "Follow a face through a video: an avatar that moves, and numbers of every frame.",
    "train": "Train a network that sees faces, for any model, on rendered people.",
    "view": "Open the report of a result in the browser.",
}

# 128 and the number of SIGPIPE, which Windows has not.
_PIPE_CLOSED = 141


@runtime_checkable
class Command(Protocol):
    """What every command record offers."""

    def run(self) -> None: ...


def program() -> int:
    """The program `fit3dmm`: `main`, whose process then ends without being taken apart.

    To take all modules and what they hold apart, object by object, takes torch's users a twentieth
    of a command that fits one photo. Whatever else is registered for the end is done before.
    """
    codes: list[int] = []
    # The first that is registered is the last that is called.
    atexit.register(_end_at_once, codes)
    codes.append(main())
    return codes[0]


def _end_at_once(codes: list[int]) -> None:
    """End the process with the code; a failure that nobody caught ends it as usual."""
    if codes:
        for stream in (sys.stdout, sys.stderr):
            # There may be none, and who reads may be gone.
            with contextlib.suppress(AttributeError, OSError, ValueError):
                stream.flush()
        os._exit(codes[0])


def main(arguments: list[str] | None = None) -> int:
    """Run a command. Returns 0, 2 for bad input, 1 for our own failure, 128 + n after signal n."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # Spinning OpenMP threads make a second thread under contention ten times slower, and the
    # policy is read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with working_streams(), _signals_interrupt() as came:
        try:
            _run(arguments)
            sys.stdout.flush()
        except InputError as error:
            # Some sentences go on with the layout of a folder.
            for line in f"fit3dmm: {error}".split("\n"):
                say(line, error=True)
            return 2
        except KeyboardInterrupt:
            say("fit3dmm: interrupted; nothing half-written is left behind.", error=True)
            return 128 + (came[0] if came else signal.SIGINT)
        except BrokenPipeError:
            # Who reads has seen enough: `fit3dmm model list | head -1`.
            silence(sys.stdout)
            return _PIPE_CLOSED
    return 0


def _run(arguments: list[str]) -> None:
    if arguments[:1] in ([], ["-h"], ["--help"]):
        _print_overview()
    elif arguments == ["--version"]:
        print(f"fit3dmm {__version__}")
    else:
        _parse(arguments).run()


@contextlib.contextmanager
def _signals_interrupt() -> Iterator[list[int]]:
    """SIGTERM and a closed terminal end a run as Ctrl-C does: what is half-written goes first."""
    came: list[int] = []

    def interrupt(number: int, _: object) -> None:
        came.append(number)
        raise KeyboardInterrupt

    before = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            # nohup's wish, and that of a program that handles it, is left alone.
            if number is not None and signal.getsignal(number) == signal.SIG_DFL:
                before[number] = signal.signal(number, interrupt)
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_overview() -> None:
    print("usage: fit3dmm COMMAND ...\n\nFit a 3D morphable face model to photos.\n")
    for name, summary in COMMANDS.items():
        print(f"  {name:<10} {summary}")
    print("\n`fit3dmm COMMAND --help` says what a command takes; `fit3dmm --version` the version.")


def _parse(arguments: list[str]) -> Command:
    name, *rest = arguments
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(COMMANDS)}."
        raise InputError(f"There is no command {name!r}: {hint}")
    with _collector.resting():
        # tyro takes a while to load: only a command pays for it.
        import tyro

        module = importlib.import_module(f"fit3dmm.cli.{name}")
    command, rest = module.COMMAND, getattr(module, "in_current_words", list)(rest)
    program = f"fit3dmm {name}"
    if isinstance(command, dict):
        return tyro.extras.subcommand_cli_from_dict(
            command, prog=program, description=COMMANDS[name], args=rest
        )
    return tyro.cli(command, prog=program, args=rest)


if __name__ == "__main__":
    sys.exit(program())
