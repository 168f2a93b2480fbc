"""Which regressor a model is fitted with, where none is named."""

from functools import lru_cache

from fit3dmm._files import data_path
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.regress.files import Regressor, model_key, read_regressor

SHIPPED = "regressor.h5"


def regressor_of(model: MorphableModel) -> Regressor | None:
    """The shipped one, if it belongs to the model."""
    shipped = _shipped()
    return shipped if shipped.info.model_key == model_key(model) else None


@lru_cache(maxsize=1)
def _shipped() -> Regressor:
    return read_regressor(data_path(SHIPPED))
