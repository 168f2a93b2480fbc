"""What all kinds of evidence have in common."""

from dataclasses import dataclass
from typing import ClassVar

from fit3dmm._settings import Settings
from fit3dmm.fitting.context import Context
from fit3dmm.solve.problem import Term
from fit3dmm.unknowns import Per


@dataclass(frozen=True)
class Evidence(Settings):
    """Something that is known of a face: its settings, and how it becomes a term.

    A new kind is a subclass in a file of its own and a field of `FitConfig`, or of a subclass of
    it; stages name it by that field.
    """

    per: ClassVar[Per] = "photo"
    """Whether it counts once a photo or once a person, where several photos are of one."""

    def term(self, context: Context) -> Term | None:
        """The term; None where photo and model have nothing to say."""
        raise NotImplementedError
