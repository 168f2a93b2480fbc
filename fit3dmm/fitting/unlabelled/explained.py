"""What a network says of photos, as faces before their cameras, and what is decided by it without
derivatives: which pixels count, how the detector errs at this view, and what it makes of the photo.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.colour import srgb_to_linear
from fit3dmm.energy.detected import view_features
from fit3dmm.fitting.detector_errors import LandmarkErrorModel
from fit3dmm.fitting.unlabelled.settings import PhotoNoise
from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.surface_points import SurfacePoints
from fit3dmm.model.morphable import Coefficients, MorphableModel
from fit3dmm.observe.predicted import SKIN
from fit3dmm.regress.batch import image_resized
from fit3dmm.regress.outputs import BLOCKS, Outputs
from fit3dmm.regress.photo_batch import PhotoBatch
from fit3dmm.regress.targets import focal_px_of, pose_in_camera
from fit3dmm.render.backend import BackendName, choose_backend
from fit3dmm.render.synthesise import Rendering, render_mesh
from fit3dmm.scene import Lighting

_MODES_ROUNDS = 4


@dataclass(frozen=True)
class Explained(TensorRecord):
    """Faces before their cameras, with derivatives with respect to all that a network says."""

    outputs: Outputs
    photos: PhotoBatch
    coefficients: Coefficients
    rotation: Float[Tensor, "batch 3 3"]
    """From `model` to `cam`."""
    translation_mm: Float[Tensor, "batch 3"]
    camera: Camera
    """Of the crop."""
    landmarks_mm: Float[Tensor, "batch points 3"]
    """The detector's points, in `model`."""
    rendering: Rendering
    """The faces at a lower resolution, without derivatives of silhouettes."""
    picture_linear: Float[Tensor, "batch render render 3"]
    """The photos, as large as the rendering."""


@dataclass(frozen=True)
class Decided(TensorRecord):
    """Without derivatives: a pixel that counts less must be no way to a lower energy."""

    observations: Float[Tensor, "batch render render"]
    """How many independent observations of colour each pixel stands for."""
    shown: Float[Tensor, "batch render render"]
    """Share of each pixel in which the face is seen, and skin as far as the cover map says."""
    mean_light: Float[Tensor, "batch"]
    """Mean linear colour of the face that is seen."""
    bias_px: Float[Tensor, "batch points 2"]
    by_score_px: Float[Tensor, "batch points 2 scores"]
    by_view_px: Float[Tensor, "batch points 2 features"]
    upright: Float[Tensor, "batch 2 2"]
    whitening: Float[Tensor, "batch points 2 2"]
    """See `energy.detected.PointErrors`."""
    made_of_px: Float[Tensor, "batch points 2"]
    """What the detector happens to make of each photo, by its modes."""
    modes: Float[Tensor, "batch modes"]
    """Of these, in sigmas."""


def explain(
    model: MorphableModel,
    landmarks: SurfacePoints[Tensor],
    outputs: Outputs,
    photos: PhotoBatch,
    noise: PhotoNoise,
    backend: BackendName = "auto",
) -> Explained:
    """Put the faces that a network says before their cameras.

    Args:
        model: whose coefficients it says.
        landmarks: places of the detector's points on the model.
        outputs: of the photos.
        photos: that it saw.
        noise: of the comparison.
        backend: of the renderer.
    """
    side, render_px = photos.size_px, noise.render_px
    focal_px = focal_px_of(outputs.pose, side)
    camera = Camera(focal_px, photos.principal_point_px.to(focal_px), side, side)
    rotation, translation_mm = pose_in_camera(outputs.pose, camera)
    coefficients = Coefficients(**{name: outputs.coefficients[name] for name in BLOCKS})
    shape_mm = model.shape_mm(coefficients)
    scale = render_px / side
    small = Camera(scale * focal_px, scale * camera.principal_point_px, render_px, render_px)
    rendering = render_mesh(
        shape_mm @ rotation.mT + translation_mm[:, None],
        model.albedo_linear(coefficients),
        model.surface.topology,
        small,
        Lighting(outputs.irradiance_sh),
        silhouettes=False,
        backend=backend,
    )
    linear = image_resized(srgb_to_linear(photos.image_srgb), render_px)
    return Explained(
        outputs,
        photos,
        coefficients,
        rotation,
        translation_mm,
        camera,
        landmarks.locate(shape_mm, model.surface.triangles),
        rendering,
        linear.movedim(1, -1).to(shape_mm),
    )


@torch.no_grad()
def decide(
    model: MorphableModel,
    errors: LandmarkErrorModel,
    explained: Explained,
    noise: PhotoNoise,
    backend: BackendName = "auto",
) -> Decided:
    """Work out what has no derivatives.

    Args:
        model: as for `explain`.
        errors: how the detector errs on the model's points.
        explained: what the network says.
        noise: of the comparison.
        backend: of the renderer.
    """
    shown, observations = _observations(model, explained, noise, backend)
    colours = explained.picture_linear.mean(-1)
    light = (observations * colours).sum((1, 2)) / observations.sum((1, 2)).clamp_min(1e-6)
    px_per_mm = explained.camera.focal_px / -explained.translation_mm[:, 2]
    settings = noise.landmarks
    each = [
        errors.at_view(
            rotation,
            float(scale),
            settings.modes_scale,
            settings.noise_scale,
            settings.noise_floor_mm,
        )
        for rotation, scale in zip(explained.rotation, px_per_mm, strict=True)
    ]

    def stacked(name: str) -> Tensor:
        return torch.stack([getattr(one, name) for one in each])

    n_points, n_modes = each[0].modes_px.shape[0], each[0].modes_px.shape[-1]
    nothing = Decided(
        observations,
        shown,
        # A black picture must not divide by zero.
        light.clamp_min(1e-3),
        stacked("bias_px"),
        stacked("by_score_px"),
        stacked("by_view_px"),
        stacked("upright"),
        stacked("whitening"),
        light.new_zeros(len(each), n_points, 2),
        light.new_zeros(len(each), n_modes),
    )
    off_px = expected_px(errors, explained, nothing) - _seen_px(explained, n_points)
    modes_px = stacked("modes_px")
    modes = _modes(
        -(nothing.whitening @ off_px[..., None])[..., 0],
        (nothing.whitening @ modes_px),
        settings.robust_scale,
    )
    return nothing.replace(made_of_px=torch.einsum("bpxm,bm->bpx", modes_px, modes), modes=modes)


