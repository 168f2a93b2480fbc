"""Which of the faces of a photo is meant, and sentences where that can't be told."""

import math
from typing import Literal

from fit3dmm._errors import InputError
from fit3dmm.observe.box import Box, middle_lies_in
from fit3dmm.observe.face import DetectedFace

FaceChoice = Literal["only", "largest", "all"] | int | Box


class NoFaceError(InputError):
    """A photo shows no face that MediaPipe sees."""


def choose_faces(
    faces: tuple[DetectedFace, ...], choice: FaceChoice, label: str, searched: str = ""
) -> tuple[DetectedFace, ...]:
    """The faces that are meant, by anything but a box.

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
        raise NoFaceError(
            f"No face was found in {label}{how}: give a photo in which eyes, nose and mouth are "
            "seen and the head is not turned beyond a profile, or say where the face is with a box."
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


def check_box(box: Box, width_px: int, height_px: int) -> None:
    """Whether a box can hold a face of a photo.

    Raises:
        InputError: it is none, or little of it lies in the photo.
    """
    left, top, right, bottom = box
    if not (all(map(math.isfinite, box)) and left < right and top < bottom):
        raise InputError(
            f"Expected the left, top, right and bottom of a face in px, got {_listed(box)}: right "
            "must be more than left, and bottom more than top."
        )
    if not middle_lies_in(box, width_px, height_px):
        raise InputError(
            f"The middle of the box {_listed(box)} does not lie in the photo, which has "
            f"{width_px} x {height_px} px."
        )


def _listed(box: Box) -> str:
    return ", ".join(f"{side:g}" for side in box)


def _place(number: int, face: DetectedFace) -> str:
    left, top, right, bottom = face.box_px
    return f"{number}: x {left:.0f}..{right:.0f}, y {top:.0f}..{bottom:.0f}"
