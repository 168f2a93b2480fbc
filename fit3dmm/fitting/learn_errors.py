"""Learning how a detector errs from faces whose points are known: a linear model, view by view."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int

from fit3dmm.energy.detected import view_features
from fit3dmm.observe.detection import MEDIAPIPE_POINTS
from fit3dmm.observe.detector_errors import DetectorErrors

VIEWS_DEG = (-60.0, -40.0, -20.0, 0.0, 20.0, 40.0, 60.0)
# Faces within this of a view count for it; beyond the last view all do.
_REACH_DEG = 15.0
_SCORES, _MODES = 60, 40
# Prior precision of each slope against that of one face: features are scaled to be about one.
_RIDGE = 100.0
_FEATURE_SIZE = 0.1
# The worst faces of a view are mistakes and not errors.
_KEPT_SHARE = 0.97
_ROUNDS = 3


@dataclass(frozen=True)
class Seen:
    """One face or several, stacked."""

    error_mm: Float[np.ndarray, "*n points 2"]
    """Detected less true, on the face, with the head upright and y up."""
    points_mm: Float[np.ndarray, "*n points 3"]
    """True points in `model`."""
    forward: Float[np.ndarray, "*n 3"]
    """Out of the face: x and y with the head upright, and z of `cam`."""
    distance_mm: Float[np.ndarray, "*n"]
    told_mm: Float[np.ndarray, "*n points 2 2"] | None = None
    """Cholesky factors of the covariances that the detector tells, as the errors."""

    @property
    def yaw_deg(self) -> Float[np.ndarray, "*n"]:
        """About the vertical."""
        return np.degrees(np.arctan2(self.forward[..., 0], self.forward[..., 2]))


def stack(seen: list[Seen]) -> Seen:
    """One record of many."""
    told = [one.told_mm for one in seen if one.told_mm is not None]
    return Seen(
        np.stack([one.error_mm for one in seen]),
        np.stack([one.points_mm for one in seen]),
        np.stack([one.forward for one in seen]),
        np.stack([one.distance_mm for one in seen]),
        np.stack(told) if told else None,
    )


@dataclass(frozen=True)
class View:
    """One row of `DetectorErrors`."""

    bias_mm: Float[np.ndarray, "points 2"]
    by_view_mm: Float[np.ndarray, "points 2 features"]
    by_score_mm: Float[np.ndarray, "points 2 scores"]
    modes: Float[np.ndarray, "points 2 modes"]
    sigma: Float[np.ndarray, "points"]
    n_faces: int
    rms_mm: tuple[float, float, float]
    """Length of the errors as they are, of what turn and shape leave, and of what the modes leave
    of that."""


def learn_errors(
    seen: Seen,
    reference_mm: Float[np.ndarray, "points 3"],
    mirror: Int[np.ndarray, "points"],
    point_set: str = MEDIAPIPE_POINTS,
    views_deg: tuple[float, ...] = VIEWS_DEG,
) -> tuple[DetectorErrors, list[View]]:
    """Fit the errors of every view.

    Args:
        seen: faces in all views.
        reference_mm: points of the mean face.
        mirror: for each point, the one on the other side; every face counts also as its image.
        point_set: which of a model's points they are.
        views_deg: yaws by which errors are told, rising and as many on either side.
    """
    both = with_mirror_images(seen, mirror)
    offset_mm = (both.points_mm - reference_mm).reshape(len(both.points_mm), -1)
    basis = score_basis(offset_mm)
    scores = offset_mm @ basis.T
    views = alike([_learn_view(both, scores, yaw, max(views_deg)) for yaw in views_deg])

    def stacked(name: str) -> torch.Tensor:
        return torch.from_numpy(np.stack([getattr(view, name) for view in views]))

    errors = DetectorErrors(
        yaw_deg=torch.tensor(views_deg, dtype=torch.float64),
        bias_mm=stacked("bias_mm"),
        by_view_mm=stacked("by_view_mm"),
        by_score_mm=stacked("by_score_mm"),
        modes=stacked("modes"),
        sigma=stacked("sigma"),
        reference_mm=torch.from_numpy(reference_mm),
        score_basis=torch.from_numpy(basis.reshape(len(basis), -1, 3)),
        point_set=point_set,
        in_told_sigmas=seen.told_mm is not None,
    )
    return errors.to(dtype=torch.float32), views


def mirror_of(points_mm: Float[np.ndarray, "points 3"]) -> Int[np.ndarray, "points"]:
    """For each point of a symmetric face, the one on the other side.

    Raises:
        ValueError: it is not symmetric.
    """
    flipped = points_mm * [-1, 1, 1]
    nearest = np.linalg.norm(flipped[:, None] - points_mm, axis=2).argmin(axis=1)
    if not np.array_equal(np.sort(nearest), np.arange(len(points_mm))):
        raise ValueError("The points are not symmetric: errors are learned on a face whose are.")
    return nearest


def with_mirror_images(seen: Seen, mirror: Int[np.ndarray, "points"]) -> Seen:
    """The faces and what a mirror shows of them."""
    flip2, flip3 = np.array([-1.0, 1.0]), np.array([-1.0, 1.0, 1.0])
    # Of a lower triangle both sides are flipped, so that its diagonal stays positive.
    told = np.zeros(0) if seen.told_mm is None else seen.told_mm * np.outer(flip2, flip2)
    return Seen(
        np.concatenate([seen.error_mm, (seen.error_mm * flip2)[:, mirror]]),
        np.concatenate([seen.points_mm, (seen.points_mm * flip3)[:, mirror]]),
        np.concatenate([seen.forward, seen.forward * flip3]),
        np.concatenate([seen.distance_mm, seen.distance_mm]),
        None if seen.told_mm is None else np.concatenate([seen.told_mm, told[:, mirror]]),
    )


def score_basis(offset_mm: Float[np.ndarray, "faces n"]) -> Float[np.ndarray, "scores n"]:
    """The directions in which faces differ most, each scaled to scores of unit size."""
    _, size, directions = np.linalg.svd(offset_mm, full_matrices=False)
    # A direction in which no face differs has no size to be scaled by.
    n_scores = min(_SCORES, int((size > 1e-6 * size[0]).sum()))
    return directions[:n_scores] * (np.sqrt(len(offset_mm)) / size[:n_scores, None])


def alike(views: list[View]) -> list[View]:
    """The views with their modes turned towards those of the neighbour that is nearer to the front.

    Turning modes among each other changes no error's likelihood, and lets views be mixed.
    """
    turned = list(views)
    front = len(views) // 2
    for step in (1, -1):
        for k in range(front + step, len(views) if step > 0 else -1, step):
            wanted, modes = turned[k - step].modes, views[k].modes
            u, _, vt = np.linalg.svd(np.einsum("pxm,pxn->mn", modes, wanted))
            turned[k] = replace(views[k], modes=modes @ (u @ vt))
    return turned


def _learn_view(
    seen: Seen, scores: Float[np.ndarray, "faces scores"], yaw_deg: float, last_deg: float
) -> View:
    off_deg = seen.yaw_deg - yaw_deg
    near = np.abs(off_deg) < _REACH_DEG
    if abs(yaw_deg) == last_deg:
        near |= off_deg * np.sign(yaw_deg) > 0
    error_mm = seen.error_mm[near].reshape(int(near.sum()), -1)
    # About the view turns are small, which is what the ridge is for.
    middle = np.array([np.sin(np.radians(yaw_deg)), 0.0])
    features = view_features(
        torch.from_numpy(seen.forward[near, :2] - middle),
        torch.from_numpy(seen.distance_mm[near]),
    ).numpy()
    inputs = np.concatenate(
        [np.ones((len(error_mm), 1)), features / _FEATURE_SIZE, scores[near]], axis=1
    )
    told_mm = None if seen.told_mm is None else seen.told_mm[near]
    slopes, kept = _robust_ridge(inputs, error_mm, _certainty(told_mm, len(error_mm)))
    rest_mm = (error_mm - inputs @ slopes)[kept]
    rest = rest_mm if told_mm is None else _in_told_sigmas(rest_mm, told_mm[kept])
    _, size, directions = np.linalg.svd(rest, full_matrices=False)
    size, directions = size[:_MODES], directions[:_MODES]
    noise = (rest - rest @ directions.T @ directions).reshape(len(rest), -1, 2)
    noise_share = _length(noise) / _length(rest)
    n_features = features.shape[1]

    bias, by_view = _about_the_front(
        slopes[0], slopes[1 : 1 + n_features] / _FEATURE_SIZE, middle[0]
    )

    def of_points(values: np.ndarray) -> np.ndarray:
        return values.T.reshape(-1, 2, len(values))

    return View(
        bias_mm=bias.reshape(-1, 2),
        by_view_mm=of_points(by_view),
        by_score_mm=of_points(slopes[1 + n_features :]),
        modes=of_points(directions * (size[:, None] / np.sqrt(len(rest)))),
        sigma=np.sqrt((noise**2).mean(axis=(0, 2))),
        n_faces=len(error_mm),
        rms_mm=(_length(error_mm[kept]), _length(rest_mm), noise_share * _length(rest_mm)),
    )


def _about_the_front(
    bias: Float[np.ndarray, "n"], by_view: Float[np.ndarray, "6 n"], sine: float
) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "6 n"]]:
    """The same quadratic in x and y instead of x - sine and y."""
    x, y, xx, xy, yy, near = by_view
    moved = np.stack([x - 2 * sine * xx, y - sine * xy, xx, xy, yy, near])
    return bias - sine * x + sine**2 * xx, moved


def _certainty(
    told_mm: Float[np.ndarray, "faces points 2 2"] | None, n_faces: int
) -> Float[np.ndarray, "faces"]:
    """How much each face counts, about 1: by the variance that the detector tells."""
    if told_mm is None:
        return np.ones(n_faces)
    counts = 1 / (told_mm**2).sum(axis=(2, 3)).mean(axis=1)
    return counts / counts.mean()


def _in_told_sigmas(
    rest_mm: Float[np.ndarray, "faces n"], told_mm: Float[np.ndarray, "faces points 2 2"]
) -> Float[np.ndarray, "faces n"]:
    vectors = rest_mm.reshape(*told_mm.shape[:3], 1)
    return np.linalg.solve(told_mm, vectors).reshape(rest_mm.shape)


def _robust_ridge(
    inputs: Float[np.ndarray, "faces inputs"],
    values: Float[np.ndarray, "faces n"],
    counts: Float[np.ndarray, "faces"],
) -> tuple[Float[np.ndarray, "inputs n"], np.ndarray]:
    """Slopes, and which faces they were fitted to. The first input is the constant."""
    penalty = _RIDGE * np.eye(inputs.shape[1])
    penalty[0, 0] = 0
    kept = np.ones(len(inputs), dtype=bool)
    slopes = np.zeros((inputs.shape[1], values.shape[1]))
    for _ in range(_ROUNDS):
        weighted = (counts[:, None] * inputs)[kept]
        slopes = np.linalg.solve(weighted.T @ inputs[kept] + penalty, weighted.T @ values[kept])
        size = counts * ((values - inputs @ slopes) ** 2).mean(axis=1)
        kept = size <= np.quantile(size, _KEPT_SHARE)
    return slopes, kept


def _length(vectors_mm: np.ndarray) -> float:
    """Root mean square length of 2-vectors."""
    return float(np.sqrt(2 * (vectors_mm**2).mean()))
