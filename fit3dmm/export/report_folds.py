"""The texture with the photo's folds, for the viewer of a report."""

import base64
import io
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from fit3dmm.export.driven import movement_products_mm2
from fit3dmm.export.resting import from_rest
from fit3dmm.fitting.result import FitResult
from fit3dmm.model.morphable import MorphableModel

_JPEG_QUALITY = 92


def fold_facts(
    result: FitResult,
    model: MorphableModel,
    folded: UInt8[np.ndarray, "size size 3"],
    rest: Float[Tensor, "expression"] | None,
) -> dict[str, Any]:
    """What `viewer.js` blends by: `driven.share_driven` on weights of the avatar's targets.

    Args:
        result: of a fit.
        model: the one that was fitted.
        folded: the texture.
        rest: activations of the avatar's mesh itself; zeros if left out.
    """
    rest = model.zeros().expression if rest is None else rest
    left = 1 - rest
    products = movement_products_mm2(model) * left * left[:, None]
    file = io.BytesIO()
    Image.fromarray(folded).save(file, format="JPEG", quality=_JPEG_QUALITY)
    return {
        "picture": "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii"),
        "names": list(model.expression_names),
        "fitted": [
            round(v, 4) for v in from_rest(result.scene.coefficients.expression, rest).tolist()
        ],
        "products": [[round(v, 4) for v in row] for row in products.tolist()],
    }
