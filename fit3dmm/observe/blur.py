"""Pictures at a coarser scale."""

import torch
from jaxtyping import Float
from torch import Tensor


def blurred(
    image: Float[Tensor, "height width c"], sigma_px: float
) -> Float[Tensor, "height width c"]:
    """Gaussian blur with repeated borders; a sigma of zero changes nothing."""
    if sigma_px <= 0:
        return image
    reach = min(int(3 * sigma_px + 1), min(image.shape[:2]) - 1)
    at = torch.arange(-reach, reach + 1, dtype=image.dtype)
    kernel = torch.softmax(-0.5 * (at / sigma_px) ** 2, dim=0).tolist()
    for dim in (0, 1):
        n = image.shape[dim]
        beside = [image.narrow(dim, place, 1) for place in (0, n - 1)]
        before, after = (one.repeat_interleave(reach, dim) for one in beside)
        padded = torch.cat([before, image, after], dim)
        # Shifted copies: torch's convolutions take ten times as long for so few channels.
        image = torch.zeros_like(image)
        for start, weight in enumerate(kernel):
            image = image.add_(padded.narrow(dim, start, n), alpha=weight)
    return image
