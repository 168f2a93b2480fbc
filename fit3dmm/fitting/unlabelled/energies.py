"""The energy of a fit, for what a network says of photos in one look.

Y. Deng et al., "Accurate 3D face reconstruction with weakly-supervised learning", CVPR Workshops
2019, section 3: a network learns of photos that nobody labelled by what its answers look like. Here
the losses are the terms of a fit (docs/method.md), in its noises: what a fit minimises for one
photo, the network learns to minimise for all.
"""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor

from fit3dmm.energy.model_points import model_points
from fit3dmm.fitting.detector_errors import landmark_error_model
from fit3dmm.fitting.unlabelled.explained import Decided, Explained, decide, explain
from fit3dmm.fitting.unlabelled.settings import PhotoNoise
from fit3dmm.fitting.unlabelled.terms import TERMS, Known, PhotoTerm
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.detection import MEDIAPIPE_POINTS
from fit3dmm.observe.detector_errors import DetectorErrors, detector_errors
from fit3dmm.regress.outputs import Outputs
from fit3dmm.regress.photo_batch import PhotoBatch
from fit3dmm.render.backend import BackendName

_POSE, _LIGHT = 7, 27


class PhotoEnergies:
    """Energies of photos, by term, divided by the number of unknowns: about one a number, as the
    losses on rendered pictures are.

    Args:
        model: whose coefficients the network says, at a low level of subdivision.
        noise: of the comparison.
        errors: how MediaPipe errs; its own table if left out.
        terms: by name.
        backend: of the renderer.
    """

    def __init__(
        self,
        model: MorphableModel,
        noise: PhotoNoise | None = None,
        errors: DetectorErrors | None = None,
        terms: Mapping[str, PhotoTerm] | None = None,
        backend: BackendName = "auto",
    ) -> None:
        self._places = model.landmarks[MEDIAPIPE_POINTS]
        points = model_points(model, self._places)
        known = landmark_error_model(errors or detector_errors(), points)
        self.known = Known(model, known, noise or PhotoNoise())
        self.terms = dict(TERMS if terms is None else terms)
        self._backend: BackendName = backend
        sizes = (model.n_identity, model.n_detail, model.n_expression, model.n_albedo)
        self._n_unknowns = sum(sizes) + _POSE + _LIGHT

    def __call__(self, outputs: Outputs, photos: PhotoBatch) -> dict[str, Float[Tensor, "batch"]]:
        """Energies of what a network says of photos."""
        explained = self.explain(outputs, photos)
        return self.at(explained, self.decide(explained))

    def explain(self, outputs: Outputs, photos: PhotoBatch) -> Explained:
        """See `explained.explain`."""
        known = self.known
        return explain(known.model, self._places, outputs, photos, known.noise, self._backend)

    def decide(self, explained: Explained) -> Decided:
        """See `explained.decide`."""
        known = self.known
        return decide(known.model, known.errors, explained, known.noise, self._backend)

    def at(self, explained: Explained, decided: Decided) -> dict[str, Float[Tensor, "batch"]]:
        """Energies where it is decided which pixels count and what the detector made of it."""
        return {
            name: term(self.known, explained, decided) / self._n_unknowns
            for name, term in self.terms.items()
        }
