"""Curves of a training for TensorBoard, which is optional."""

import importlib.util
from pathlib import Path
from types import TracebackType
from typing import Any

from fit3dmm._errors import InputError
from fit3dmm.regress.looks import Look


class TrainingLog:
    """Writes what each look says. Use it in a `with` statement.

    Args:
        folder: that `tensorboard --logdir` is given.

    Raises:
        InputError: TensorBoard is not installed, or the folder can't be written to.
    """

    def __init__(self, folder: Path) -> None:
        if importlib.util.find_spec("tensorboard") is None:
            raise InputError(
                "--log needs TensorBoard, which is not installed: pip install 'fit3dmm[log]'."
            )
        from torch.utils.tensorboard.writer import SummaryWriter

        try:
            self._writer: Any = SummaryWriter(str(folder))
        except OSError as error:
            raise InputError(
                f"Can't write to {folder}: {error.strerror or error}; choose another folder."
            ) from error

    def __enter__(self) -> "TrainingLog":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()

    def add(self, look: Look) -> None:
        """One point of every curve."""
        curves = {
            "loss": look.loss,
            **{f"renders/{name}": value for name, value in look.parts.items()},
            **{f"photos/{name}": value for name, value in look.photo_parts.items()},
            "renders/worse": look.worse,
            "pace/pictures": look.pictures,
            "pace/waited": look.waited,
            "pace/hours": look.seconds / 3600,
        }
        for name, value in curves.items():
            self._writer.add_scalar(name, value, look.step)
        self._writer.flush()
