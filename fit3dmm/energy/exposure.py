"""Light and skin together: one photo shows their product alone, and a camera chose how bright."""

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.colour import LUMINANCE
from fit3dmm.energy.priors import mean_towards_camera
from fit3dmm.model.tone import Tone
from fit3dmm.solve.problem import Residuals, Term, Values, sum_of_squares
from fit3dmm.unknowns import ALBEDO, IRRADIANCE

# Least mean luminance of a face, and of the light on it, whose logarithm is taken as it is; below,
# its tangent goes on, so that a step beyond zero finds its way back.
_LEAST_LINEAR = 0.01
# Tones below this share of the mean face's are as narrow as it: darker people differ by other hues
# than the model's straight line of tones has, which a narrower prior would read as a lighter face.
_LEAST_SHARE = 0.5


def light_level(irradiance_sh: Float[Tensor, "*batch 9 3"]) -> Float[Tensor, "*batch"]:
    """Luminance that white reflects, on average over the normals that face the camera."""
    return (irradiance_sh @ irradiance_sh.new_tensor(LUMINANCE)) @ _towards(irradiance_sh)


def colours_of_tone_prior(tone: Tone, sigma: float, tone_sigma: float) -> Term:
    """Colours differ as people's do who are drawn (`Tone.drawn`): in proportion to the tone.

    With one sigma at every tone a darker face in brighter light explains any photo with less:
    what its cheeks differ by is then fewer sigmas. So the light on every face came out too bright.

    Args:
        tone: of the model's faces.
        sigma: of all that does not change the tone, in the model's sigmas, at the mean tone.
        tone_sigma: along the tone, the same at every tone.
    """

    def term(values: Values) -> Residuals:
        albedo = values[ALBEDO]
        slope = tone.slope[: albedo.shape[-1]]
        along = torch.nn.functional.normalize(slope, dim=0)
        share = tone.at(albedo) / tone.mean
        free_share = share.clamp_min(_LEAST_SHARE)
        others = albedo - (albedo @ along)[..., None] * along
        scaled = others / (sigma * free_share[..., None])
        residual = torch.cat([scaled, (albedo @ along)[..., None] / tone_sigma], -1)

        def jacobian(free: tuple[str, ...]) -> dict[str, Tensor]:
            if ALBEDO not in free:
                return {}
            eye = torch.eye(len(along), dtype=albedo.dtype, device=albedo.device)
            across = (eye - torch.outer(along, along)) / (sigma * free_share[..., None, None])
            follows = (share > _LEAST_SHARE) / (tone.mean * free_share)
            rows = across - scaled[..., :, None] * (follows[..., None] * slope)[..., None, :]
            last = (along / tone_sigma).expand(*albedo.shape[:-1], 1, -1)
            return {ALBEDO: torch.cat([rows, last], -2)}

        return sum_of_squares(residual, jacobian)

    return term


def exposure_term(
    tone: Tone,
    told_log_tone: float,
    told_log_sigma: float,
    level_of_log_tone: tuple[float, float],
    level_log_sigma: float,
) -> Term:
    """The tone is about what was told, and the light what cameras make of such a tone.

    Args:
        tone: of the model's faces.
        told_log_tone: natural logarithm of the likely tone, and
        told_log_sigma: its sigma.
        level_of_log_tone: intercept and slope of the light's usual logarithm over the tone's.
        level_log_sigma: sigma of the light's logarithm about that.
    """
    intercept, rise = level_of_log_tone

    def term(values: Values) -> Residuals:
        albedo, light = values[ALBEDO], values[IRRADIANCE]
        log_tone, per_tone = _log(tone.at(albedo))
        log_level, per_level = _log(light_level(light))
        residual = torch.stack(
            [
                (log_tone - told_log_tone) / told_log_sigma,
                (log_level - intercept - rise * log_tone) / level_log_sigma,
            ],
            -1,
        )

        def jacobian(free: tuple[str, ...]) -> dict[str, Tensor]:
            rows = {}
            if ALBEDO in free:
                # Both residuals follow the logarithm of the tone.
                follow = residual.new_tensor([1 / told_log_sigma, -rise / level_log_sigma])
                by_albedo = per_tone[..., None] * tone.slope[: albedo.shape[-1]]
                rows[ALBEDO] = follow[:, None] * by_albedo[..., None, :]
            if IRRADIANCE in free:
                weights = _towards(light)[:, None] * light.new_tensor(LUMINANCE)
                row = (per_level[..., None] / level_log_sigma) * weights.flatten()
                rows[IRRADIANCE] = torch.stack([torch.zeros_like(row), row], -2)
            return rows

        return sum_of_squares(residual, jacobian)

    return term


def _towards(like: Tensor) -> Float[Tensor, "9"]:
    return mean_towards_camera().to(like)


def _log(values: Tensor) -> tuple[Tensor, Tensor]:
    """Natural logarithm and its derivative, with a tangent in place of what lies near zero."""
    above = values.clamp_min(_LEAST_LINEAR)
    beyond = (values - above) / _LEAST_LINEAR
    return above.log() + beyond, 1 / above
