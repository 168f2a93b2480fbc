"""The 68 points of iBUG's scheme, made of MediaPipe's."""

import torch
from jaxtyping import Float
from torch import Tensor

# The contour from the subject's right to their left, brows, nose, eyes, outer and inner lips, as C.
# Sagonas et al., "300 faces in-the-wild challenge", 2013 number them; two stand for their mean.
_JAW = (
    (127,), (234,), (93,), (132, 58), (58, 172), (136,), (150,), (176,), (152,), (400,), (379,),
    (365,), (397, 288), (361,), (323,), (454,), (356,),
)  # fmt: skip
_BROWS = ((70,), (63,), (105,), (66,), (107,), (336,), (296,), (334,), (293,), (300,))
_NOSE = ((168, 6), (197, 195), (5,), (4,), (75,), (97,), (2,), (326,), (305,))
_EYES = (
    (33,), (160,), (158,), (133,), (153,), (144,), (362,), (385,), (387,), (263,), (373,), (380,),
)  # fmt: skip
_OUTER_LIPS = (
    (61,), (39,), (37,), (0,), (267,), (269,), (291,), (321,), (314,), (17,), (84,), (91,),
)  # fmt: skip
_INNER_LIPS = ((78,), (82,), (13,), (312,), (308,), (317,), (14,), (87,))
IBUG68_IN_MEDIAPIPE = _JAW + _BROWS + _NOSE + _EYES + _OUTER_LIPS + _INNER_LIPS
IBUG68_EYES = slice(36, 48)
"""The lids among them."""


def ibug68_of_mediapipe(
    points: Float[Tensor, "points coordinates"],
) -> Float[Tensor, "68 coordinates"]:
    """The 68 points of 468 or more. The contour is MediaPipe's fixed line on the face, which lies
    inside of the visible contour where the head is turned."""
    first = torch.tensor([one[0] for one in IBUG68_IN_MEDIAPIPE], device=points.device)
    last = torch.tensor([one[-1] for one in IBUG68_IN_MEDIAPIPE], device=points.device)
    return (points[first] + points[last]) / 2
