"""A model that brings shapes only becomes a whole one: what it lacks is transferred from Commons.

Commons' mean is laid over the source's mean; then colours and regions are read off at the source's
vertices, and points and contours are looked up on the source's surface.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from fit3dmm._errors import InputError
from fit3dmm.geometry.nearest import NearestSurface
from fit3dmm.geometry.registration import Registration, register
from fit3dmm.geometry.surface_points import SurfacePoints
from fit3dmm.model.anchors import anchors_by_eyes
from fit3dmm.model.attribute_transfer import (
    EYES,
    NONE,
    REGISTERED_LEVEL,
    SKIN,
    Transferred,
    triangles_of,
)
from fit3dmm.model.formats.source import SourceModel
from fit3dmm.model.landmarks import NOW7_IN_IBUG68
from fit3dmm.model.morphable import ModelInfo, MorphableModel
from fit3dmm.model.stored import StoredModel

_WORST_FIT_MM = 5.0
_SIZES = (0.7, 1.4)
"""Of adult faces to each other, with room for crops and habits."""


@dataclass(frozen=True)
class Completion:
    """The whole model, and how well the donor fitted."""

    stored: StoredModel
    residual_mean_mm: float
    """Mean distance of the donor's face from the source's mean."""
    residual_p90_mm: float
    landmark_distance_mm: np.ndarray
    """Of each transferred iBUG point from the source's own; none where it has no 68 points."""


def complete(source: SourceModel, donor: StoredModel) -> Completion:
    """Transfer to a source model what it lacks.

    The result has the donor's origin (the source is shifted, not turned or scaled). Point sets,
    regions and colours that the source brings itself are kept.

    Args:
        donor: a quad model with colours and the `ibug68` points: Commons.

    Raises:
        InputError: the donor does not fit the source at all.
    """
    stored = source.stored
    coarse = donor.at_level(REGISTERED_LEVEL)
    mean_mm = np.asarray(stored.mean_mm, np.float64)
    surface = NearestSurface(mean_mm, triangles_of(stored), _face_parts(source))
    if not source.anchors_mm:
        eyes_mm = {name: weights @ mean_mm for name, weights in stored.joints.items()}
        anchors_mm = anchors_by_eyes(coarse, surface, eyes_mm)
        source = dataclasses.replace(source, anchors_mm=anchors_mm)
    _check_size(coarse, source)
    laid = _lay(coarse, surface, source, stored)
    face = coarse.regions["face"].numpy() > 0.5
    apart = laid.distance_mm[face & np.isfinite(laid.distance_mm)]
    if len(apart) < 0.3 * face.sum() or apart.mean() > _WORST_FIT_MM:
        raise InputError(
            f"The mean of {stored.info.name!r} does not look like a face in mm with y up and z "
            "forward: its surface can't be brought into register with Commons."
        )
    shift_mm = (coarse.shape_mm(coarse.zeros()).numpy() - laid.vertices_mm)[face].mean(axis=0)
    transferred = Transferred.of(donor, laid.vertices_mm)
    points = transferred.points_on(surface)
    distance = _landmark_distance(points["ibug68"], stored)
    albedo_mean, albedo_basis, regions = transferred.at_vertices(stored, source.own_parts)
    sigma, factor = _expression_prior(stored, donor)
    whole = dataclasses.replace(
        stored,
        info=_described(stored, donor, float(apart.mean())),
        mean_mm=stored.mean_mm + shift_mm,
        expression_sigma=sigma,
        expression_covariance_factor=factor,
        albedo_mean_linear=albedo_mean,
        albedo_basis_linear=albedo_basis,
        landmarks=_own_first(stored, donor, points),
        contours={name: points[name] for name in donor.contours} | dict(stored.contours),
        regions=regions | dict(stored.regions),
    )
    return Completion(whole, float(apart.mean()), float(np.percentile(apart, 90)), distance)


def _check_size(model: MorphableModel, source: SourceModel) -> None:
    """Registration scales freely, so a model in other units would pass it unseen."""
    index = sorted(source.anchors_mm)
    own = np.stack([source.anchors_mm[i] for i in index])
    theirs = model.landmarks_mm("ibug68", model.zeros()).numpy()[index]
    ratio = float(np.std(own, axis=0).sum() / np.std(theirs, axis=0).sum())
    if not _SIZES[0] < ratio < _SIZES[1]:
        raise InputError(
            f"The mean face of {source.stored.info.name!r} is {ratio:.3g} times as large as "
            "that of Commons when read as mm: the file is in other units than its family uses."
        )


