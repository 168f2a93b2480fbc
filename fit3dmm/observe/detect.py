"""Faces in a photo: where they are, 478 named points, expression scores and a first head pose.

MediaPipe's FaceLandmarker does the work (`observe.landmarker`); `observe.search` says where it
looks.
"""

from jaxtyping import Float
from torch import Tensor

from fit3dmm.observe.box import Box
from fit3dmm.observe.face import DetectedFace
from fit3dmm.observe.landmarker import FaceLandmarker
from fit3dmm.observe.photo import Photo
from fit3dmm.observe.search import first_look, look_in_box, look_near, search


class FaceDetector:
    """An open detector. Use it in a `with` statement, or call `close` when done.

    Threads may share it, and so may the processes that are forked after it was opened.
    """

    def __init__(self) -> None:
        self._landmarker = FaceLandmarker()

    def __enter__(self) -> "FaceDetector":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the networks. Further calls of `detect` fail."""
        self._landmarker.close()

    def detect(
        self, photo: Photo, small: bool = False, several: bool = False
    ) -> tuple[DetectedFace, ...]:
        """All faces, the largest first, turned ones too (`DetectedFace.upright_turn_deg`).

        Args:
            small: look for small faces also where larger ones were found. Without it they are
                looked for only where nothing larger is there.
            several: look for faces that the border cuts also where a whole one was found.
        """
        return search(photo.pixels_srgb.numpy(), self._landmarker.faces_in, several, small)

    def look_in_box(self, photo: Photo, box_px: Box) -> DetectedFace | None:
        """The face in a box (left, top, right, bottom), turned ones too, if it is seen there."""
        return look_in_box(photo.pixels_srgb.numpy(), self._landmarker.faces_in, box_px)

    def first_look(self, photo: Photo) -> tuple[DetectedFace, ...]:
        """What a single look at the whole photo finds, the largest first."""
        return first_look(photo.pixels_srgb.numpy(), self._landmarker.faces_in)

    def look_near(
        self, photo: Photo, points_px: Float[Tensor, "478 2"]
    ) -> tuple[DetectedFace, ...]:
        """What a single look around a place finds, in the turn in which a face was there.

        Args:
            photo: such as the next frame of a video.
            points_px: of the face that was there.
        """
        return look_near(photo.pixels_srgb.numpy(), self._landmarker.faces_in, points_px)


def detect_faces(
    photo: Photo, small: bool = False, several: bool = False
) -> tuple[DetectedFace, ...]:
    """`FaceDetector.detect` for a single photo."""
    with FaceDetector() as detector:
        return detector.detect(photo, small, several)
