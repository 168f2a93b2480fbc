"""A small analytic head for tests: a cube-sphere stretched to an ellipsoid, with a nose.

It has everything that a real model has (quads, UV charts, a mirror map, blendshapes, points,
contours, regions) and nothing that was learned, so that tests need no data file.
"""

import numpy as np

from fit3dmm.geometry.subdivision import quads_to_triangles
from fit3dmm.geometry.surface_points import SurfacePoints
from fit3dmm.model.morphable import ModelInfo, MorphableModel
from fit3dmm.model.stored import StoredModel

RADII_MM = np.array([74.0, 108.0, 92.0])
EXPRESSIONS = ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight", "mouthSmileLeft", "mouthSmileRight")


def toy_model(level: int = 1, seed: int = 0, **sizes: int) -> MorphableModel:
    """The toy at a subdivision level: 386, 1,538 or 6,146 vertices; see `toy_stored`."""
    return toy_stored(seed, **sizes).at_level(level)


def toy_stored(
    seed: int = 0, cells: int = 8, n_identity: int = 6, n_detail: int = 4, n_albedo: int = 4
) -> StoredModel:
    """The toy as a file would hold it.

    Args:
        seed: of the random smooth components.
        cells: quads along an edge of the cube; even, so that x = 0 is an edge line.
    """
    rng = np.random.default_rng(seed)
    sphere, quads, uv, uv_quads = _cube_sphere(cells)
    mean = sphere * RADII_MM
    mean[:, 2] += 18 * _bump(sphere, 0.0, -0.08, 0.16)
    mirror = _mirror(sphere)
    skin = np.array([0.55, 0.33, 0.24])
    lips = np.maximum(_bump(sphere, -0.15, -0.42, 0.13), _bump(sphere, 0.15, -0.42, 0.13))
    brows = np.maximum(_bump(sphere, -0.4, 0.42, 0.14), _bump(sphere, 0.4, 0.42, 0.14))
    left, right = _bump(sphere, 0.4, 0.25, 0.12), _bump(sphere, -0.4, 0.25, 0.12)
    albedo = skin + lips[:, None] * [0.05, -0.12, -0.08] - brows[:, None] * [0.4, 0.24, 0.17]
    albedo_basis = np.concatenate(
        [0.2 * skin * np.ones((1, len(mean), 3)), 0.03 * _smooth_fields(rng, sphere, n_albedo - 1)]
    )
    face = np.clip(1.6 * sphere[:, 2] + 0.1, 0, 1)
    points = _Surface(mean, quads_to_triangles(quads))
    return StoredModel(
        info=ModelInfo(
            "toy", "toy", "1", "CC0-1.0", "Formulas of the test suite.", notes="Not a face."
        ),
        base_faces=quads,
        base_mirror=mirror,
        base_uv=uv,
        base_uv_faces=uv_quads,
        mean_mm=mean,
        identity_basis_mm=2.5 * _smooth_fields(rng, sphere, n_identity),
        detail_basis_mm=0.8 * _smooth_fields(rng, sphere, n_detail, degree=5),
        expression_basis_mm=_expressions(sphere),
        expression_names=EXPRESSIONS,
        expression_sigma=np.full(len(EXPRESSIONS), 0.4),
        expression_bounds=np.tile([0.0, 1.0], (len(EXPRESSIONS), 1)),
        albedo_level=0,
        albedo_mean_linear=albedo,
        albedo_basis_linear=albedo_basis,
        landmarks={
            "ibug68": points.along(_ibug68()),
            "mediapipe478": points.along(_mediapipe478()),
            "now7": points.along(_ibug68()[[36, 39, 42, 45, 33, 48, 54]]),
        },
        contours={"jaw17": points.along(_jaw_lines())},
        regions={
            "face": face,
            "skin": face * (1 - np.maximum.reduce([lips, brows, left, right])),
            "lips": lips,
            "eyes": np.maximum(left, right),
            "eye_left": left,
            "eye_right": right,
            "mouth_interior": np.zeros(len(mean)),
        },
        default_level=1,
        parts=_parts(sphere, quads),
        joints={
            f"eye_{side}": _centre_weights(mean, _bump(sphere, x, 0.25, 0.12) > 0.2, x)
            for side, x in (("left", 0.4), ("right", -0.4))
        },
        expression_covariance_factor=_factor(),
    )


