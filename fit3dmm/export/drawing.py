"""Pictures of a textured head."""

import io
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from PIL import Image
from torch import Tensor

from fit3dmm._kept import kept
from fit3dmm.colour import linear_of_bytes
from fit3dmm.export.hair_hanging import HairShape, hanging_of, raised_of
from fit3dmm.export.hair_raised import raised
from fit3dmm.export.occlusion_roughness import occlusion_roughness_png
from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.rotation import rotation_from_angles, rotation_vector
from fit3dmm.geometry.transform import Similarity
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.photo import Photo
from fit3dmm.render.backend import choose_backend
from fit3dmm.render.shading import shade, unit
from fit3dmm.scene import Pose, Scene

# Pixels are averages of so many samples each way.
_OVERSAMPLING = 2
_DISTANCE_MM, _MARGIN = 1000.0, 1.06
_CLAY_LINEAR = 0.45


@dataclass(frozen=True)
class Drawing:
    """A head before nothing."""

    rgb_linear: Float[Tensor, "height width 3"]
    """Colour where the head is, mixed with black where its border crosses a pixel."""
    coverage: Float[Tensor, "height width 1"]
    face: Float[Tensor, "height width 1"]
    """How much of a pixel shows the region `face`, which fades out before the hair."""

    def over(self, background_linear: Tensor) -> Float[Tensor, "height width 3"]:
        """The whole head before a colour or a picture."""
        return self.rgb_linear + (1 - self.coverage) * background_linear

    def face_over(
        self, background_linear: Float[Tensor, "height width 3"]
    ) -> Float[Tensor, "height width 3"]:
        """The face alone in a picture: hair lies over the rest of the head."""
        colour = self.rgb_linear / self.coverage.clamp_min(1e-6)
        return background_linear + self.face * (colour - background_linear)


@dataclass(frozen=True)
class Sight:
    """What each sample of a picture shows of a head, whatever its colours and its light."""

    fine_size: tuple[int, int]
    """Rows and columns of samples."""
    covered: Int[Tensor, "seen"]
    """Which samples show the head, row by row; what follows is of these alone."""
    normals: Float[Tensor, "seen 3"]
    face: Float[Tensor, "seen 1"]
    uv: Float[Tensor, "seen 2"]
    hanging: Bool[Tensor, "seen"]
    """Samples that show hanging hair: their places are in its picture."""
    hair_srgb: UInt8[np.ndarray, "hair_height hair_width 3"] | None
    """That picture."""

    @cached_property
    def shares(self) -> Float[Tensor, "height width 2"]:
        """How much of each pixel shows the head, and its face."""
        return self.averaged(torch.cat([torch.ones_like(self.face), self.face], 1))

    def averaged(self, values: Float[Tensor, "seen c"]) -> Float[Tensor, "height width c"]:
        """Pixels as the averages of their samples, 0 where these show nothing."""
        height, width = self.fine_size
        samples = values.new_zeros(height * width, values.shape[1])
        samples = samples.index_copy_(0, self.covered, values).unflatten(0, self.fine_size)
        return _averaged(samples)


def sight(model: MorphableModel, scene: Scene, hair_shape: HairShape | None = None) -> Sight:
    """What is seen of a scene's head, with its hair standing off as `export.hair_raised` says, and
    hanging as `export.hair_hanging` does."""
    T, surface = scene.pose.T_cam_model, model.surface
    points = T @ raised(model, model.shape_mm(scene.coefficients), raised_of(hair_shape))
    wide = _scaled(scene.camera, float(_OVERSAMPLING))
    backend = choose_backend("auto", points.device)
    normals, face = backend.vertex_normals(points, surface.topology), _face(model)
    triangles, uv, uv_triangles = surface.triangles, surface.uv, surface.uv_triangles
    hanging = hanging_of(hair_shape)
    if hanging is not None:
        points = torch.cat([points, T @ hanging.vertices_mm.to(points)])
        more = hanging.topology.triangles.to(triangles)
        triangles = torch.cat([triangles, more + len(normals)])
        uv_triangles = torch.cat([uv_triangles, more + len(uv)])
        normals = torch.cat([normals, T.turn(hanging.normals.to(normals))])
        uv = torch.cat([uv, hanging.uv.to(uv)])
        face = torch.cat([face, face.new_zeros(len(points) - len(face), 1)])
    clip = wide.to_clip(points)[None]
    fragments = backend.rasterise(clip, triangles, wide.height_px, wide.width_px)
    # Two thirds of most pictures are empty.
    covered = fragments.covered.flatten().nonzero()[:, 0]
    seen = fragments.of_pixels(covered)
    found = backend.interpolate(torch.cat([normals, face], 1)[None], triangles, seen)[0, :, 0]
    places = backend.interpolate(uv[None], uv_triangles, seen)[0, :, 0]
    normals, face = found.split([3, 1], -1)
    return Sight(
        fine_size=(wide.height_px, wide.width_px),
        covered=covered,
        normals=unit(normals),
        face=face,
        uv=places,
        hanging=seen.triangle[0, :, 0] >= len(surface.triangles),
        hair_srgb=None if hanging is None else hanging.srgb,
    )


