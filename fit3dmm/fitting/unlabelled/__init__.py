"""What a photo without labels says of a network's answer: the energy of a fit."""

from fit3dmm.fitting.unlabelled.energies import PhotoEnergies as PhotoEnergies
from fit3dmm.fitting.unlabelled.settings import PhotoNoise as PhotoNoise