def _parts(sphere: np.ndarray, quads: np.ndarray) -> dict[str, np.ndarray]:
    """The quad nearest to each eye's middle is its eyeball, the rest skin."""
    middle = sphere[quads].mean(axis=1)
    eyes = [int(_bump(middle, x, 0.25, 0.12).argmax()) for x in (0.4, -0.4)]
    skin = np.setdiff1d(np.arange(len(quads)), eyes)
    return {"eye_left": np.array(eyes[:1]), "eye_right": np.array(eyes[1:]), "skin": skin}


def _centre_weights(mean: np.ndarray, near: np.ndarray, side: float) -> np.ndarray:
    """Weights on vertices around an eye; on very coarse balls, on those of the front."""
    near = near if near.any() else (mean[:, 2] > 0) & (np.sign(mean[:, 0]) == np.sign(side))
    return near / near.sum()


def _factor() -> np.ndarray:
    """Sigmas of 0.4; the smile's halves go together, as do the lids."""
    correlation = np.eye(len(EXPRESSIONS))
    for i, j in ((1, 2), (3, 4)):
        correlation[i, j] = correlation[j, i] = 0.8
    return 0.4 * np.linalg.cholesky(correlation)


class _Surface:
    """Finds where rays from the centre leave the mesh."""

    def __init__(self, vertices: np.ndarray, triangles: np.ndarray) -> None:
        self.corners = vertices[triangles]

    def along(self, directions: np.ndarray) -> SurfacePoints[np.ndarray]:
        flat = directions.reshape(-1, 3)
        # Solve corners^T b = direction: b >= 0 in the triangle that the ray crosses.
        weights = np.einsum("tij,pj->pti", np.linalg.inv(np.swapaxes(self.corners, 1, 2)), flat)
        triangle = weights.min(axis=2).argmax(axis=1)
        barycentric = np.maximum(weights[np.arange(len(flat)), triangle], 0)
        barycentric /= barycentric.sum(axis=1, keepdims=True)
        shape = directions.shape[:-1]
        names = tuple(str(i) for i in range(shape[0]))
        return SurfacePoints(triangle.reshape(shape), barycentric.reshape(*shape, 3), names)


