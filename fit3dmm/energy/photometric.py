"""The term that compares the face's colours with the photo's.

It lives on points of the surface and not on pixels: each point has an albedo, a normal and a place
in the photo, all of them smooth functions of the unknowns, so that the Jacobian is exact as long as
the same points are seen. Which points are seen is decided when the term is made.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.energy.image import SmoothImage
from fit3dmm.energy.points import by_rotation, project
from fit3dmm.energy.robust import Loss, charbonnier
from fit3dmm.energy.skin_points import SkinPoints
from fit3dmm.geometry.harmonics import sh_basis, sh_basis_jacobian
from fit3dmm.geometry.transform import Similarity
from fit3dmm.solve.problem import Residuals, Term, Values
from fit3dmm.unknowns import PhotoIntrinsics


def photometric_term(
    skin: SkinPoints,
    weight: Float[Tensor, "points"],
    image: SmoothImage,
    T_crop_photo: Similarity,
    intrinsics: PhotoIntrinsics,
    sigma_linear: float,
    loss: Loss | None = None,
) -> Term:
    """Colours of the surface minus colours of the photo, in linear RGB.

    Args:
        skin: the points that are seen.
        weight: how many independent observations each point stands for.
        image: the crop, at the scale that is compared.
        sigma_linear: what the model does not explain, as a standard deviation of linear RGB.
        loss: of each point's whitened colour difference (the L2,1 norm of Deng et al. 2019,
            equation 2, rounded at zero).
    """
    loss = loss or charbonnier(turn=1.0)
    stacked = torch.cat([skin.points.basis_mm, skin.normal_basis], dim=1)

    def term(values: Values) -> Residuals:
        at = project(skin.points, values, intrinsics)
        seen, seen_by_crop = image.sample(T_crop_photo @ at.px)
        raw = skin.normal_mean + _moved(skin.normal_basis, skin.points.shape_coefficients(values))
        length = raw.norm(dim=1, keepdim=True).clamp_min(1e-12)
        normal = (raw / length) @ at.rotation.T
        harmonics = sh_basis(normal)
        light = values["irradiance_sh"]
        irradiance = harmonics @ light
        albedo = skin.albedo_mean_linear + _moved(skin.albedo_basis_linear, values["albedo"])
        residual = (albedo * irradiance - seen) / sigma_linear
        energy, robust = loss(residual.square().sum(1))

        def jacobian(free: tuple[str, ...]) -> dict[str, Tensor]:
            by_cam = -(seen_by_crop * T_crop_photo.scale) @ at.px_by_cam / sigma_linear
            by_px = -(seen_by_crop * T_crop_photo.scale) / sigma_linear
            by_normal = torch.einsum("kc,pkx->pcx", light, sh_basis_jacobian(normal))
            by_normal = by_normal * (albedo / sigma_linear)[..., None]
            # A unit normal moves on the sphere only.
            along = by_normal @ normal[..., None]
            by_normal = by_normal - along * normal[:, None]
            parts = _shape_parts(by_cam, by_normal, free)
            if "translation_mm" in free:
                parts["translation_mm"] = by_cam.flatten(0, 1)
            if "rotation_rad" in free:
                turned = by_rotation(at.turned_mm, by_cam, at.rotation_jacobian)
                turned = turned + by_rotation(normal, by_normal, at.rotation_jacobian)
                parts["rotation_rad"] = turned.flatten(0, 1)
            if "log_focal" in free:
                parts["log_focal"] = (by_px @ at.px_by_log_focal[..., None]).flatten(0, 1)
            if "albedo" in free:
                by_albedo = skin.albedo_basis_linear * (irradiance / sigma_linear)[..., None]
                parts["albedo"] = by_albedo.flatten(0, 1)
            if "irradiance_sh" in free:
                parts["irradiance_sh"] = _light_part(albedo / sigma_linear, harmonics)
            return parts

        def _shape_parts(by_cam: Tensor, by_normal: Tensor, free: tuple[str, ...]):
            columns = skin.points.shape_columns(free)
            if not columns:
                return {}
            rows = torch.cat([by_cam @ at.rotation, by_normal @ at.rotation / length[..., None]], 2)
            by_shape = (rows @ stacked).flatten(0, 1)
            return {name: by_shape[:, column] for name, column in columns.items()}

        return Residuals(
            residual.flatten(),
            (weight * energy).sum(),
            (weight * robust.detach()).repeat_interleave(3),
            jacobian,
        )

    return term


def _moved(basis: Float[Tensor, "points 3 k"], coefficients: Float[Tensor, "k"]) -> Tensor:
    return (basis.flatten(0, 1) @ coefficients).unflatten(0, (-1, 3))


def _light_part(
    scaled_albedo: Float[Tensor, "points 3"], harmonics: Float[Tensor, "points 9"]
) -> Float[Tensor, "rows 27"]:
    """Row (point, c) depends on the light's colour c only."""
    eye = torch.eye(3, dtype=harmonics.dtype, device=harmonics.device)
    part = torch.einsum("pc,pk,cd->pckd", scaled_albedo, harmonics, eye)
    return part.reshape(-1, 27)
