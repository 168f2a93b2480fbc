"""Training pictures on disk: rendered by processes in the order of their seeds, and used again.

A slot holds the picture whose seed it is turn for, whoever rendered it and whenever. So training
sees the same pictures whatever the timing, and a killed run finds what it had.
"""

import json
import multiprocessing
import queue
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock, Timeout

from fit3dmm._errors import InputError
from fit3dmm._parallel import end_with_the_parent, one_thread_each
from fit3dmm.synthetic.fast.example import Example

StudioMaker = Callable[[], Any]
"""Makes a `Studio`, in the process that uses it; at the top level of a module, or a partial."""

_EMPTY = -1
_WAIT_S = 0.2


class PicturePool:
    """The last `capacity` pictures of an endless numbered list.

    Args:
        folder: where the arrays lie; those of an earlier run are used if they fit.
        make_studio: what renders.
        first_seed: of picture 0; the seed of picture k is `first_seed + k`.
        processes: that render. 0 renders here, when asked.
    """

    def __init__(
        self,
        folder: Path,
        make_studio: StudioMaker,
        capacity: int,
        first_seed: int,
        processes: int,
        signature: str = "",
    ) -> None:
        self._make, self.capacity, self._first = make_studio, capacity, first_seed
        self._studio: Any = None
        self._folder = folder
        self._lock = locked(folder)
        self._open(signature)
        self._processes: list[BaseProcess] = []
        self._upto = 0
        self._ordered: set[int] = set()
        self._early: dict[int, Example] = {}
        if processes:
            context = multiprocessing.get_context("spawn")
            self._orders: Any = context.Queue()
            self._done: Any = context.Queue()
            with one_thread_each():
                for _ in range(processes):
                    process = context.Process(
                        target=_render, args=(make_studio, self._orders, self._done), daemon=True
                    )
                    process.start()
                    self._processes.append(process)

    def _open(self, signature: str) -> None:
        note = self._folder / "pool.json"
        state = {"capacity": self.capacity, "first_seed": self._first, "signature": signature}
        fits = note.is_file() and json.loads(note.read_text(encoding="utf-8")) == state
        self._slots: dict[str, np.ndarray] = {}
        if fits:
            self._slots = _mapped(self._folder, "r+")
        else:
            for path in self._folder.glob("*.npy"):
                path.unlink()
        note.write_text(json.dumps(state), encoding="utf-8")

    def __enter__(self) -> "PicturePool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the renderers."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join()
        self._processes = []
        self._lock.release()

    def provide(self, upto: int, ahead: int = 0) -> int:
        """Wait until pictures `upto - capacity .. upto - 1` are there.

        Args:
            ahead: so many more are ordered from the renderers meanwhile.

        Returns:
            How many pictures had to be waited for: 0 where the renderers are ahead.
        """
        self._upto = upto
        for number in [k for k in self._early if k < upto]:
            self._store(number, self._early.pop(number))
        first = max(0, upto - self.capacity)
        missing = [k for k in range(first, upto) if not self._has(k)]
        if not self._processes:
            for number in missing:
                self._store(number, self._render_here(number))
            return len(missing)
        self._order(missing, upto, ahead)
        self._collect(block=False)
        waited = [k for k in missing if not self._has(k)]
        while not all(self._has(k) for k in waited):
            self._collect(block=True)
        return len(waited)

    def held(self) -> list[int]:
        """Numbers of the pictures that are there."""
        return sorted(int(k) for k in self._slots["number"] if k != _EMPTY) if self._slots else []

    def take(self, numbers: Sequence[int]) -> list[Example]:
        """Pictures that are there."""
        return [self._example(number) for number in numbers]

    def _order(self, missing: list[int], upto: int, ahead: int) -> None:
        for number in [*missing, *range(upto, upto + ahead)]:
            there = number in self._ordered or number in self._early or self._has(number)
            if not there:
                self._orders.put((number, self._first + number))
                self._ordered.add(number)

    def _collect(self, block: bool) -> None:
        while True:
            try:
                number, example = self._done.get(timeout=_WAIT_S) if block else (
                    self._done.get_nowait()
                )  # fmt: skip
            except queue.Empty:
                if not any(process.is_alive() for process in self._processes):
                    raise RuntimeError(
                        "The processes that render ended, perhaps for want of memory: run the "
                        "same command again with fewer of them; it goes on where it was."
                    ) from None
                return
            self._ordered.discard(number)
            if number < self._upto - self.capacity:
                pass  # its slot holds a later one
            elif number < self._upto:
                self._store(number, example)
            else:
                # Its slot still holds a picture that is in use.
                self._early[number] = example
            block = False

    def _has(self, number: int) -> bool:
        return bool(self._slots) and int(self._slots["number"][number % self.capacity]) == number

    def _store(self, number: int, example: Example) -> None:
        if not self._slots:
            self._create(example)
        slot = number % self.capacity
        self._slots["number"][slot] = _EMPTY
        for name, value in vars(example).items():
            self._slots[name][slot] = value
        # Last, so that a picture is there whole or not at all.
        self._slots["number"][slot] = number

    def _create(self, example: Example) -> None:
        def room(name: str, value: np.ndarray) -> np.ndarray:
            return np.lib.format.open_memmap(
                self._folder / f"{name}.npy", "w+", value.dtype, (self.capacity, *value.shape)
            )

        slots = {name: room(name, np.asarray(value)) for name, value in vars(example).items()}
        slots["number"] = room("number", np.asarray(0, dtype=np.int64))
        slots["number"][:] = _EMPTY
        self._slots = slots

    def _example(self, number: int) -> Example:
        return _example(self._slots, number, self.capacity)

    def _render_here(self, number: int) -> Example:
        if self._studio is None:
            self._studio = self._make()
        return self._studio.take(self._first + number)


