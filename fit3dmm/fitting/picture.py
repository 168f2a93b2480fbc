"""The crop as a fit would draw it, for terms that compare pictures and not points."""

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.fitting.context import Context, white
from fit3dmm.render.backend import choose_backend
from fit3dmm.render.depth import posed
from fit3dmm.render.fragments import Fragments
from fit3dmm.render.shading import shade
from fit3dmm.render.synthesise import Rendering, synthesise
from fit3dmm.scene import Scene
from fit3dmm.solve.problem import Values
from fit3dmm.unknowns import IRRADIANCE, scene_of

# What moves by itself or is never as the model has it: the photo's own is shown there.
_NOT_DRAWN = ("eyes", "mouth_interior")
# Slope of what a photo makes of light beyond white.
_BEYOND_WHITE = 0.1


def scene_in_crop(context: Context, values: Values) -> Scene:
    """The scene as the camera of the crop sees it."""
    if context.stage.white_light:
        values = {**values, IRRADIANCE: white(values[IRRADIANCE])}
    scene = scene_of(values, context.intrinsics)
    size = context.observation.size_px
    return scene.replace(camera=scene.camera.cropped(context.observation.T_crop_photo, size, size))


def draw_vertex_colours(
    context: Context, values: Values
) -> tuple[Float[Tensor, "size size 3"], Fragments]:
    """The model alone, over black, in linear RGB: vertices are lit, and pixels interpolate their
    colours, as Deng et al. 2019 do. Silhouettes have no derivatives.

    Terms of one evaluation share the picture.
    """
    return context.once(draw_vertex_colours, values, lambda: _draw_vertex_colours(context, values))


def _draw_vertex_colours(
    context: Context, values: Values
) -> tuple[Float[Tensor, "size size 3"], Fragments]:
    scene, model = scene_in_crop(context, values), context.prepared.model
    topology, size = model.surface.topology, context.observation.size_px
    renderer = choose_backend("auto", model.mean_mm.device)
    points_cam_mm = posed(model, scene)
    normals = renderer.vertex_normals(points_cam_mm[None], topology)
    light = scene.lighting.irradiance_sh
    colours = shade(model.albedo_linear(scene.coefficients), normals[0], light)
    clip = scene.camera.to_clip(points_cam_mm)[None]
    fragments = renderer.rasterise(clip, topology.triangles, size, size)
    return renderer.interpolate(colours[None], topology.triangles, fragments)[0], fragments


def face_shown(context: Context, fragments: Fragments) -> Float[Tensor, "size size"]:
    """1 in pixels that show the face, eyes and lips among it."""
    model = context.prepared.model
    renderer = choose_backend("auto", model.mean_mm.device)
    share = model.regions["face"]
    if "eyes" in model.regions:
        share = torch.maximum(share, model.regions["eyes"])
    seen = renderer.interpolate(share[None, :, None], model.surface.triangles, fragments)
    return (seen[0, ..., 0] > 0.5).to(share)


def draw_crop(context: Context, values: Values) -> Rendering:
    """The model alone, over black; differentiable, but for where silhouettes move."""
    return synthesise(context.prepared.model, scene_in_crop(context, values), silhouettes=False)


def face_over_photo(
    context: Context, values: Values, uncovered: Float[Tensor, "size size"]
) -> Float[Tensor, "size size 3"]:
    """The crop with the model's face in place of the photo's, in linear RGB.

    Eyes, inside of the mouth, hair and background stay the photo's own: a network that compares the
    two must not be led by what no fit can draw.

    Args:
        uncovered: share of the face that is seen in each pixel and not behind a thing before it.
    """
    drawn = draw_crop(context, values)
    model = context.prepared.model
    renderer = choose_backend("auto", model.mean_mm.device)
    share = drawn_share(context)[None, :, None].detach()
    seen = renderer.interpolate(share, model.surface.triangles, drawn.fragments)[0, ..., 0]
    weight = (seen * uncovered)[..., None]
    photo = context.observation.image_linear.to(drawn.rgb_linear)
    return weight * exposed(drawn.rgb_linear) + (1 - weight) * photo


def exposed(rgb_linear: Float[Tensor, "*pixels 3"]) -> Float[Tensor, "*pixels 3"]:
    """What a photo shows of light: none below black, and hardly more than white. Cut off there, the
    gradient would not lead back."""
    bent = 1 + _BEYOND_WHITE * (rgb_linear - 1)
    return torch.where(rgb_linear > 1, bent, rgb_linear).clamp_min(0)


def drawn_share(context: Context) -> Float[Tensor, "vertices"]:
    """How far the model's colour of each vertex is shown: the face without what is `_NOT_DRAWN`."""
    regions = context.prepared.model.regions
    share = regions["face"]
    for name in _NOT_DRAWN:
        if name in regions:
            share = share * (1 - regions[name])
    return share


def uncovered_pixels(context: Context) -> Float[Tensor, "size size"]:
    """Share of each pixel of the crop that nothing before the face takes, as far as the network
    says; 1 where it did not look."""
    observation = context.observation
    if observation.predicted is None:
        return torch.ones_like(observation.image_linear[..., 0])
    size = observation.size_px
    at = torch.arange(size, device=observation.image_linear.device) + 0.5
    rows, columns = torch.meshgrid(at, at, indexing="ij")
    crop_px = torch.stack([columns, rows], -1).reshape(-1, 2)
    photo_px = observation.T_crop_photo.inverse() @ crop_px.to(observation.predicted.cover)
    return observation.predicted.skin_at(photo_px).reshape(size, size)
