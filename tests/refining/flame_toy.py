"""The toy with FLAME's joints."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from fit3dmm.model.formats.flame import JOINTS
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.model.stored import StoredModel
from fit3dmm.model.stored_rig import StoredRig
from tests.toy import toy_stored


@lru_cache(maxsize=1)
def flame_toy() -> MorphableModel:
    """At level 1; see `flame_stored`."""
    return flame_stored().at_level(1)


def flame_stored(**sizes: int) -> StoredModel:
    """A jaw that carries the chin, eyes, and a neck below; correctives of half a mm a radian."""
    stored = toy_stored(**sizes)
    mean, n = np.asarray(stored.mean_mm), len(stored.mean_mm)
    rng = np.random.default_rng(0)
    jaw = np.clip(-mean[:, 1] / 60 - 0.3, 0, 1) * np.clip(mean[:, 2] / 40, 0, 1)
    neck = np.clip(-mean[:, 1] / 60 - 0.8, 0, 1) * np.clip(-mean[:, 2] / 40, 0, 1)
    eyes = [0.9 * np.asarray(stored.regions[f"eye_{side}"]) for side in ("left", "right")]
    skinning = np.stack([jaw * (1 - sum(eyes)), *eyes, neck])
    centres = skinning / skinning.sum(axis=1, keepdims=True)
    rig = StoredRig(
        JOINTS,
        np.full(4, -1),
        centres,
        skinning,
        0.5 * rng.normal(size=(36, 1, 3)) * np.ones((1, n, 1)),
        np.tile([0.12, 0.03, 0.02], 4),
        np.tile([-0.7, 0.7], (12, 1)),
    )
    free = np.tile([-np.inf, np.inf], (len(stored.expression_names), 1))
    return replace(stored, rig=rig, expression_bounds=free)
