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
    about: ClassVar[tuple[str, ...]] = ()
    """Unknowns that it is about, where these are few: it is added to stages that move them. Else to
    those that move the shape."""
    slow: ClassVar[bool] = False
    """Whether a step with it takes so long that it is added to the last stage alone."""
    unit: ClassVar[str] = ""
    """Of the settings whose names do not say it."""

    def term(self, context: Context) -> Term | None:
        """The term; None where photo and model have nothing to say."""
        raise NotImplementedError
