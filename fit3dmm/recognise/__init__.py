"""Whose face it is: a recognition network with gradients, and the square that it looks at."""

from fit3dmm.recognise.chip import chip_from_points as chip_from_points
from fit3dmm.recognise.chip import extract_chip as extract_chip
from fit3dmm.recognise.files import shipped_recogniser as shipped_recogniser
from fit3dmm.recognise.network import Recogniser as Recogniser
from fit3dmm.recognise.network import cosine_distance as cosine_distance
