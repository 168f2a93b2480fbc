"""What lips, cheeks and neighbours leave of the light on teeth, gums and tongue."""

import numpy as np

from commons.skins import smoothstep

# Light on the last tooth, and where it fades, behind the lips.
_BACK_LIGHT = 0.15
_DARKENS_MM, _TONGUE_DARKENS_MM = (40.0, 9.0), (64.0, 20.0)
# What a tooth's neighbours and the roof of the mouth take of it.
_BETWEEN_TEETH, _FACING_INWARDS = 0.65, 0.5
# What lips take where they bare gum, and above and below the middle of the teeth where.
_UNDER_LIPS, _UNDER_LIPS_MM = 0.65, (9.0, 13.5)


def mouth_light(
    points_mm: np.ndarray,
    normals: np.ndarray,
    teeth: np.ndarray,
    tongue: np.ndarray,
    lip_rim: np.ndarray,
) -> np.ndarray:
    """(vertices,) less from the front teeth backwards, and between teeth, which shade each other.

    Args:
        points_mm: (vertices, 3) of the head at rest.
        normals: (vertices, 3) unit, outwards.
        teeth: (vertices,) mask.
        tongue: (vertices,) mask.
        lip_rim: vertices, or a mask of them, between lip skin and mouth.
    """
    behind_mm = points_mm[lip_rim, 2].max() - points_mm[:, 2]
    light = _BACK_LIGHT + (1 - _BACK_LIGHT) * smoothstep(behind_mm, *_DARKENS_MM)
    # Arches are about round: what faces along them faces a neighbour.
    outward = (points_mm - points_mm[teeth].mean(axis=0)) * [1, 0, 1]
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
    around = np.cross([0.0, 1.0, 0.0], outward)
    sideways = np.abs((normals * around).sum(axis=1))
    between = smoothstep(sideways, 0.45, 0.95) * teeth
    inward = smoothstep((normals * outward).sum(axis=1), 0.1, -0.5)
    shade = (1 - _BETWEEN_TEETH * between) * (1 - _FACING_INWARDS * inward)
    shade *= under_lips(points_mm, teeth)
    # A tongue that is put out comes to where the light is, so it is dark at its root alone.
    at_root = _BACK_LIGHT + (1 - _BACK_LIGHT) * smoothstep(behind_mm, *_TONGUE_DARKENS_MM)
    return np.where(tongue, at_root, light * shade)


def under_lips(points_mm: np.ndarray, teeth: np.ndarray) -> np.ndarray:
    """(vertices,) what lips leave of the light: 1 before most of the teeth, less beyond them.

    Args:
        points_mm: (vertices, 3) of the head at rest.
        teeth: (vertices,) mask.
    """
    away_mm = np.abs(points_mm[:, 1] - points_mm[teeth, 1].mean())
    return 1 - _UNDER_LIPS * smoothstep(away_mm, *_UNDER_LIPS_MM)
