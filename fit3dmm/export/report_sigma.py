"""What a report's viewer is told to colour the avatar by how sure the fit is of each place."""

import base64
from typing import Any

import numpy as np

from fit3dmm.export.avatar import avatar_vertices
from fit3dmm.export.sigma import VertexSigma
from fit3dmm.model.morphable import MorphableModel


def sigma_facts(found: VertexSigma, model: MorphableModel) -> dict[str, Any]:
    """Range of the colours and, mesh by mesh of the avatar, a byte a vertex within it.

    Args:
        found: how sure the fit is of each of the model's vertices.
        model: the one that was fitted.
    """
    steps = np.round(255 * found.shares()).astype(np.uint8)
    return {
        "low_mm": round(found.low_mm, 2),
        "high_mm": round(found.high_mm, 2),
        "meshes": {
            name: base64.b64encode(steps[vertex].tobytes()).decode("ascii")
            for name, vertex in avatar_vertices(model).items()
        },
    }
