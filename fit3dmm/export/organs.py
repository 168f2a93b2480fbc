"""Colours of eyes, teeth and tongue: the model's own, clean, whatever the photo or the skin is.

A photo shows little of them, in the shade of lids and lips. And as a model's colours of skin go
through its whole mesh, a dark face would have dark eyes.
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from fit3dmm._settings import Settings, ranged
from fit3dmm.model.morphable import MorphableModel

_TEETH = ("teeth", "teeth_upper", "teeth_lower")
_OTHERS = ("tongue", "gums", "gums_upper", "gums_lower")


@dataclass(frozen=True)
class OrganSettings(Settings):
    """What clean eyes and teeth look like. Linear RGB; judgements by looking at avatars."""

    eye_white: tuple[float, float, float] = (0.55, 0.50, 0.46)
    """The whites of eyes where they are lightest."""
    teeth: tuple[float, float, float] = (0.66, 0.60, 0.48)
    """Teeth where they are lightest."""
    teeth_contrast: float = ranged(0.6, 0.0, 1.0)
    """Power to which a tooth's shade over its lightest is taken: models have the dark of the mouth
    painted on them, and viewers add it again."""
    lightest: float = ranged(0.95, 0.0, 1.0)
    """Quantile that counts as lightest."""


def organs(model: MorphableModel) -> Float[Tensor, "vertices"]:
    """1 where a vertex is of an eyeball, of teeth, gums or tongue."""
    return model.in_parts("eye_left", "eye_right", *_TEETH, *_OTHERS).to(model.mean_mm)


def with_clean_organs(
    albedo: Float[Tensor, "vertices 3"],
    iris: Float[Tensor, "vertices"],
    model: MorphableModel,
    settings: OrganSettings,
) -> Float[Tensor, "vertices 3"]:
    """Albedo with eyes, teeth and tongue as clean ones are.

    Args:
        albedo: linear; irises have their colour already.
        iris: 1 on irises and pupils, which stay as they are.
        model: the one that was fitted.
        settings: what clean ones look like.
    """
    clean, mean = albedo.clone(), model.albedo_mean_linear
    eyes = model.in_parts("eye_left", "eye_right")
    # Where nothing says which part of an eye is white, all of it stays.
    if eyes.any() and iris.any():
        white = _scaled(mean[eyes], settings.eye_white, 1.0, settings.lightest)
        clean[eyes] = white + iris[eyes, None] * (albedo[eyes] - white)
    teeth = model.in_parts(*_TEETH)
    if teeth.any():
        how = (settings.teeth, settings.teeth_contrast, settings.lightest)
        clean[teeth] = _scaled(mean[teeth], *how)
    others = model.in_parts(*_OTHERS) & ~teeth
    clean[others] = mean[others]
    return clean


def _scaled(
    colours: Float[Tensor, "n 3"],
    lightest: tuple[float, float, float],
    contrast: float,
    quantile: float,
) -> Float[Tensor, "n 3"]:
    """Colours whose lightest are these."""
    top = colours.quantile(quantile, dim=0).clamp_min(1e-3)
    return colours.new_tensor(lightest) * (colours / top).clamp(0, 1.1) ** contrast
