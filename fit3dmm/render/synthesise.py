"""The picture of a scene."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.mesh import Topology
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.render.backend import BackendName, choose_backend
from fit3dmm.render.depth import posed
from fit3dmm.render.fragments import Fragments, pixels_from_clip
from fit3dmm.render.shading import shade, unit
from fit3dmm.render.silhouette import SilhouettePairs, blend_silhouettes
from fit3dmm.scene import Lighting, Scene


@dataclass(frozen=True)
class Rendering(TensorRecord):
    """A picture and what is seen in each of its pixels. Row 0 is the top row."""

    rgb_linear: Float[Tensor, "*batch height width 3"]
    """Colour over the background. Not clipped."""
    coverage: Float[Tensor, "*batch height width"]
    """How much of the pixel shows the surface: 0 or 1, or between along silhouettes."""
    depth_mm: Float[Tensor, "*batch height width"]
    """Distance of the seen point from the plane of the camera; 0 where nothing is seen."""
    normals_cam: Float[Tensor, "*batch height width 3"]
    """Unit normal of the seen point; 0 where nothing is seen."""
    albedo_linear: Float[Tensor, "*batch height width 3"]
    """Diffuse colour of the seen point; 0 where nothing is seen."""
    points_cam_mm: Float[Tensor, "*batch vertices 3"]
    """The vertices that were drawn."""
    vertices_px: Float[Tensor, "*batch vertices 2"]
    """Where they appear."""
    fragments: Fragments
    """The triangle and barycentrics of each pixel, with all leading axes made one."""
    silhouettes: SilhouettePairs | None
    """Pairs of pixels that silhouettes run between, where they were asked for; images as above."""


def synthesise(
    model: MorphableModel,
    scene: Scene,
    *,
    background_linear: Float[Tensor, "..."] | None = None,
    silhouettes: bool = True,
    backend: BackendName = "auto",
) -> Rendering:
    """Make the pictures of a scene. Differentiable by everything in it.

    Args:
        model: whose face is shown.
        scene: person, pose, camera and light; batch axes broadcast.
        background_linear: colour or picture behind the face, of a shape that broadcasts to
            `(*batch, height, width, 3)`; black if left out.
        silhouettes: mix the pixels along silhouettes, so that colour and coverage have derivatives
            where these move; otherwise a pixel shows what is at its centre.
        backend: `auto` takes the fast one of the device; see `render.backend`.

    Raises:
        InputError: the backend can't be used.
    """
    points_cam_mm = posed(model, scene)
    return render_mesh(
        points_cam_mm.expand(*scene.batch_shape, -1, -1),
        model.albedo_linear(scene.coefficients),
        model.surface.topology,
        scene.camera,
        scene.lighting,
        background_linear=background_linear,
        silhouettes=silhouettes,
        backend=backend,
    )


def render_mesh(
    points_cam_mm: Float[Tensor, "*batch vertices 3"],
    albedo_linear: Float[Tensor, "*albedo_batch vertices 3"],
    topology: Topology,
    camera: Camera,
    lighting: Lighting,
    *,
    background_linear: Float[Tensor, "..."] | None = None,
    silhouettes: bool = True,
    backend: BackendName = "auto",
) -> Rendering:
    """Make the pictures of any coloured mesh; see `synthesise`.

    The points' leading axes are those of the result; everything else broadcasts to them.

    Args:
        points_cam_mm: the vertices.
        albedo_linear: their colours.
        topology: the triangles.
        camera: in which pixels the picture is.
        lighting: irradiance as harmonics, in the axes of `cam`.
        background_linear: as for `synthesise`.
        silhouettes: as for `synthesise`.
        backend: as for `synthesise`.
    """
    renderer = choose_backend(backend, points_cam_mm.device)
    batch, height, width = points_cam_mm.shape[:-2], camera.height_px, camera.width_px
    points = points_cam_mm.reshape(-1, *points_cam_mm.shape[-2:])
    clip = camera.to_clip(points_cam_mm).reshape(-1, topology.n_vertices, 4)
    albedo = albedo_linear.expand(*batch, -1, -1).reshape(points.shape)

    fragments = renderer.rasterise(clip, topology.triangles, height, width)
    normals = renderer.vertex_normals(points, topology)
    values = torch.cat([normals, albedo, clip[..., 3:]], -1)
    seen = renderer.interpolate(values, topology.triangles, fragments)
    seen_normals, seen_albedo, depth_mm = seen.split([3, 3, 1], -1)
    seen_normals = unit(seen_normals)
    pairs = renderer.find_silhouettes(clip, fragments, topology) if silhouettes else None

    def images(flat: Tensor) -> Tensor:
        return flat.reshape(*batch, *flat.shape[1:])

    bare = Rendering(
        rgb_linear=images(torch.zeros_like(seen_albedo)),
        coverage=images(fragments.covered.to(points.dtype)),
        depth_mm=images(depth_mm[..., 0]),
        normals_cam=images(seen_normals),
        albedo_linear=images(seen_albedo),
        points_cam_mm=points_cam_mm,
        vertices_px=camera.project(points_cam_mm),
        fragments=fragments,
        silhouettes=pairs,
    )
    return _painted(bare, camera, lighting, background_linear)


def repainted(
    drawn: Rendering,
    albedo_linear: Float[Tensor, "*albedo_batch vertices 3"],
    topology: Topology,
    camera: Camera,
    lighting: Lighting,
    *,
    background_linear: Float[Tensor, "..."] | None = None,
    backend: BackendName = "auto",
) -> Rendering:
    """What `render_mesh` makes of the same vertices in other colours and another light, without
    looking anew for what each pixel shows.

    Args:
        drawn: the mesh as it was drawn first.
        albedo_linear: as for `render_mesh`, and so are the others.
        topology: that was drawn.
        camera: that it was drawn by.
        lighting: irradiance as harmonics.
        background_linear: what is behind.
        backend: that drew it.
    """
    renderer = choose_backend(backend, drawn.points_cam_mm.device)
    points = drawn.points_cam_mm
    albedo = albedo_linear.expand(points.shape).reshape(-1, *points.shape[-2:])
    seen_albedo = renderer.interpolate(albedo, topology.triangles, drawn.fragments)
    seen_albedo = seen_albedo.reshape(drawn.normals_cam.shape)
    return _painted(replace(drawn, albedo_linear=seen_albedo), camera, lighting, background_linear)


def _painted(
    seen: Rendering,
    camera: Camera,
    lighting: Lighting,
    background_linear: Float[Tensor, "..."] | None,
) -> Rendering:
    """The rendering whose normals and albedo are given, with its colours and its coverage."""
    batch, fragments, pairs = seen.points_cam_mm.shape[:-2], seen.fragments, seen.silhouettes
    height, width = fragments.size
    irradiance = lighting.irradiance_sh.expand(*batch, 9, 3).reshape(-1, 9, 3)
    albedo, normals = (
        values.reshape(-1, height * width, 3) for values in (seen.albedo_linear, seen.normals_cam)
    )
    lit = shade(albedo, normals, irradiance)

    covered = fragments.covered[..., None]
    if background_linear is None:
        background_linear = lit.new_zeros(3)
    behind = background_linear.expand(*batch, height, width, 3).reshape(-1, height, width, 3)
    picture = torch.where(covered, lit.reshape(behind.shape), behind)
    picture = torch.cat([picture, covered.to(picture.dtype)], -1)
    if pairs is not None:
        clip = camera.to_clip(seen.points_cam_mm).reshape(-1, seen.points_cam_mm.shape[-2], 4)
        crossings = pairs.crossings(pixels_from_clip(pairs.ends(clip), height, width))
        picture = blend_silhouettes(picture, pairs, crossings)
    rgb_linear, coverage = picture.split([3, 1], -1)
    return replace(
        seen,
        rgb_linear=rgb_linear.reshape(*batch, height, width, 3),
        coverage=coverage.reshape(*batch, height, width),
    )