def expected_px(
    errors: LandmarkErrorModel, explained: Explained, decided: Decided
) -> Float[Tensor, "batch points 2"]:
    """Where the detector should see its points in the crops (`energy.detected.expected_px`)."""
    landmarks_mm = explained.landmarks_mm[:, : len(decided.bias_px[0])]
    cam_mm = landmarks_mm @ explained.rotation.mT + explained.translation_mm[:, None]
    moved_mm = (landmarks_mm - errors.scores.mean_mm).flatten(1)
    scores = errors.scores.at_mean + moved_mm @ errors.scores.basis.flatten(1).mT
    forward = explained.rotation @ errors.R_model_reference[:, 2]
    turn = (decided.upright @ forward[:, :2, None])[..., 0]
    view = view_features(turn, -explained.translation_mm[:, 2])
    return (
        explained.camera.project(cam_mm)
        + decided.bias_px
        + torch.einsum("bpxs,bs->bpx", decided.by_score_px, scores)
        + torch.einsum("bpxf,bf->bpx", decided.by_view_px, view)
        + decided.made_of_px
    )


def whitened_off(
    errors: LandmarkErrorModel, explained: Explained, decided: Decided
) -> Float[Tensor, "batch points 2"]:
    """Where the detector should see its points, less where it saw them, in sigmas."""
    expected = expected_px(errors, explained, decided)
    off_px = expected - _seen_px(explained, expected.shape[1])
    return (decided.whitening @ off_px[..., None])[..., 0]


def _seen_px(explained: Explained, n_points: int) -> Float[Tensor, "batch points 2"]:
    return explained.photos.points_px[:, :n_points].to(explained.landmarks_mm)


def _modes(
    missing: Float[Tensor, "batch points 2"],
    modes: Float[Tensor, "batch points 2 modes"],
    robust_scale: float,
) -> Float[Tensor, "batch modes"]:
    """What the detector most likely made of the photos: with a standard normal prior, points by a
    Charbonnier loss (`energy.robust`). All in sigmas.

    Where it is the best, the energy's derivatives are the same as if it moved along.
    """
    found = missing.new_zeros(len(missing), modes.shape[-1])
    eye = torch.eye(modes.shape[-1]).to(modes)
    for _ in range(_MODES_ROUNDS):
        rest = missing - torch.einsum("bpxm,bm->bpx", modes, found)
        weight = 1 / (1 + rest.square().sum(-1) / robust_scale**2).sqrt()
        weighted = (weight[..., None, None] * modes).flatten(1, 2)
        curvature = weighted.mT @ modes.flatten(1, 2) + eye
        gradient = (weighted.mT @ missing.flatten(1)[..., None])[..., 0]
        found = torch.linalg.solve(curvature, gradient)
    return found


def _observations(
    model: MorphableModel, explained: Explained, noise: PhotoNoise, backend: BackendName
) -> tuple[Float[Tensor, "batch render render"], Float[Tensor, "batch render render"]]:
    """Where the face is shown, and how much each pixel counts: as
    `fitting.evidence.Photometric.weights` those that show the face, not at a grazing angle, and in
    which the network's cover map sees skin."""
    rendering, render_px = explained.rendering, noise.render_px
    share = model.regions["face"]
    for name in ("eyes", "mouth_interior"):
        if name in model.regions:
            share = share * (1 - model.regions[name])
    renderer = choose_backend(backend, share.device)
    values = share[None, :, None].expand(len(explained.photos), -1, -1).contiguous()
    face = renderer.interpolate(values, model.surface.triangles, rendering.fragments)[..., 0]
    # The angle to the camera's axis: a face is small beside its distance.
    facing = rendering.normals_cam[..., 2]
    grazing = ((facing - 0.1) / 0.3).clamp(0, 1)
    said = explained.outputs.cover.softmax(1)[:, SKIN, None]
    size = (render_px, render_px)
    bare = F.interpolate(said, size, mode="bilinear", align_corners=False)[:, 0]
    floor = noise.photometric.cover_floor
    inside = (image_resized(explained.photos.inside, render_px)[:, 0] > 0.99).to(face)
    # Of the picture's plane; a surface that turns away takes less of it.
    focal_px = explained.camera.focal_px * render_px / explained.photos.size_px
    mm_per_px = rendering.depth_mm / focal_px[:, None, None]
    counts = mm_per_px.square() / noise.photometric.correlation_mm**2
    seen = face * inside
    weight = seen * grazing * (floor + (1 - floor) * bare.to(face)) * counts
    return seen * bare.to(face), weight
