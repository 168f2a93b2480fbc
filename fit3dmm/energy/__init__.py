"""How far a scene is from a photo, in units of noise: named residual terms with Jacobians."""

from fit3dmm.energy.detected import PointErrors as PointErrors
from fit3dmm.energy.detected import detected_term as detected_term
from fit3dmm.energy.detected import expected_px as expected_px
from fit3dmm.energy.detected import view_features as view_features
from fit3dmm.energy.image import SmoothImage as SmoothImage
from fit3dmm.energy.image import blurred as blurred
from fit3dmm.energy.landmarks import gap_term as gap_term
from fit3dmm.energy.landmarks import iris_sigma_mm as iris_sigma_mm
from fit3dmm.energy.landmarks import iris_term as iris_term
from fit3dmm.energy.photometric import photometric_term as photometric_term
from fit3dmm.energy.points import SHAPE as SHAPE
from fit3dmm.energy.points import ModelPoints as ModelPoints
from fit3dmm.energy.points import model_points as model_points
from fit3dmm.energy.points import project as project
from fit3dmm.energy.priors import distance_prior as distance_prior
from fit3dmm.energy.priors import light_prior as light_prior
from fit3dmm.energy.priors import mean_towards_camera as mean_towards_camera
from fit3dmm.energy.priors import normal_prior as normal_prior
from fit3dmm.energy.silhouette import find_edges as find_edges
from fit3dmm.energy.silhouette import silhouette_term as silhouette_term
from fit3dmm.energy.skin_points import SkinPoints as SkinPoints
from fit3dmm.energy.skin_points import skin_points as skin_points
