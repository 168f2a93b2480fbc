"""How likely a colour is to be skin's, by the published mixtures.

Colour alone takes brown hair for skin and misses skin under coloured light: multiply by the region
where a face is rendered and keep a floor. docs/skin.md says how our own mixtures compare, and why a
fit goes on with these.
"""

from jaxtyping import Float
from torch import Tensor

from fit3dmm.observe.skin.model import SkinModel


def skin_probability(
    image_srgb: Float[Tensor, "*batch 3"], prior: float = 0.5
) -> Float[Tensor, "*batch"]:
    """Posterior probability of skin for each colour.

    Args:
        image_srgb: sRGB in 0..1.
        prior: share of skin that is expected among the pixels.
    """
    return SkinModel.jones_rehg().probability(image_srgb, prior)
