"""How far a scene is from a photo, in units of noise: named residual terms with Jacobians."""

from fit3dmm.energy.contour import contour_term as contour_term
from fit3dmm.energy.contour import find_edges as find_edges
from fit3dmm.energy.detected import PointErrors as PointErrors
from fit3dmm.energy.detected import ShapeScores as ShapeScores
from fit3dmm.energy.detected import detected_term as detected_term
from fit3dmm.energy.detected import expected_px as expected_px
from fit3dmm.energy.detected import view_features as view_features
from fit3dmm.energy.image import SmoothImage as SmoothImage
from fit3dmm.energy.landmarks import iris_sigma_mm as iris_sigma_mm
from fit3dmm.energy.landmarks import iris_term as iris_term
from fit3dmm.energy.landmarks import opening_term as opening_term
from fit3dmm.energy.light import positive_light_term as positive_light_term
from fit3dmm.energy.model_points import model_points as model_points
from fit3dmm.energy.photometric import photometric_term as photometric_term
from fit3dmm.energy.points import LinearPoints as LinearPoints
from fit3dmm.energy.points import Located as Located
from fit3dmm.energy.points import Points as Points
from fit3dmm.energy.points import project as project
from fit3dmm.energy.priors import distance_prior as distance_prior
from fit3dmm.energy.priors import light_prior as light_prior
from fit3dmm.energy.priors import mean_towards_camera as mean_towards_camera
from fit3dmm.energy.priors import normal_prior as normal_prior
from fit3dmm.energy.priors import standard_normal as standard_normal
from fit3dmm.energy.skinned_points import SkinnedPoints as SkinnedPoints
from fit3dmm.energy.surface_samples import SurfaceSamples as SurfaceSamples
from fit3dmm.energy.surface_samples import surface_samples as surface_samples
