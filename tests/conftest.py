import dataclasses

import pytest

from fit3dmm.model.files import load_model
from fit3dmm.synthetic.generate import make_case
from fit3dmm.synthetic.specification import specify


@pytest.fixture(scope="session")
def commons():
    return load_model()


@pytest.fixture(scope="session")
def small_case():
    """Small pictures are made as large ones are, in a fifth of the time."""
    spec = dataclasses.replace(specify(0, 1), width_px=160, height_px=200, occluder="fringe")
    return make_case(spec)
