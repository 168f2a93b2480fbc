"""Which regressor a model is fitted with, where none is named."""

from dataclasses import replace
from functools import lru_cache

from fit3dmm._files import data_path
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.regress.files import Regressor, model_key, read_regressor

SHIPPED = "regressor.h5"


def regressor_of(model: MorphableModel) -> Regressor | None:
    """The shipped one, if the model has its points; another model than its own borrows it for what
    it sees, and takes no coefficients from it."""
    shipped = _shipped()
    points = [model.landmarks.get(name, ()) for name in shipped.info.point_sets]
    if sum(len(one) for one in points) != shipped.network.settings.n_points:
        return None
    own = shipped.info.model_key == model_key(model)
    return shipped if own else replace(shipped, knows_coefficients=False)


@lru_cache(maxsize=1)
def _shipped() -> Regressor:
    return read_regressor(data_path(SHIPPED))
