"""From a scene to a picture: one contract, a fast processor backend and an optional CUDA one."""

from fit3dmm.render.backend import BackendName as BackendName
from fit3dmm.render.backend import choose_backend as choose_backend
from fit3dmm.render.fragments import Fragments as Fragments
from fit3dmm.render.fragments import SurfaceSamples as SurfaceSamples
from fit3dmm.render.silhouette import SilhouettePairs as SilhouettePairs
from fit3dmm.render.silhouette import blend_silhouettes as blend_silhouettes
from fit3dmm.render.synthesise import Rendering as Rendering
from fit3dmm.render.synthesise import render_mesh as render_mesh
from fit3dmm.render.synthesise import repainted as repainted
from fit3dmm.render.synthesise import synthesise as synthesise
