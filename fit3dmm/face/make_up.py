"""Colour on lips, cheeks and lids: a change of the texture, which moves with the face."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import ImageColor
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm.colour import linear_to_srgb, srgb_to_linear
from fit3dmm.export.texels import in_texels, texel_fragments
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.detection import MEDIAPIPE_POINTS

# Points of the detector that the colour lies around, and how far it fades (mm): by eye, on renders.
_CHEEKS, _CHEEK_MM = (50, 280), 13.0
_LIDS = (27, 28, 29, 30, 56, 247, 257, 258, 259, 260, 286, 467)
_LID_MM = 4.5
PLACES = {"lips": 1.0, "cheeks": 0.5, "lids": 0.8}
"""What can be coloured, and how thick the same strength lies there: rouge is thinner than lipstick,
by eye."""
# Least mean luminance that a place's own pattern is told by.
_BLACK_LINEAR = 0.01
_LUMINANCE = (0.2126, 0.7152, 0.0722)


def parse_colour(text: str) -> tuple[int, int, int]:
    """sRGB bytes of a colour as CSS writes it: `#b03040`, `crimson`, `rgb(176, 48, 64)`.

    Raises:
        InputError: it is no colour.
    """
    try:
        red, green, blue, *_ = ImageColor.getrgb(text)
    except ValueError as error:
        raise InputError(
            f"{text!r} is no colour: write one as #b03040, crimson or rgb(176, 48, 64)."
        ) from error
    return red, green, blue


def made_up(
    texture: UInt8[np.ndarray, "size size 3"],
    model: MorphableModel,
    colours: Mapping[str, tuple[int, int, int]],
    strength: int | float,
) -> UInt8[np.ndarray, "size size 3"]:
    """The texture with colour on it; its own pattern of light and dark stays to be seen.

    Args:
        texture: of the face.
        model: on whose UV map it lies.
        colours: sRGB by place, of `PLACES`.
        strength: 0 for none, 1 for paint.
    """
    fragments = texel_fragments(model.surface, len(texture))
    skin = srgb_to_linear(torch.from_numpy(texture.copy()).float() / 255)
    luminance = (skin * skin.new_tensor(_LUMINANCE)).sum(-1, keepdim=True)
    for place, colour in colours.items():
        weight = in_texels(_where(model, place)[:, None], model.surface, fragments)
        mean = (weight * luminance).sum() / weight.sum().clamp_min(1e-6)
        pattern = luminance / mean.clamp_min(_BLACK_LINEAR)
        paint = srgb_to_linear(torch.tensor(colour) / 255) * pattern
        skin = skin + PLACES[place] * strength * weight * (paint - skin)
    return (255 * linear_to_srgb(skin.clamp(0, 1))).round().byte().numpy()


def _where(model: MorphableModel, place: str) -> Float[Tensor, "vertices"]:
    """How much of the colour each vertex takes."""
    if place not in PLACES:
        raise InputError(f"Make-up goes on {', '.join(PLACES)}, got {place!r}.")
    if place == "lips":
        outside = 1 - model.regions.get("mouth_interior", torch.zeros(model.n_vertices))
        return model.regions["lips"] * outside
    if MEDIAPIPE_POINTS not in model.landmarks:
        raise InputError(f"{model.info.name} has no points that say where its {place} are.")
    rows, reach_mm = (_CHEEKS, _CHEEK_MM) if place == "cheeks" else (_LIDS, _LID_MM)
    mean = model.zeros()
    middles = model.landmarks_mm(MEDIAPIPE_POINTS, mean)[list(rows)]
    away_mm = torch.cdist(model.shape_mm(mean), middles).amin(1)
    bare = model.regions["skin"] * (1 - model.regions.get("brows", torch.zeros(model.n_vertices)))
    return torch.exp(-0.5 * (away_mm / reach_mm) ** 2) * bare
