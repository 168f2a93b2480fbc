"""What a report's viewer is told to colour the avatar by how sure the fit is of each place."""

import base64
from typing import Any

import numpy as np
from jaxtyping import Float

from fit3dmm.export.avatar import avatar_vertices
from fit3dmm.model.morphable import MorphableModel

# Of the face's vertices: few of them shall decide the colours of all.
_PERCENTILES = (2, 98)


def sigma_facts(sigma_mm: Float[np.ndarray, "vertices"], model: MorphableModel) -> dict[str, Any]:
    """Range of the colours and, mesh by mesh of the avatar, a byte a vertex within it.

    Args:
        sigma_mm: standard deviation of the place of each of the model's vertices.
        model: the one that was fitted.
    """
    face = model.regions["face"].cpu().numpy() > 0.5
    low_mm, high_mm = np.percentile(sigma_mm[face] if face.any() else sigma_mm, _PERCENTILES)
    share = np.clip((sigma_mm - low_mm) / max(high_mm - low_mm, 1e-6), 0, 1)
    steps = np.round(255 * share).astype(np.uint8)
    return {
        "low_mm": round(float(low_mm), 2),
        "high_mm": round(float(high_mm), 2),
        "meshes": {
            name: base64.b64encode(steps[vertex].tobytes()).decode("ascii")
            for name, vertex in avatar_vertices(model).items()
        },
    }