def _cube_sphere(cells: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    line = np.tan(np.linspace(-np.pi / 4, np.pi / 4, cells + 1))
    u, v = (grid.ravel() for grid in np.meshgrid(line, line))
    one = np.ones_like(u)
    # Each side's u and v turn counter-clockwise about its outward normal.
    sides = [(u, v, one), (-u, v, -one), (one, v, -u), (-one, v, u), (u, one, -v), (u, -one, v)]
    cube = np.concatenate([np.stack(side, axis=1) for side in sides])
    corner = (np.arange(cells)[:, None] * (cells + 1) + np.arange(cells)).ravel()
    chart = np.stack([corner, corner + 1, corner + cells + 2, corner + cells + 1], axis=1)
    uv_quads = np.concatenate([chart + k * (cells + 1) ** 2 for k in range(6)])
    place = np.array([[k % 3, k // 3] for k in range(6)]).repeat((cells + 1) ** 2, axis=0)
    within = np.tile(np.stack([u, v], axis=1), (6, 1)) * 0.46 + 0.5
    uv = (place + within) / [3, 2]
    unique, inverse = np.unique(cube.round(9) + 0.0, axis=0, return_inverse=True)
    sphere = unique / np.linalg.norm(unique, axis=1, keepdims=True)
    return sphere, inverse.ravel()[uv_quads], uv, uv_quads


def _mirror(sphere: np.ndarray) -> np.ndarray:
    distance = np.linalg.norm(sphere[:, None] * [-1, 1, 1] - sphere, axis=2)
    return distance.argmin(axis=1)


def _bump(sphere: np.ndarray, x: float, y: float, width: float) -> np.ndarray:
    """A smooth hill 0..1 on the front, centred at (x, y) of the unit sphere."""
    square = (sphere[:, 0] - x) ** 2 + (sphere[:, 1] - y) ** 2
    return np.exp(-square / (2 * width**2)) * (sphere[:, 2] > 0)


def _smooth_fields(
    rng: np.random.Generator, sphere: np.ndarray, n: int, degree: int = 3
) -> np.ndarray:
    """`n` vector fields of unit root mean square, orthogonal to each other."""
    powers = [(a, b, c) for a in range(degree) for b in range(degree) for c in range(degree - a)]
    monomials = np.stack([np.prod(sphere**p, axis=1) for p in powers], axis=1)
    fields = np.einsum("vm,nmc->nvc", monomials, rng.normal(size=(n, len(powers), 3)))
    orthogonal = np.linalg.qr(fields.reshape(n, -1).T)[0].T.reshape(fields.shape)
    return orthogonal * np.sqrt(len(sphere) * 3)


def _expressions(sphere: np.ndarray) -> np.ndarray:
    jaw = np.clip(-sphere[:, 1] - 0.35, 0, 1) * np.clip(sphere[:, 2] + 0.3, 0, 1)
    blendshapes = [np.stack([0 * jaw, -30 * jaw, -12 * jaw], axis=1)]
    for x in (0.4, -0.4):
        blendshapes.append(_bump(sphere, x, 0.3, 0.1)[:, None] * [0, -6.0, 1.5])
    for x in (0.28, -0.28):
        blendshapes.append(_bump(sphere, x, -0.4, 0.16)[:, None] * [np.sign(x) * 7.0, 6.0, -2.0])
    return np.stack(blendshapes)


def _on_front(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Directions to the front of the ellipsoid at places given on the unit disc."""
    z = np.sqrt(np.maximum(1 - x**2 - y**2, 0.02))
    return np.stack([x, y, z], axis=-1) * RADII_MM


def _ring(x: float, y: float, a: float, b: float, degrees: list[int]) -> np.ndarray:
    angle = np.radians(degrees)
    return _on_front(x + a * np.cos(angle), y + b * np.sin(angle))


def _ibug68() -> np.ndarray:
    """Directions in iBUG's order; the subject's right side (x < 0) comes first."""
    jaw = _ring(0, 0, 0.8, 0.78, list(np.linspace(190, 350, 17)))
    brow = np.linspace(-0.6, -0.15, 5)
    right = _on_front(brow, 0.45 - 0.5 * (brow + 0.375) ** 2)
    nose = _on_front(np.zeros(4), np.linspace(0.25, -0.08, 4))
    below = np.linspace(-0.14, 0.14, 5)
    nostrils = _on_front(below, -0.22 + 2 * below**2)
    eyes = [_ring(x, 0.25, 0.13, 0.06, [180, 120, 60, 0, -60, -120]) for x in (-0.4, 0.4)]
    outer = _ring(0, -0.42, 0.28, 0.11, list(range(180, -180, -30)))
    inner = _ring(0, -0.42, 0.2, 0.03, list(range(180, -180, -45)))
    left = right[::-1] * [-1, 1, 1]
    return np.concatenate([jaw, right, left, nose, nostrils, *eyes, outer, inner])


def _mediapipe478() -> np.ndarray:
    """468 directions spread over the face and 5 for each iris; the order means nothing here."""
    k = np.arange(468)
    radius, angle = 0.85 * np.sqrt((k + 0.5) / 468), k * np.pi * (3 - np.sqrt(5))
    face = _on_front(radius * np.cos(angle), radius * np.sin(angle))
    irises = [
        np.concatenate([_ring(x, 0.25, 0, 0, [0]), _ring(x, 0.25, 0.05, 0.035, [0, 90, 180, 270])])
        for x in (-0.4, 0.4)
    ]
    return np.concatenate([face, *irises])


def _jaw_lines() -> np.ndarray:
    """For each of 17 jaw points 9 candidates, from the back of the cheek to its front."""
    degrees = np.radians(np.linspace(190, 350, 17))
    depth = np.linspace(-0.35, 0.65, 9)
    outwards = np.stack([np.cos(degrees), np.sin(degrees)], axis=1)[:, None] * np.ones((1, 9, 1))
    z = np.tile(depth[None, :, None], (17, 1, 1))
    return np.concatenate([outwards, z], axis=2) * RADII_MM
