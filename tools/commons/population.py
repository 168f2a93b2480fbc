"""The prior over neutral heads: artists' controls and smooth deformations, calibrated on people.

The controls say how heads can vary and nothing about how they do. So the Gaussian that they span
is conditioned, in two steps, on what was measured on people: where 3D anatomical points lie and
how they vary together (figures measured on ICT-FaceKit), and the distances of the anthropometric
surveys. Conditioning on a distribution rather than on a value is Jeffrey's rule: with prior p(x),
measurements y = L x + noise and a population q(y), the result is the integral of p(x | y) q(y).
For Gaussians it is closed-form, and it leaves everything alone that no measurement speaks about.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.distance import pdist, squareform

from commons.controls import Phenotype, local_controls_mm, phenotype_shapes_mm
from commons.head import Head
from commons.measures import Survey, measure, on_surface, points_of
from commons.sources import BaseMesh, Sources

_SEED = 20190320
_N_PHENOTYPES = 1200
_N_PHENOTYPE_COMPONENTS = 25
# A local control at full deflection is an extreme; people are taken to lie within a third of it.
_CONTROL_SIGMA = 0.3
# Smooth deformations that the controls lack: amplitude in mm, length in mm, modes an axis.
_SMOOTH = ((2.5, 40.0, 60), (1.5, 18.0, 150))
# How well a point on one topology can be found on another, in mm. Chosen by a real head (jon of
# benchmarks/run_real.py) and 51 people: docs/models.md has what other values did.
_POINT_SIGMA_MM = 0.4


@dataclass(frozen=True)
class Gaussian:
    """Heads: mean (base, 3) and factor (n, base, 3), so that mean + factor . N(0, I) is a draw."""

    mean_mm: np.ndarray
    factor_mm: np.ndarray


@dataclass(frozen=True)
class PointFigures:
    """3D anatomical points of a population: mean (points, 3) and modes (modes, points, 3)."""

    mean_mm: np.ndarray
    modes_mm: np.ndarray


def artists_prior(sources: Sources, mesh: BaseMesh, head: Head, face: np.ndarray) -> Gaussian:
    """The uncalibrated Gaussian, free of rigid motion.

    Args:
        face: (base,) weights of the vertices that define the rigid alignment.
    """
    rng = np.random.default_rng(_SEED)
    n = _N_PHENOTYPES
    people = Phenotype(
        male=np.clip((rng.random(n) < 0.5) + rng.normal(0, 0.15, n), 0, 1),
        age=rng.uniform(0.5, 0.95, n),
        weight=np.clip(rng.normal(0.5, 0.22, n), 0, 1),
        muscle=np.clip(rng.normal(0.5, 0.2, n), 0, 1),
        ancestry=rng.dirichlet([0.5] * 3, n),
    )
    shapes = phenotype_shapes_mm(sources, mesh, head, people)
    mean = shapes.mean(axis=0)
    for _ in range(3):
        shapes = np.stack([_rigidly_aligned(shape, mean, face) for shape in shapes])
        mean = shapes.mean(axis=0)
    mean = (mean + mirrored(mean, head)) / 2
    _, sigma, axes = np.linalg.svd((shapes - mean).reshape(n, -1), full_matrices=False)
    phenotypes = axes[:_N_PHENOTYPE_COMPONENTS] * (sigma[:_N_PHENOTYPE_COMPONENTS, None] / n**0.5)
    _, controls = local_controls_mm(sources, head)
    factor = np.concatenate(
        [
            phenotypes.reshape(-1, *mean.shape),
            _CONTROL_SIGMA * controls,
            *(_smooth_deformations(mean, *parameters) for parameters in _SMOOTH),
        ]
    )
    return Gaussian(mean, without_rigid_motion(symmetrised(factor, head), mean, face))


def _rigidly_aligned(shape: np.ndarray, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Least-squares rigid motion of a shape onto a target (Kabsch)."""
    a, b = (np.average(x, axis=0, weights=weight) for x in (shape, target))
    u, _, vt = np.linalg.svd(((target - b) * weight[:, None]).T @ (shape - a))
    rotation = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt
    return (shape - a) @ rotation.T + b


