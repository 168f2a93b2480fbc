"""What is written into a regressor's file about how it came about."""

import platform
from collections.abc import Sequence
from typing import Any

from fit3dmm._version import __version__
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.regress.files import RegressorInfo, model_key
from fit3dmm.regress.looks import Look


def trained_info(
    model: MorphableModel,
    point_sets: tuple[str, ...],
    size_px: int,
    looks: Sequence[Look],
    n_photos: int,
    seed: int,
    start: RegressorInfo | None = None,
    trunk_weights: str | None = None,
) -> RegressorInfo:
    """Of a network that was trained on rendered people here.

    Args:
        model: whose coefficients it says.
        point_sets: of the model, that it sees.
        size_px: side of the crops that it was trained on last.
        looks: how the training went.
        n_photos: how many unlabelled photos it learned from, too.
        seed: of the training.
        start: of the regressor that it went on from; what that one came from goes on to hold.
        trunk_weights: what file its trunk began with, where it went on from none.
    """
    last = looks[-1] if looks else None
    best = next((look for look in reversed(looks) if look.is_best), last)
    shown = "rendered people"
    if n_photos:
        shown = f"rendered people and {n_photos} unlabelled photos"
    licence, provenance = "CC0-1.0", f"Trained by `fit3dmm train` on {shown}."
    record: dict[str, Any] = {}
    if start is not None:
        licence = start.licence
        provenance = f"{start.provenance} Then trained by `fit3dmm train` on {shown}."
        record = {"before": dict(start.record)}
    elif trunk_weights is not None:
        licence = f"{licence} AND LicenseRef-trunk"
        provenance = f"{provenance} Its trunk began with {trunk_weights}, whose licence holds on."
    return RegressorInfo(
        model=f"{model.info.name} {model.info.version}",
        model_key=model_key(model),
        point_sets=point_sets,
        size_px=size_px,
        licence=licence,
        provenance=provenance,
        record={
            **record,
            "fit3dmm": __version__,
            "seed": seed,
            "pictures": last.pictures if last else 0,
            "steps": last.step if last else 0,
            "hours": last.seconds / 3600 if last else 0.0,
            "machine": f"{platform.machine()} {platform.system()}",
            "held_out": best.parts if best else {},
            "photos": n_photos,
            "held_out_photos": best.photo_parts if best else {},
        },
    )
