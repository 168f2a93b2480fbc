"""fit3dmm: fit a 3D morphable face model to photos."""

__version__ = "0.1.0"
