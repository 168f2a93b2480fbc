"""Which of the faces of a photo is meant, and sentences where that can't be told."""

from typing import Literal

from fit3dmm._errors import InputError
from fit3dmm.observe.face import DetectedFace

FaceChoice = Literal["only", "largest", "all"] | int


def choose_faces(
    faces: tuple[DetectedFace, ...], choice: FaceChoice, label: str, searched: str = ""
) -> tuple[DetectedFace, ...]:
    """The faces that are meant.

    Args:
        faces: all that were found, the largest first.
        choice: `only` (there must be one), `largest`, `all`, or the number of a face: 1 is the
            largest, 2 the next.
        label: what messages call the photo.
        searched: how it was looked for them, for the sentence that says that there is none.

    Raises:
        InputError: no face, no such face, or several where one was meant.
    """
    if not faces:
        how = f" {searched}" if searched else ""
        raise InputError(
            f"No face was found in {label}{how}: give a photo in which eyes, nose and mouth are "
            "seen and the head is not turned beyond a profile."
        )
    if choice == "all":
        return faces
    if choice == "largest" or (choice == "only" and len(faces) == 1):
        return faces[:1]
    if isinstance(choice, int) and 1 <= choice <= len(faces):
        return (faces[choice - 1],)
    asked = f"there is no face {choice}" if isinstance(choice, int) else "it is not said which"
    listing = "; ".join(_place(i, face) for i, face in enumerate(faces, start=1))
    raise InputError(
        f"{label[:1].upper()}{label[1:]} shows {len(faces)} face(s) ({listing}) and {asked}: "
        f"ask for a number from 1 to {len(faces)}, the largest or all."
    )


def _place(number: int, face: DetectedFace) -> str:
    left, top, right, bottom = face.box_px
    return f"{number}: x {left:.0f}..{right:.0f}, y {top:.0f}..{bottom:.0f}"
