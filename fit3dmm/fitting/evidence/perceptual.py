"""That a recognition network takes the fitted face for the photo's."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._settings import ranged
from fit3dmm.colour import linear_to_srgb
from fit3dmm.energy.perceptual import perceptual_term
from fit3dmm.energy.points import project
from fit3dmm.fitting.context import Context
from fit3dmm.fitting.evidence.evidence import Evidence
from fit3dmm.fitting.picture import draw_vertex_colours, face_over_photo, uncovered_pixels
from fit3dmm.geometry.transform import Similarity
from fit3dmm.observe.detection import MEDIAPIPE, MEDIAPIPE_POINTS
from fit3dmm.recognise.chip import FIVE_OF_MEDIAPIPE, chip_from_points, extract_chip
from fit3dmm.recognise.files import shipped_recogniser
from fit3dmm.recognise.network import EMBEDDING
from fit3dmm.solve.problem import Term, Values


@dataclass(frozen=True)
class Perceptual(Evidence):
    """A recognition network's embeddings of the photo and of the fitted face are alike.

    The cosine distance of Deng et al. 2019, equation 4.
    """

    slow: ClassVar[bool] = True
    unit: ClassVar[str] = "of a vector of length 1"
    source: str = MEDIAPIPE
    """A detector that sees MediaPipe's points, five of which put the face in its square."""
    sigma: float = 0.1
    """Error of each of the 128 numbers of an embedding of unit length. With half of it generated
    faces come still nearer, and those of scanned people go off (docs/method.md)."""
    n_directions: int = ranged(1, 1, EMBEDDING)
    """Rows of the Jacobian that a step works out; with one the gradient is exact, each further one
    adds curvature and the time of a pass back through network and renderer."""

    drawn: Literal["over the photo", "alone"] = "over the photo"
    """What is shown to the network: the photo with the model's face in the place of its own, or the
    model alone before black, its vertices coloured, and put in the square by its own points, as the
    code of Deng et al. 2019 does."""

    def term(self, context: Context) -> Term | None:
        """None where the detector saw no such points."""
        found = self.T_chip_crop(context)
        if found is None:
            return None
        image, T_chip_crop = context.observation.image_linear, found
        uncovered = uncovered_pixels(context).to(image)
        points = context.prepared.points[MEDIAPIPE_POINTS].select(torch.tensor(FIVE_OF_MEDIAPIPE))

        def over_photo(values: Values) -> Tensor:
            return embedding_of(face_over_photo(context, values, uncovered), T_chip_crop)

        def alone(values: Values) -> Tensor:
            drawn, _ = draw_vertex_colours(context, values)
            photo_px = project(points, values, context.intrinsics).px.detach()
            crop_px = context.observation.T_crop_photo.to(dtype=drawn.dtype) @ photo_px
            return embedding_of(drawn, chip_from_points(crop_px))

        wanted = embedding_of(image, T_chip_crop)
        embedding = alone if self.drawn == "alone" else over_photo
        return perceptual_term(embedding, wanted, self.sigma, self.n_directions)

    def T_chip_crop(self, context: Context) -> Similarity | None:
        """Where the photo's five points put the face."""
        detection = context.observation.detections.get(self.source)
        if detection is None or detection.point_set != MEDIAPIPE_POINTS:
            return None
        five_px = detection.points_px[list(FIVE_OF_MEDIAPIPE)]
        like = context.observation.image_linear
        return chip_from_points((context.observation.T_crop_photo @ five_px).to(like))


def embedding_of(
    image_linear: Float[Tensor, "height width 3"], T_chip_image: Similarity
) -> Float[Tensor, "128"]:
    """What the network makes of a face in a picture.

    Args:
        image_linear: the picture.
        T_chip_image: where the face lies in it.
    """
    network = shipped_recogniser()
    if network.mean_byte.device != image_linear.device:
        network = network.to(image_linear.device)
    chip = linear_to_srgb(extract_chip(image_linear, T_chip_image))
    return network(chip[None].float())[0].to(image_linear)
