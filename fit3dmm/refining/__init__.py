"""Refining what any system made of a photo: coefficients in, a fit that starts there out."""

from fit3dmm.refining.read import read_start as read_start
from fit3dmm.refining.refine import refine_observation as refine_observation
from fit3dmm.refining.start import Start as Start
