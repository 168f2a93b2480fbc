"""How rough each part of a head is, and how much of the light around reaches it.

Eyes are wet, and look blind without a sharp highlight; the mouth is a cave, and looks grey where
it is lit as a forehead is.
"""

import io

import numpy as np
import torch
from PIL import Image

from fit3dmm._kept import kept
from fit3dmm.export.texels import in_texels, padded, texel_fragments
from fit3dmm.model.morphable import MorphableModel

ROUGHNESS = 0.6
"""Of skin, and the largest: the texture has shares of it."""
_SIZE_PX = 256
# Roughness is glTF's, 0 to 1. This and all below are judgements, not measurements.
_EYE_ROUGHNESS = 0.12
_MOUTH_OPENNESS = 0.15
"""Share of the light around that reaches the throat of an open mouth."""
_TEETH_OPENNESS, _TEETH_ROUGHNESS = 0.8, 0.2
_TONGUE_OPENNESS, _TONGUE_ROUGHNESS = 0.4, 0.3


@kept()
def occlusion_roughness_png(model: MorphableModel) -> bytes:
    """A texture as glTF has it: red for occlusion, green for roughness, on the model's UV map."""
    none = torch.zeros_like(model.regions["face"])
    eyes, mouth = (model.regions.get(name, none) for name in ("eyes", "mouth_interior"))
    rough = 1 - (1 - _EYE_ROUGHNESS / ROUGHNESS) * eyes
    openness = 1 - (1 - _MOUTH_OPENNESS) * mouth
    for parts, share, wet in (
        (("teeth", "teeth_upper", "teeth_lower"), _TEETH_OPENNESS, _TEETH_ROUGHNESS),
        (("tongue", "gums", "gums_upper", "gums_lower"), _TONGUE_OPENNESS, _TONGUE_ROUGHNESS),
    ):
        inside = model.in_parts(*parts)
        openness, rough = openness.clone(), rough.clone()
        openness[inside], rough[inside] = share, wet / ROUGHNESS
    values = torch.stack([openness, rough, none], 1)
    fragments = texel_fragments(model.surface, _SIZE_PX)
    texture = in_texels(values, model.surface, fragments).cpu().numpy()
    shares = padded(texture, fragments.covered[0].cpu().numpy())
    file = io.BytesIO()
    Image.fromarray((255 * shares).round().astype(np.uint8)).save(file, format="PNG")
    return file.getvalue()