class PictureReader:
    """The pictures of a pool that another process fills.

    Args:
        folder: of that pool.
        capacity: of that pool.
    """

    def __init__(self, folder: Path, capacity: int) -> None:
        self._folder, self.capacity = folder, capacity
        self._slots: dict[str, np.ndarray] = {}

    def provide(self, upto: int, ahead: int = 0) -> int:
        """Nothing: the other process does. Wait for it."""
        return 0

    def take(self, numbers: Sequence[int]) -> list[Example]:
        """Pictures that are there."""
        if not self._slots:
            self._slots = _mapped(self._folder, "r")
        return [_example(self._slots, number, self.capacity) for number in numbers]


def _mapped(folder: Path, mode: Literal["r", "r+"]) -> dict[str, np.ndarray]:
    return {path.stem: np.load(path, mmap_mode=mode) for path in sorted(folder.glob("*.npy"))}


def _example(slots: dict[str, np.ndarray], number: int, capacity: int) -> Example:
    slot = number % capacity
    if not slots or int(slots["number"][slot]) != number:
        raise KeyError(f"Picture {number} is not in the pool: call `provide` first.")
    values = {name: slots[name][slot] for name in Example.__dataclass_fields__}
    # A memory map's element of no dimensions is a numpy scalar; a record holds Python's.
    return Example(**{k: v if v.ndim else v.item() for k, v in values.items()})


def locked(folder: Path) -> FileLock:
    """Held until it is released: two that fill one folder would undo each other's work.

    Raises:
        InputError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "pool.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(
            f"Another training uses the pictures in {folder}: wait for its end, or write to "
            "another file."
        ) from None
    return lock


def _render(make_studio: StudioMaker, orders: Any, done: Any) -> None:
    """A process that renders what is ordered until its parent ends."""
    end_with_the_parent()
    studio = make_studio()
    while True:
        number, seed = orders.get()
        done.put((number, studio.take(seed)))
