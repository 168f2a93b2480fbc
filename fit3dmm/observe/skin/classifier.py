"""A scikit-learn estimator that learns what skin looks like. The one door to scikit-learn."""

from typing import Any

import numpy as np
import torch

from fit3dmm._errors import InputError
from fit3dmm.observe.skin.mixture import Mixture
from fit3dmm.observe.skin.model import SkinModel
from fit3dmm.observe.skin.spaces import COLOUR_SPACES, ColourSpace, in_space

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.mixture import GaussianMixture
    from sklearn.utils.multiclass import check_classification_targets, type_of_target
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise InputError(
        "Training a skin classifier needs scikit-learn: pip install 'fit3dmm[skin]'."
    ) from error

# Least variance of a component, as a share of the variance of all colours: narrower ones are single
# surfaces of the training pictures. A judgement.
_LEAST_VARIANCE = 1e-4


# The default space and numbers are those that did best, on other renders, of what
# `tools/train_skin.py --compare` compares; no space stands out.
class SkinClassifier(ClassifierMixin, BaseEstimator):
    """Naive Bayes of two classes, each a mixture of Gaussians.

    Samples are colours, sRGB in 0..1. The greater of the two labels is skin's, as scikit-learn has
    it for what is looked for: `True`, or 1.

    Args:
        colour_space: in which the mixtures lie (see `in_space`); None takes samples as they come,
            of however many numbers.
        n_skin: Gaussians of skin.
        n_other: Gaussians of everything else.
        prior: share of skin that is expected where the classifier is used; the shares in the
            training samples say nothing of that.
        max_iter: most steps of expectation-maximisation.
        random_state: of the start of the mixtures: an integer, or None for another each time.
    """

    # By scikit-learn's contract a constructor takes anything, and `fit` complains.
    def __init__(
        self,
        colour_space: ColourSpace | Any = "rgb",
        n_skin: int | Any = 16,
        n_other: int | Any = 32,
        prior: float | Any = 0.5,
        max_iter: int | Any = 200,
        random_state: Any = 0,
    ) -> None:
        self.colour_space: Any = colour_space
        self.n_skin = n_skin
        self.n_other = n_other
        self.prior = prior
        self.max_iter = max_iter
        self.random_state = random_state

    @classmethod
    def of(cls, model: SkinModel) -> "SkinClassifier":
        """A classifier that is trained already; its labels are False and True."""
        made = cls(model.space, model.skin.n_components, model.other.n_components, model.prior)
        made.classes_ = np.array([False, True])
        made.n_features_in_ = model.skin.n_channels  # pyright: ignore[reportAttributeAccessIssue]
        made.model_ = model
        return made

    @classmethod
    def jones_rehg(cls) -> "SkinClassifier":
        """The published table; see `SkinModel.jones_rehg`."""
        return cls.of(SkinModel.jones_rehg())

    @classmethod
    def trained(cls) -> "SkinClassifier":
        """The one that ships with fit3dmm; see `SkinModel.trained`."""
        return cls.of(SkinModel.trained())

    def fit(self, X: Any, y: Any) -> "SkinClassifier":
        """Learn both mixtures.

        Args:
            X: colours `(n, channels)`.
            y: labels `(n,)` of two kinds.

        Raises:
            ValueError: other shapes, numbers that are not finite, one label or more than two, too
                few samples of one, or a parameter out of range.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, place = np.unique(y, return_inverse=True)
        _check_labels(y, self.classes_)
        self._check_parameters(X.shape[1])
        # Copied: PyTorch refuses arrays that may not be written to.
        colours = in_space(torch.tensor(X), self.colour_space).numpy()
        other, steps = self._learned(colours[place == 0], self.n_other, colours, self.classes_[0])
        skin, more = self._learned(colours[place == 1], self.n_skin, colours, self.classes_[1])
        self.n_iter_ = max(steps, more)
        told = f"{int((place == 1).sum()):,} colours of skin and {int((place == 0).sum()):,} others"
        self.model_ = SkinModel(self.colour_space, skin, other, float(self.prior), told)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probability of each of `classes_`, `(n, 2)`."""
        check_is_fitted(self, "model_")
        X = validate_data(self, X, dtype=np.float64, reset=False)
        skin = self.model_.probability(torch.tensor(X)).numpy()
        return np.stack([1 - skin, skin], axis=1)

    def predict(self, X: Any) -> np.ndarray:
        """The likelier label of each colour."""
        is_skin = self.predict_proba(X)[:, 1] > 0.5
        return self.classes_[is_skin.astype(int)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def _check_parameters(self, channels: int) -> None:
        if self.colour_space not in (None, *COLOUR_SPACES):
            raise ValueError(
                f"colour_space must be one of {', '.join(COLOUR_SPACES)} or None, got "
                f"{self.colour_space!r}."
            )
        if self.colour_space is not None and channels != 3:
            raise ValueError(f"Colours have 3 channels, got {channels}: give sRGB in 0..1.")
        if not 0 < self.prior < 1:
            raise ValueError(f"prior must lie between 0 and 1, got {self.prior}.")

    def _learned(
        self, own: np.ndarray, n_components: int, both: np.ndarray, label: Any
    ) -> tuple[Mixture, int]:
        """The mixture of one label's colours, and in how many steps it was found."""
        if len(own) < 2 * n_components:
            raise ValueError(
                f"{n_components} Gaussians need {2 * n_components} samples, and the label "
                f"{label!r} has {len(own)}."
            )
        # Scaled for the sake of the start (k-means) and of the least variance; then scaled back.
        centre, spread = both.mean(axis=0), both.std(axis=0)
        spread = np.where(spread > 0, spread, 1.0)
        found = GaussianMixture(
            n_components,
            covariance_type="full",
            reg_covar=_LEAST_VARIANCE,
            max_iter=self.max_iter,
            random_state=self.random_state,
        ).fit((own - centre) / spread)
        mixture = Mixture(
            torch.from_numpy(found.weights_),
            torch.from_numpy(found.means_ * spread + centre),
            torch.from_numpy(found.covariances_ * spread[:, None] * spread),
        )
        return mixture, found.n_iter_


def _check_labels(y: np.ndarray, classes: np.ndarray) -> None:
    kind = type_of_target(y, input_name="y", raise_unknown=True)
    if kind != "binary":
        raise ValueError(
            f"Only binary classification is supported. The type of the target is {kind}."
        )
    if len(classes) < 2:
        raise ValueError(f"Expected samples of two classes, got one class: {classes[0]!r}.")
