import pytest

from fit3dmm.face.face import Face
from fit3dmm.face.fit import face_of
from tests.export.faces import fitted, known_face


@pytest.fixture(scope="session")
def face() -> Face:
    """The fit of a drawing of the toy, with its photo."""
    known = known_face(yaw_rad=0.1)
    return face_of(fitted(known), known.model, known.photo)
