"""How much more all that is seen errs in a photo that is harder than most.

In the dark, out of focus or behind something the network says of its points that they are less
sure. What does not say so errs more there, too: the other detector, what the two make of the photo,
edges and colours. Their noises were chosen on ordinary photos.
"""

from collections.abc import Mapping
from dataclasses import replace

from fit3dmm.fitting.config import FitConfig
from fit3dmm.observe.detection import NETWORK, doubt
from fit3dmm.observe.observation import Observation
from fit3dmm.regress.prediction import FACE_POINTS
from fit3dmm.solve.noise import TermProduct
from fit3dmm.unknowns import DETECTOR_MODES

ORDINARY_DOUBT = 0.0085
"""The most that the network doubts its points on an ordinary photo, as a share of the face: 0.007
on half of the generated photos of the half for choosing, 0.009 on one of ten. Beyond it errors grow
in proportion; chosen by the sigmas of depths and places on the same photos made dark, blurred and
partly covered."""


def point_doubt(observation: Observation) -> float | None:
    """The network's own sigma of a point of the face, as a share of the face; None where none
    looked."""
    seen = observation.detections.get(NETWORK)
    if seen is None or seen.covariance_px2 is None:
        return None
    return doubt(seen.points_px[:FACE_POINTS], seen.covariance_px2[:FACE_POINTS])


def with_hardness(
    products: Mapping[str, TermProduct], config: FitConfig, observation: Observation
) -> dict[str, TermProduct]:
    """Products with the noises that what is seen has in this photo; what is known of people and
    cameras errs as ever.

    Args:
        products: of the terms where a solver ended.
        config: settings, which say what each term is of.
        observation: of the photo.
    """
    doubted = point_doubt(observation)
    share = 1.0 if doubted is None else max(doubted / ORDINARY_DOUBT, 1.0)
    kinds = config.evidence()
    found = dict(products)
    for name, one in products.items():
        if name in kinds and kinds[name].about in ((), (DETECTOR_MODES,)):
            found[name] = replace(one, noise=share**2 * one.noise)
    return found
