"""The 68 points out of MediaPipe's lie where the model has its own."""

from fit3dmm.observe.ibug import IBUG68_IN_MEDIAPIPE, ibug68_of_mediapipe


def test_the_points_lie_near_those_of_the_model(commons):
    mean = commons.zeros()
    made = ibug68_of_mediapipe(commons.landmarks_mm("mediapipe478", mean))
    off_mm = (made - commons.landmarks_mm("ibug68", mean)).norm(dim=1)
    assert len(IBUG68_IN_MEDIAPIPE) == 68
    # MediaPipe's contour is another line on the face, far inside of it at the angles of the jaw.
    assert float(off_mm[17:].mean()) < 4
    # The bridge of the nose has no features along it: 27 and 28 are midway between others.
    assert float(off_mm[27:].max()) < 9
    assert float(off_mm.max()) < 30


def test_no_point_stands_for_two_places():
    assert len(set(IBUG68_IN_MEDIAPIPE)) == 68