def _smooth_deformations(
    mean: np.ndarray, amplitude_mm: float, length_mm: float, n: int
) -> np.ndarray:
    """(3 n, base, 3) leading modes of a Gaussian process with a squared-exponential kernel."""
    kernel = amplitude_mm**2 * np.exp(-squareform(pdist(mean, "sqeuclidean")) / (2 * length_mm**2))
    values, vectors = np.linalg.eigh(kernel)
    modes = (vectors[:, ::-1][:, :n] * np.sqrt(np.maximum(values[::-1][:n], 0))).T
    return np.concatenate([modes[:, :, None] * axis for axis in np.eye(3)])


def mirrored(displacements: np.ndarray, head: Head) -> np.ndarray:
    """Mirror images of (..., base, 3) displacements or positions."""
    return displacements[..., head.mirror, :] * [-1, 1, 1]


def symmetrised(factor: np.ndarray, head: Head) -> np.ndarray:
    """A factor whose covariance is the mean of the given one and its mirror image."""
    even, odd = (factor + s * mirrored(factor, head) for s in (1, -1))
    return np.concatenate([even, odd]) / 2


def without_rigid_motion(factor: np.ndarray, mean: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Take translation and infinitesimal rotation of the weighted vertices out of every row."""
    motions = rigid_motions(mean, weight, scale=False)
    weighted = motions * np.repeat(weight, 3)
    flat = factor.reshape(len(factor), -1)
    amounts = np.linalg.solve(weighted @ motions.T, weighted @ flat.T)
    return (flat - amounts.T @ motions).reshape(factor.shape)


def rigid_motions(points: np.ndarray, weight: np.ndarray, scale: bool) -> np.ndarray:
    """(6 or 7, 3 points) displacements of unit translations, rotations and growth."""
    offset = points - np.average(points, axis=0, weights=weight)
    motions = [np.tile(axis, (len(points), 1)) for axis in np.eye(3)]
    motions += [np.cross(axis, offset) for axis in np.eye(3)]
    return np.stack([m.ravel() for m in [*motions, *([offset] if scale else [])]])


def conditioned(
    prior: Gaussian,
    jacobian: np.ndarray,
    offset: np.ndarray,
    covariance: np.ndarray,
    error: np.ndarray,
) -> Gaussian:
    """Jeffrey's rule for a linear measurement of a Gaussian.

    Args:
        jacobian: (measures, base * 3) of the measurements.
        offset: (measures,) population mean less the measurement of the prior's mean.
        covariance: (measures, measures) of the population.
        error: (measures,) sigmas of the measurement's own noise.
    """
    factor = prior.factor_mm.reshape(len(prior.factor_mm), -1)
    seen = factor @ jacobian.T
    gain = np.linalg.solve(seen.T @ seen + np.diag(error**2), seen.T).T
    kept = np.eye(len(factor)) - gain @ seen.T + gain @ covariance @ gain.T
    values, vectors = np.linalg.eigh((kept + kept.T) / 2)
    order = values > 1e-9
    rotated = (vectors[:, order] * np.sqrt(values[order])).T @ factor
    mean = prior.mean_mm + ((gain @ offset) @ factor).reshape(prior.mean_mm.shape)
    return Gaussian(mean, rotated.reshape(-1, *prior.mean_mm.shape))


def conditioned_on_points(
    prior: Gaussian, rows: np.ndarray, figures: PointFigures, head: Head
) -> Gaussian:
    """Condition on the shape of a set of 3D points, their position and size left free.

    Args:
        rows: (points, base) weights that give the points from base vertices.
    """
    projector = None
    mean = prior.mean_mm
    for _ in range(2):
        ours = rows @ mean
        aligned, modes = _similar(figures, ours)
        motions, _ = np.linalg.qr(rigid_motions(ours, np.ones(len(ours)), scale=True).T)
        projector = np.eye(len(motions)) - motions @ motions.T
        jacobian = projector @ np.kron(rows, np.eye(3))
        spread = modes.reshape(len(modes), -1) @ projector
        result = conditioned(
            prior,
            jacobian,
            projector @ (aligned - rows @ prior.mean_mm).ravel(),
            spread.T @ spread,
            np.full(len(jacobian), _POINT_SIGMA_MM),
        )
        mean = result.mean_mm
    return _symmetric(result, head)


def _similar(figures: PointFigures, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and modes of the figures after the best similarity to the target."""
    a, b = figures.mean_mm.mean(axis=0), target.mean(axis=0)
    x, y = figures.mean_mm - a, target - b
    u, sigma, vt = np.linalg.svd(y.T @ x)
    rotation = u @ vt
    scale = sigma.sum() / (x**2).sum()
    return scale * x @ rotation.T + b, scale * figures.modes_mm @ rotation.T


def conditioned_on_survey(prior: Gaussian, survey: Survey, head: Head) -> Gaussian:
    """Condition on the distances that surveys measured; correlations nobody published stay ours.

    People are women and men in equal parts. The first row of the result's factor is half the way
    from the mean woman to the mean man, the others are how people of one sex vary.
    """
    surface = on_surface(head)
    points = points_of(head, surface @ prior.mean_mm)
    mean, towards_men = prior.mean_mm, np.zeros_like(prior.mean_mm)
    for _ in range(4):
        values, by_surface = measure(points, survey.names, surface @ mean)
        jacobian = np.stack([by_surface[..., k] @ surface for k in range(3)], axis=-1)
        flat = jacobian.reshape(len(values), -1)
        seen = prior.factor_mm.reshape(len(prior.factor_mm), -1) @ flat.T
        own = np.corrcoef(seen.T)
        correlation = np.where(np.isnan(survey.correlation_within), own, survey.correlation_within)
        covariance = _positive(correlation) * np.outer(survey.sd_within_mm, survey.sd_within_mm)
        offset = survey.mean_mm - values - flat @ (prior.mean_mm - mean).ravel()
        sized = survey.with_size
        rows, spread = sized @ flat, sized @ covariance @ sized.T
        within, men = (
            conditioned(prior, rows, sized @ (offset + to_sex), spread, survey.error_mm)
            for to_sex in (0.0, survey.half_gap_mm)
        )
        mean, towards_men = within.mean_mm, men.mean_mm - within.mean_mm
    sexes = (towards_men + mirrored(towards_men, head)) / 2
    return _symmetric(Gaussian(mean, np.concatenate([sexes[None], within.factor_mm])), head)


def _positive(correlation: np.ndarray) -> np.ndarray:
    """A correlation matrix with eigenvalues of at least 0.02: sources disagree a little."""
    values, vectors = np.linalg.eigh((correlation + correlation.T) / 2)
    fixed = (vectors * np.maximum(values, 0.02)) @ vectors.T
    scale = 1 / np.sqrt(np.diag(fixed))
    return fixed * np.outer(scale, scale)


def _symmetric(gaussian: Gaussian, head: Head) -> Gaussian:
    mean = (gaussian.mean_mm + mirrored(gaussian.mean_mm, head)) / 2
    return replace(gaussian, mean_mm=mean)


def principal_components(gaussian: Gaussian, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, base, 3) components in sigmas, and variances on the weighted vertices.

    The first component is the factor's first row as it is, the sexes; of the others the largest on
    the weighted vertices come first. The covariance is unchanged; only the order of importance
    depends on the weights.
    """
    first, rest = gaussian.factor_mm[:1], gaussian.factor_mm[1:]
    flat = rest.reshape(len(rest), -1)
    gram = (flat * np.repeat(weight, 3)) @ flat.T
    values, vectors = np.linalg.eigh(gram)
    order = np.argsort(values)[::-1]
    components = (vectors[:, order].T @ flat).reshape(rest.shape)
    # The sign of a component is arbitrary: the largest coordinate is made positive.
    peak = np.take_along_axis(
        components.reshape(len(components), -1),
        np.abs(components).reshape(len(components), -1).argmax(axis=1)[:, None],
        axis=1,
    )
    components = components * np.where(peak < 0, -1.0, 1.0)[:, :, None]
    of_sexes = (first**2).sum(axis=2) @ weight
    return np.concatenate([first, components]), np.concatenate([of_sexes, values[order]])
