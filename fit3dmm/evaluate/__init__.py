"""Score meshes against scans by the field's protocols: fits of fit3dmm or anybody else's."""

from fit3dmm.evaluate.mesh_pair import MeshPair as MeshPair
from fit3dmm.evaluate.mesh_pair import compare_meshes as compare_meshes
from fit3dmm.evaluate.now_error import now_errors_mm as now_errors_mm
from fit3dmm.evaluate.run import run_evaluation as run_evaluation
from fit3dmm.geometry.closest_point import closest_points as closest_points
from fit3dmm.geometry.closest_point import index_surface as index_surface
