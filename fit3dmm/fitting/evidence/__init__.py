"""What is known of a face: each kind in a file, with its settings and its term."""

from fit3dmm.fitting.evidence.blendshapes import Blendshapes as Blendshapes
from fit3dmm.fitting.evidence.colour import Photometric as Photometric
from fit3dmm.fitting.evidence.contour import Contour as Contour
from fit3dmm.fitting.evidence.evidence import Evidence as Evidence
from fit3dmm.fitting.evidence.exposure import Exposure as Exposure
from fit3dmm.fitting.evidence.flattening import Flattening as Flattening
from fit3dmm.fitting.evidence.iris import Iris as Iris
from fit3dmm.fitting.evidence.light import PositiveLight as PositiveLight
from fit3dmm.fitting.evidence.openings import Openings as Openings
from fit3dmm.fitting.evidence.perceptual import Perceptual as Perceptual
from fit3dmm.fitting.evidence.points import Landmarks as Landmarks
from fit3dmm.fitting.evidence.priors import AlbedoPrior as AlbedoPrior
from fit3dmm.fitting.evidence.priors import DetailPrior as DetailPrior
from fit3dmm.fitting.evidence.priors import DetectorModesPrior as DetectorModesPrior
from fit3dmm.fitting.evidence.priors import DistancePrior as DistancePrior
from fit3dmm.fitting.evidence.priors import ExpressionPrior as ExpressionPrior
from fit3dmm.fitting.evidence.priors import FocalPrior as FocalPrior
from fit3dmm.fitting.evidence.priors import IdentityPrior as IdentityPrior
from fit3dmm.fitting.evidence.priors import JointsPrior as JointsPrior
from fit3dmm.fitting.evidence.priors import LightPrior as LightPrior
from fit3dmm.fitting.evidence.published import Landmarks68 as Landmarks68
from fit3dmm.fitting.evidence.published import Pixels as Pixels
from fit3dmm.fitting.evidence.published import WhiteLight as WhiteLight
