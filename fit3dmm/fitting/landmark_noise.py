"""How far each of the detector's points lies from the model's own point, typically."""

import csv
import functools

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._files import data_path
from fit3dmm.observe.detect import N_POINTS


@functools.cache
def landmark_sigmas_mm() -> Float[Tensor, "478"]:
    """Standard deviation of each point in the picture's plane, in mm on the face.

    From data/landmark_sigmas.csv, which `tools/calibrate_landmarks.py` writes.
    """
    sigma_mm = torch.full((N_POINTS,), float("nan"))
    with data_path("landmark_sigmas.csv").open(newline="") as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            sigma_mm[int(row["point"])] = float(row["sigma_mm"])
    return sigma_mm
