"""How well skin is told from the rest in a picture."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.stats import rankdata

from fit3dmm.observe.skin.model import SkinModel
from fit3dmm.observe.skin.pixels import LabelledPixels


@dataclass(frozen=True)
class SkinScore:
    """Of one picture, or the mean over some. None of the three knows units."""

    auc: float
    """Chance that a pixel of skin looks more like skin than one of something else (area under the
    ROC curve)."""
    tpr: float
    """Share of skin that is called skin: more likely than not."""
    fpr: float
    """Share of everything else that is called skin."""


def score_picture(model: SkinModel, picture: LabelledPixels) -> SkinScore | None:
    """A classifier's score on one picture; None where that shows one of the two kinds alone."""
    odds = model.log_odds(torch.from_numpy(picture.colours_srgb)).numpy()
    skin, other = odds[picture.is_skin], odds[~picture.is_skin]
    if not len(skin) or not len(other):
        return None
    return SkinScore(
        area_under_curve(odds, picture.is_skin), float((skin > 0).mean()), float((other > 0).mean())
    )


def mean_score(scores: list[SkinScore]) -> SkinScore:
    """Each picture counts the same."""

    def mean(of: Callable[[SkinScore], float]) -> float:
        return float(np.mean([of(score) for score in scores]))

    return SkinScore(mean(lambda s: s.auc), mean(lambda s: s.tpr), mean(lambda s: s.fpr))


def area_under_curve(values: Float[np.ndarray, "n"], is_skin: Bool[np.ndarray, "n"]) -> float:
    """By the ranks of the values (Mann-Whitney): equal ones count half."""
    n_skin = int(is_skin.sum())
    above = rankdata(values)[is_skin].sum() - n_skin * (n_skin + 1) / 2
    return float(above / (n_skin * (len(values) - n_skin)))
