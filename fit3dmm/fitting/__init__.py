"""The fit: a photo in, a scene with its evidence out."""

from fit3dmm.fitting.config import FitConfig as FitConfig
from fit3dmm.fitting.config import Stage as Stage
from fit3dmm.fitting.config import preset as preset
from fit3dmm.fitting.pipeline import fit as fit
from fit3dmm.fitting.pipeline import fit_faces as fit_faces
from fit3dmm.fitting.pipeline import fit_observation as fit_observation
from fit3dmm.fitting.prepared import PreparedModel as PreparedModel
from fit3dmm.fitting.prepared import prepare as prepare
from fit3dmm.fitting.result import FitResult as FitResult
from fit3dmm.fitting.result import Quality as Quality
from fit3dmm.fitting.result import StageReport as StageReport
from fit3dmm.fitting.uncertainty import Uncertainty as Uncertainty