def _face_parts(source: SourceModel) -> np.ndarray:
    """Part of each triangle of the source: skin, eyes, or inside the head."""
    eyes = source.own_parts.get("eyes", np.zeros(len(source.stored.mean_mm), bool))
    inside = np.zeros_like(eyes)
    for name, mask in source.own_parts.items():
        if name in ("mouth_interior", "eye_socket"):
            inside = inside | mask
    corners = triangles_of(source.stored)
    part = np.where(eyes[corners].all(axis=1), EYES, SKIN)
    return np.where(inside[corners].any(axis=1), NONE, part)


def _lay(
    model: MorphableModel, surface: NearestSurface, source: SourceModel, stored: StoredModel
) -> Registration:
    """Warp the donor's mean onto the source's, starting from the anchors."""
    ibug = model.landmarks["ibug68"]
    index = np.array(sorted(source.anchors_mm))
    corners = model.surface.triangles[ibug.triangle].numpy()[index]
    entries = ibug.barycentric.numpy()[index].ravel().astype(np.float64)
    rows = np.repeat(np.arange(len(index)), 3)
    anchors = sp.csr_matrix((entries, (rows, corners.ravel())), (len(index), model.n_vertices))
    return register(
        model.shape_mm(model.zeros()).numpy().astype(np.float64),
        model.surface.triangles.numpy(),
        _vertex_parts(model, "eyes" in source.own_parts),
        surface,
        anchors,
        np.stack([source.anchors_mm[int(i)] for i in index]),
    )


def _vertex_parts(model: MorphableModel, source_has_eyes: bool) -> np.ndarray:
    """Where source eyeballs are no surface of their own, the lids' surface goes over them."""
    none = model.mean_mm.new_zeros(model.n_vertices)
    eyes = model.regions.get("eyes", none).numpy() > 0.5
    inside = model.regions.get("mouth_interior", none).numpy() > 0.5
    part = np.where(eyes, EYES if source_has_eyes else SKIN, SKIN)
    return np.where(inside, NONE, part)


def _landmark_distance(transferred: SurfacePoints[np.ndarray], stored: StoredModel) -> np.ndarray:
    own = stored.landmarks.get("ibug68")
    if own is None:
        return np.zeros(0)
    mean, triangles = np.asarray(stored.mean_mm), triangles_of(stored)
    return np.linalg.norm(transferred.locate(mean, triangles) - own.locate(mean, triangles), axis=1)


def _own_first(
    stored: StoredModel, donor: StoredModel, transferred: Mapping[str, SurfacePoints[np.ndarray]]
) -> dict[str, SurfacePoints[np.ndarray]]:
    """The source's own points under the donor's names; NoW's seven are seven of the 68."""
    points = {name: transferred[name] for name in donor.landmarks}
    for name, own in stored.landmarks.items():
        names = points[name].names if name in points else own.names
        points[name] = SurfacePoints(own.triangle, own.barycentric, names)
    if "ibug68" in stored.landmarks and "now7" in points:
        own = points["ibug68"].take(NOW7_IN_IBUG68)
        points["now7"] = SurfacePoints(own.triangle, own.barycentric, points["now7"].names)
    return points


def _expression_prior(
    stored: StoredModel, donor: StoredModel
) -> tuple[np.ndarray, np.ndarray | None]:
    """Sigmas and covariance factor: blendshapes that mean the same as the donor's have its prior,
    the others stay independent of them."""
    own = list(stored.expression_names)
    covariance = np.diag(np.asarray(stored.expression_sigma, np.float64) ** 2)
    shared = [name for name in own if name in donor.expression_names]
    at = [own.index(name) for name in shared]
    theirs = [donor.expression_names.index(name) for name in shared]
    factor = np.asarray(donor.expression_factor, np.float64)[theirs]
    covariance[np.ix_(at, at)] = factor @ factor.T
    sigma = np.sqrt(np.diag(covariance))
    if donor.expression_covariance_factor is None:
        return sigma, stored.expression_covariance_factor
    return sigma, np.linalg.cholesky(covariance)


def _described(stored: StoredModel, donor: StoredModel, residual_mm: float) -> ModelInfo:
    colour = "" if len(stored.albedo_mean_linear) > 0 else "colours, "
    return dataclasses.replace(
        stored.info,
        notes=(
            f"{stored.info.notes} The {colour}point sets, contours and regions that the source "
            f"lacks are from {donor.info.name} {donor.info.version} ({donor.info.licence}), "
            f"registered to the mean with {residual_mm:.2f} mm mean residual."
        ),
    )
