"""The term that compares the face's colours with the photo's.

It lives on points of the surface and not on pixels: each point has an albedo, a normal and a place
in the photo, all of them smooth functions of the unknowns, so that the Jacobian is exact as long as
the same points are seen. Which points are seen is decided when the term is made.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.energy.image import SmoothImage
from fit3dmm.energy.light import rows_wrt_light
from fit3dmm.energy.points import Projection, combined, project, unturned, wrt_rotation
from fit3dmm.energy.robust import Loss, charbonnier
from fit3dmm.energy.surface_samples import SurfaceSamples
from fit3dmm.geometry.harmonics import sh_basis, sh_basis_jacobian
from fit3dmm.geometry.transform import Similarity
from fit3dmm.solve.problem import Residuals, Term, Values
from fit3dmm.unknowns import ALBEDO, IRRADIANCE, LOG_FOCAL, ROTATION, TRANSLATION, PhotoIntrinsics


@dataclass(frozen=True)
class _Placed:
    """Points of the surface where they are, whatever their colours."""

    at: Projection
    length: Float[Tensor, "*batch points 1"]
    """Of their normals."""
    normal: Float[Tensor, "*batch points 3"]
    """In `cam`, of unit length."""
    harmonics: Float[Tensor, "*batch points 9"]
    seen: Float[Tensor, "*batch points 3"]
    """The photo's colours there."""
    seen_wrt_crop: Float[Tensor, "*batch points 3 2"]


def photometric_term(
    samples: SurfaceSamples,
    weight: Float[Tensor, "points"],
    image: SmoothImage,
    T_crop_photo: Similarity,
    intrinsics: PhotoIntrinsics,
    sigma_linear: float,
    loss: Loss | None = None,
) -> Term:
    """Colours of the surface minus colours of the photo, in linear RGB.

    Args:
        samples: the points that are seen.
        weight: how many independent observations each point stands for.
        image: the crop, at the scale that is compared.
        T_crop_photo: maps pixels of the photo to the crop's.
        intrinsics: the photo's camera but for the focal length, which is an unknown.
        sigma_linear: what the model does not explain, as a standard deviation of linear RGB.
        loss: of each point's whitened colour difference (the L2,1 norm of Deng et al. 2019,
            equation 2, rounded at zero).
    """
    loss = loss or charbonnier(scale=1.0)
    last: list[tuple[dict[str, Tensor], _Placed]] = []

    def placed(values: Values) -> _Placed:
        """Where the points are. Where colours alone move, the other unknowns are the same tensors
        again and again."""
        where = {name: one for name, one in values.items() if name not in (ALBEDO, IRRADIANCE)}
        if last and all(last[0][0].get(name) is one for name, one in where.items()):
            return last[0][1]
        at = project(samples.points, values, intrinsics)
        raw = at.located.normal
        length = raw.norm(dim=-1, keepdim=True).clamp_min(1e-12)
        normal = (raw / length) @ at.rotation.mT
        found = _Placed(at, length, normal, sh_basis(normal), *image.sample(T_crop_photo @ at.px))
        if not torch.is_grad_enabled():
            last[:] = [(where, found)]
        return found

    def term(values: Values) -> Residuals:
        found = placed(values)
        at, normal, harmonics, light = found.at, found.normal, found.harmonics, values[IRRADIANCE]
        irradiance = harmonics @ light
        albedo = samples.albedo_mean_linear + combined(samples.albedo_basis_linear, values[ALBEDO])
        residual = (albedo * irradiance - found.seen) / sigma_linear
        energy, robust = loss(residual.square().sum(-1))

        def jacobian(free: tuple[str, ...]) -> dict[str, Tensor]:
            parts = _colour_parts(free)
            return parts if set(parts) == set(free) else {**_place_parts(free), **parts}

        def _place_parts(free: tuple[str, ...]) -> dict[str, Tensor]:
            wrt_px = -(found.seen_wrt_crop * T_crop_photo.scale) / sigma_linear
            wrt_cam = wrt_px @ at.px_wrt_cam
            wrt_normal = torch.einsum("...kc,...pkx->...pcx", light, sh_basis_jacobian(normal))
            wrt_normal = wrt_normal * (albedo / sigma_linear)[..., None]
            # A unit normal moves on the sphere only.
            along = wrt_normal @ normal[..., None]
            wrt_normal = wrt_normal - along * normal[..., None, :]
            parts = _shape_parts(wrt_cam, wrt_normal, free)
            if TRANSLATION in free:
                parts[TRANSLATION] = wrt_cam.flatten(-3, -2)
            if ROTATION in free:
                turned = wrt_rotation(at.turned_mm, wrt_cam, at.rotation_jacobian)
                turned = turned + wrt_rotation(normal, wrt_normal, at.rotation_jacobian)
                parts[ROTATION] = turned.flatten(-3, -2)
            if LOG_FOCAL in free:
                parts[LOG_FOCAL] = (wrt_px @ at.px_wrt_log_focal[..., None]).flatten(-3, -2)
            return parts

        def _colour_parts(free: tuple[str, ...]) -> dict[str, Tensor]:
            parts = {}
            if ALBEDO in free:
                wrt_albedo = samples.albedo_basis_linear * (irradiance / sigma_linear)[..., None]
                parts[ALBEDO] = wrt_albedo.flatten(-3, -2)
            if IRRADIANCE in free:
                parts[IRRADIANCE] = rows_wrt_light(albedo / sigma_linear, harmonics)
            return parts

        def _shape_parts(wrt_cam: Tensor, wrt_normal: Tensor, free: tuple[str, ...]):
            wrt_raw = unturned(wrt_normal, at.rotation) / found.length[..., None]
            rows = torch.cat([unturned(wrt_cam, at.rotation), wrt_raw], -1)
            moving = [name for name in at.located.wrt if name in free]
            return {name: (rows @ at.located.wrt[name]).flatten(-3, -2) for name in moving}

        return Residuals(
            residual.flatten(-2),
            (weight * energy).sum(-1),
            (weight * robust.detach()).repeat_interleave(3, -1),
            jacobian,
            together=3,
        )

    return term