def draw(
    model: MorphableModel,
    scene: Scene,
    texture: UInt8[np.ndarray, "size size 3"] | None,
    seen: Sight | None = None,
) -> Drawing:
    """Draw a scene with a texture in place of the model's albedo, or as clay without one.

    Args:
        model: whose head it is.
        scene: whose light it is in.
        texture: base colour, sRGB.
        seen: of the scene; worked out if left out.
    """
    seen = seen or sight(model, scene)
    if texture is None:
        albedo = torch.full_like(seen.normals, _CLAY_LINEAR)
    else:
        colours = torch.from_numpy(linear_of_bytes(texture))
        albedo = _sampled(colours, seen.uv) * _sampled(_openness(model), seen.uv)
        if seen.hair_srgb is not None:
            hair = torch.from_numpy(linear_of_bytes(seen.hair_srgb))
            albedo[seen.hanging] = _sampled(hair, seen.uv[seen.hanging])
    lit = shade(albedo, seen.normals, scene.lighting.irradiance_sh)
    return Drawing(seen.averaged(lit), *seen.shares.split(1, -1))


def framed(
    model: MorphableModel,
    scene: Scene,
    size_px: int,
    angles_deg: tuple[float, ...],
    hair_shape: HairShape | None = None,
) -> Scene:
    """The scene from a long lens that shows the whole head, however it turns.

    Args:
        model: whose head it is.
        scene: its face and light stay.
        size_px: side of the picture.
        angles_deg: pitch, yaw and roll, as in docs/conventions.md.
        hair_shape: see `sight`.
    """
    points = raised(model, model.shape_mm(scene.coefficients.neutral()), raised_of(hair_shape))
    hanging = hanging_of(hair_shape)
    if hanging is not None:
        points = torch.cat([points, hanging.vertices_mm.to(points)])
    low, high = points.amin(0), points.amax(0)
    middle_mm = torch.stack([torch.zeros(()), (low[1] + high[1]) / 2, (low[2] + high[2]) / 2])
    half_mm = _MARGIN * float((high - low).max()) / 2
    # The near side of the head is larger than what lies at the distance of its middle.
    focal_px = size_px / 2 / half_mm * (_DISTANCE_MM - half_mm)
    rotation = torch.from_numpy(rotation_from_angles(*angles_deg)).to(points)
    place = torch.tensor([0.0, 0.0, -_DISTANCE_MM]) - rotation @ middle_mm
    return scene.replace(
        pose=Pose(rotation_vector(rotation), place),
        camera=Camera.centred(focal_px, size_px, size_px),
    )


def in_photo(scene: Scene, size_px: int) -> Scene:
    """The scene in the photo's own view, so that the longer side has as many pixels."""
    camera = scene.camera
    return scene.replace(camera=_scaled(camera, size_px / max(camera.width_px, camera.height_px)))


def photo_linear(photo: Photo, camera: Camera) -> Float[Tensor, "height width 3"]:
    """The photo in the camera's pixels."""
    picture = Image.fromarray(photo.pixels_srgb.cpu().numpy())
    size = (camera.width_px, camera.height_px)
    # `reducing_gap` first drops pixels in whole blocks, which spares large photos most of the time.
    scaled = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return torch.from_numpy(linear_of_bytes(np.asarray(scaled)))


def _scaled(camera: Camera, scale: float) -> Camera:
    width, height = (max(round(scale * n), 1) for n in (camera.width_px, camera.height_px))
    return camera.cropped(Similarity.in_plane(scale, (0.0, 0.0)), width, height)


def _face(model: MorphableModel) -> Float[Tensor, "vertices 1"]:
    return model.regions["face"][:, None]


@kept(most=1)
def _openness(model: MorphableModel) -> Float[Tensor, "size size 1"]:
    """How much of the light around reaches each place of a texture: little in the mouth."""
    with Image.open(io.BytesIO(occlusion_roughness_png(model))) as picture:
        return _tensor(np.asarray(picture.convert("RGB")))[..., :1].contiguous()


def _sampled(
    texture: Float[Tensor, "height width c"], uv: Float[Tensor, "seen 2"]
) -> Float[Tensor, "seen c"]:
    grid = (uv * 2 - 1) * uv.new_tensor([1.0, -1.0])
    picture = texture.permute(2, 0, 1)[None]
    seen = torch.nn.functional.grid_sample(
        picture, grid[None, None], padding_mode="border", align_corners=False
    )
    return seen[0, :, 0].T


def _averaged(values: Float[Tensor, "fine_h fine_w c"]) -> Float[Tensor, "h w c"]:
    n = _OVERSAMPLING
    total = sum((values[k // n :: n, k % n :: n] for k in range(1, n * n)), start=values[::n, ::n])
    return total / n**2


def _tensor(pixels: UInt8[np.ndarray, "height width 3"]) -> Float[Tensor, "height width 3"]:
    return torch.from_numpy(pixels.copy()).float() / 255
