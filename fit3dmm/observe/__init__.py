"""From a photo to what a fit takes: pixels, faces, points, crops, skin."""

from fit3dmm.observe.choice import FaceChoice as FaceChoice
from fit3dmm.observe.choice import choose_faces as choose_faces
from fit3dmm.observe.detect import FaceDetector as FaceDetector
from fit3dmm.observe.detect import detect_faces as detect_faces
from fit3dmm.observe.face import DetectedFace as DetectedFace
from fit3dmm.observe.observation import Observation as Observation
from fit3dmm.observe.observation import observe as observe
from fit3dmm.observe.observation import observe_face as observe_face
from fit3dmm.observe.photo import Photo as Photo
from fit3dmm.observe.photo import decode_photo as decode_photo
from fit3dmm.observe.photo import photo_from_array as photo_from_array
from fit3dmm.observe.photo import read_photo as read_photo
