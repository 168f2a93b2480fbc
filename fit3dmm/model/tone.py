"""How light the faces of a model are, and what colours somebody of a tone is drawn with."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.colour import LUMINANCE

_INNER = ("mouth_interior", "teeth", "eyes", "eye_socket")


@dataclass(frozen=True)
class Tone(TensorRecord):
    """Mean luminance of a face's albedo, linear: `mean + slope @ albedo`."""

    mean: Float[Tensor, ""]
    slope: Float[Tensor, "albedo"]

    def at(self, albedo: Float[Tensor, "*batch albedo"]) -> Float[Tensor, "*batch"]:
        """Of faces with these coefficients."""
        return self.mean + albedo @ self.slope[: albedo.shape[-1]]

    def moved(
        self, albedo: Float[Tensor, "*batch albedo"], tone: float | Float[Tensor, "*batch"]
    ) -> Float[Tensor, "*batch albedo"]:
        """Coefficients changed, as likely as can be, until the face has this tone.

        For a normal prior the most likely change is along the slope; what the face has else stays.
        """
        slope = self.slope[: albedo.shape[-1]]
        missing = torch.as_tensor(tone - self.mean - albedo @ slope)
        return albedo + missing[..., None] * slope / (slope @ slope)

    def drawn(
        self,
        normal: Float[Tensor, "*batch albedo"],
        tone: float | Float[Tensor, "*batch"] | None = None,
    ) -> Float[Tensor, "*batch albedo"]:
        """Coefficients of somebody who is drawn.

        A pigment takes a share of the light: what makes one cheek redder or one freckle darker than
        another does so in proportion to what the skin around it reflects. In a basis of linear
        colours the same step is as large on dark skin as on light, so that it looks like a blotch
        there. So all that does not change the tone is scaled by the tone over the mean face's; in
        the model's span, and with the tone as it was.

        Args:
            normal: standard normal numbers.
            tone: of the face; None takes that of the numbers themselves.
        """
        slope = self.slope[: normal.shape[-1]]
        asked = self.at(normal) if tone is None else torch.as_tensor(tone).to(normal)
        drawn = asked.expand(normal.shape[:-1])
        along = ((normal @ slope) / (slope @ slope))[..., None] * slope
        share = (drawn / self.mean).clamp_min(0)[..., None]
        return self.moved(share * (normal - along), drawn)


def tone_of(
    mean_linear: Float[Tensor, "vertices 3"],
    basis_linear: Float[Tensor, "albedo vertices 3"],
    face: Float[Tensor, "vertices"],
) -> Tone:
    """Of a model's mean colours and their components.

    Args:
        mean_linear: colours of the mean face.
        basis_linear: derivative with respect to each coefficient.
        face: how much each vertex counts (`outer_face`).
    """
    luminance = mean_linear.new_tensor(LUMINANCE)
    weight = face / face.sum()
    return Tone(weight @ (mean_linear @ luminance), (basis_linear @ luminance) @ weight)


def outer_face(regions: Mapping[str, Float[Tensor, "vertices"]]) -> Float[Tensor, "vertices"]:
    """The face region without what lies behind lips and lids, which models count in or out."""
    inner = [regions[name] for name in _INNER if name in regions]
    return regions["face"] * (1 - torch.stack(inner).amax(0)) if inner else regions["face"]
