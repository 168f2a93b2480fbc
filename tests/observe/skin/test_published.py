"""The skin mixtures give their published answers."""

import csv
import subprocess
import sys

import numpy as np
import torch

from fit3dmm._files import data_path
from fit3dmm.observe.skin import skin_probability


def test_by_hand_against_the_plain_formula():
    """The product of matrices equals the sum of Gaussians written out."""
    densities = {"skin": 0.0, "other": 0.0}
    colour = np.array([200.0, 140.0, 120.0])
    with data_path("skin_jones_rehg.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            mean = np.array([float(row[f"mean_{c}"]) for c in "rgb"])
            variance = np.array([float(row[f"variance_{c}"]) for c in "rgb"])
            gauss = np.exp(-0.5 * ((colour - mean) ** 2 / variance).sum())
            densities[row["class"]] += float(row["weight"]) * gauss / np.sqrt(variance.prod())
    wanted = densities["skin"] / (densities["skin"] + densities["other"])
    got = skin_probability(torch.from_numpy(colour[None] / 255))
    # Both are double precision; the common factor (2 pi)^1.5 cancels.
    assert abs(got.item() - wanted) < 1e-9


def test_skin_sky_and_prior():
    image = torch.tensor([[[200.0, 140, 120], [40, 90, 200], [230, 230, 230]]]) / 255
    probability = skin_probability(image)
    assert probability.shape == (1, 3)
    assert probability[0, 0] > 0.8
    assert probability[0, 1] < 0.02
    assert (skin_probability(image, prior=0.9) >= probability).all()


def test_without_scikit_learn():
    """A fit must not wait for it."""
    code = (
        "import sys, fit3dmm.observe.observation; from fit3dmm.observe.skin import SkinModel; "
        "SkinModel.trained(); assert 'sklearn' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
