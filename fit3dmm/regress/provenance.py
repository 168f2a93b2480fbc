"""What is written into a regressor's file about how it came about."""

import platform
from collections.abc import Sequence

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
) -> RegressorInfo:
    """Of a network that was trained on rendered people here.

    Args:
        model: whose coefficients it says.
        point_sets: of the model, that it sees.
        size_px: side of the crops that it was trained on last.
        looks: how the training went.
        n_photos: how many unlabelled photos it learned from, too.
        seed: of the training.
    """
    last = looks[-1] if looks else None
    best = next((look for look in reversed(looks) if look.is_best), last)
    shown = "rendered people"
    if n_photos:
        shown = f"rendered people and {n_photos} unlabelled photos"
    return RegressorInfo(
        model=f"{model.info.name} {model.info.version}",
        model_key=model_key(model),
        point_sets=point_sets,
        size_px=size_px,
        licence="CC0-1.0",
        provenance=f"Trained by `fit3dmm train` on {shown}.",
        record={
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
