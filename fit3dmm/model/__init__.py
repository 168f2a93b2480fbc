"""The face model: records, readers and what lies on its surface."""

from fit3dmm.model.files import load_model as load_model
from fit3dmm.model.morphable import Coefficients as Coefficients
from fit3dmm.model.morphable import ModelInfo as ModelInfo
from fit3dmm.model.morphable import MorphableModel as MorphableModel
from fit3dmm.model.surface import Surface as Surface
from fit3dmm.model.surface import build_surface as build_surface
