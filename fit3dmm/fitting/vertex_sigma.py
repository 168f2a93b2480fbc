"""How sure a fit is of where vertices are: the covariance of its unknowns, carried to them, and
what no coefficients reach."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm._kept import kept
from fit3dmm.energy.model_points import base_points
from fit3dmm.energy.points import LinearPoints, Points, Projection, project
from fit3dmm.fitting.misfit import Misfit, misfit_mm
from fit3dmm.fitting.result import FitResult
from fit3dmm.fitting.uncertainty import Uncertainty
from fit3dmm.geometry.rotation import cross_matrix
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.unknowns import DETAIL, IDENTITY, PhotoIntrinsics, values_of


def neutral_sigma_mm(
    model: MorphableModel, uncertainty: Uncertainty, misfit: Misfit | None = None
) -> Float[Tensor, "vertices 3"]:
    """Standard deviations of the vertices of the neutral face along x, y and z of `model`, once a
    rigid motion has laid the face (the region of this name) on the truth.

    How large the head is counts: a single photo hardly tells. Worked out on the mesh that the bases
    are stored on, and between its vertices as the surface lies between them.

    Args:
        model: the one that was fitted.
        uncertainty: of its coefficients.
        misfit: what is added for what the model can't be; the default one if left out.
    """
    variance = _neutral_variance_mm2(model, uncertainty, False, misfit)
    return model.surface.lift(variance).clamp_min(0).sqrt()


def neutral_face_sigma_mm(
    model: MorphableModel, uncertainty: Uncertainty, misfit: Misfit | None = None
) -> float:
    """Root mean square distance of the neutral face's vertices from the truth, by the same
    measure.

    Args:
        model: the one that was fitted.
        uncertainty: of its coefficients.
        misfit: what is added for what the model can't be; the default one if left out.
    """
    variance = _neutral_variance_mm2(model, uncertainty, True, misfit)
    return float(variance.sum(1).mean().sqrt())


def face_rows(model: MorphableModel) -> Int[Tensor, "rows"]:
    """Vertices of the base mesh that are the face's."""
    face = model.regions["face"][: model.surface.n_base] > 0.5
    return torch.nonzero(face, as_tuple=True)[0]


def in_photo(result: FitResult, points: Points) -> Projection:
    """Points of the fitted face before the camera and in the photo, and how they move."""
    scene = result.scene
    return project(points, values_of(scene), PhotoIntrinsics.of(scene.camera))


def relief_variance_mm2(
    result: FitResult, at: Projection, misfit_mm: Float[Tensor, "points"]
) -> Float[Tensor, "points"]:
    """Variance of the points' depths less the mean depth of them all: what shape and turn of the
    head leave open. Distance is told apart.

    Args:
        result: of a fit.
        at: the points (`in_photo`).
        misfit_mm: what is added for what the model can't be (`fitting.misfit`).
    """
    wrt = depth_wrt(at, result.uncertainty.names)
    return misfit_mm**2 + result.uncertainty.variance_of(
        {name: slopes - slopes.mean(0) for name, slopes in wrt.items()}
    )


def place_variance_px2(
    result: FitResult, at: Projection, misfit_mm: Float[Tensor, "points"]
) -> Float[Tensor, "points 2"]:
    """Variance of the points' places in the photo, across and down.

    Args:
        result: of a fit.
        at: the points (`in_photo`).
        misfit_mm: what is added for what the model can't be (`fitting.misfit`).
    """
    eye = torch.eye(2).to(at.px).expand(len(at.px), 2, 2)
    wrt = at.pull_back(eye, result.uncertainty.names)
    px_per_mm = result.scene.camera.focal_px / -at.cam_mm[:, 2:]
    beyond = (misfit_mm[:, None] * px_per_mm) ** 2
    return beyond + result.uncertainty.variance_of(wrt).reshape(at.px.shape)


def distance_log_variance(result: FitResult, at: Projection) -> Float[Tensor, ""]:
    """Variance of the natural logarithm of the points' mean depth.

    Args:
        result: of a fit.
        at: the points (`in_photo`).
    """
    wrt = depth_wrt(at, result.uncertainty.names)
    variance = result.uncertainty.variance_of(
        {name: slopes.mean(0, keepdim=True) for name, slopes in wrt.items()}
    )
    return variance[0] / at.cam_mm[:, 2].mean().square()


def depth_wrt(at: Projection, names: tuple[str, ...]) -> dict[str, Float[Tensor, "points _"]]:
    """Derivatives of the points' depths with respect to those of some unknowns that move them."""
    towards_photo = torch.zeros_like(at.cam_mm)
    towards_photo[:, 2] = -1
    return at.pull_back_cam(towards_photo[:, None], names)


def _neutral_variance_mm2(
    model: MorphableModel, uncertainty: Uncertainty, face_alone: bool, misfit: Misfit | None
) -> Float[Tensor, "points 3"]:
    """Of the face's base vertices, or of all."""
    wrt, beyond_mm2 = _neutral_slopes(model, face_alone, misfit)
    return beyond_mm2[:, None] + uncertainty.variance_of(wrt).reshape(-1, 3)


@kept(most=2)
def _neutral_slopes(
    model: MorphableModel, face_alone: bool, misfit: Misfit | None
) -> tuple[dict[str, Float[Tensor, "coordinates _"]], Float[Tensor, "points"]]:
    """How the neutral face's vertices follow the person's coefficients once the face is laid on the
    truth, and the variance of what the model can't be: the same for all photos."""
    face = face_rows(model)
    rows = face if face_alone else torch.arange(model.surface.n_base, device=face.device)
    if face_alone:
        face = torch.arange(len(rows), device=rows.device)
    mean_mm, shape, sizes = neutral_basis(model, rows)
    still = _without_motion(shape, mean_mm, face).flatten(0, 1)
    wrt: dict[str, Tensor] = dict(zip((IDENTITY, DETAIL), still.split(sizes, -1), strict=True))
    return wrt, misfit_mm(model, mean_mm, misfit).square()


def neutral_basis(
    model: MorphableModel, rows: Int[Tensor, "points"]
) -> tuple[Float[Tensor, "points 3"], Float[Tensor, "points 3 k"], list[int]]:
    """Vertices of the mean face, how they follow identity and, behind it, detail, and how many
    coefficients each of the two has.

    Args:
        rows: vertices of the base mesh.
    """
    moving = base_points(model, rows)
    # The joints of a neutral face are at rest.
    points = moving if isinstance(moving, LinearPoints) else moving.rest
    bases = dict(zip(points.unknowns, points.basis.split(points.sizes, -1), strict=True))
    of_person = [bases[name] for name in (IDENTITY, DETAIL)]
    return points.mean, torch.cat(of_person, -1), [one.shape[-1] for one in of_person]


def _without_motion(
    moved: Float[Tensor, "points 3 n"],
    mean_mm: Float[Tensor, "points 3"],
    face: Int[Tensor, "within"],
) -> Float[Tensor, "points 3 n"]:
    """Displacements less the rigid motion that explains them best on the face."""
    arm = mean_mm - mean_mm[face].mean(0)
    eye = torch.eye(3).to(arm).expand(len(arm), 3, 3)
    motions = torch.cat([eye, -cross_matrix(arm)], 2)
    # In units that make turns as large as shifts.
    motions[..., 3:] /= arm[face].square().mean().sqrt()
    normal = motions[face].flatten(0, 1)
    of_face = torch.linalg.solve(normal.mT @ normal, normal.mT @ moved[face].flatten(0, 1))
    return moved - motions @ of_face
