"""A model of one person: what is left of a morphable model when everybody else is left out."""

from fit3dmm.energy.points import LinearPoints, Points, combined
from fit3dmm.fitting.detector_errors import LandmarkErrorModel
from fit3dmm.fitting.prepared import PreparedModel, prepare
from fit3dmm.model.morphable import Coefficients, MorphableModel
from fit3dmm.unknowns import ALBEDO, DETAIL, EXPRESSION, IDENTITY


def person_model(model: MorphableModel, person: Coefficients) -> MorphableModel:
    """The model whose mean face is the person at rest, and who can do nothing but move it.

    Args:
        model: at any level.
        person: whose identity, detail and albedo count.
    """
    neutral = person.neutral()
    return model.truncated(identity=0, detail=0, albedo=0).replace(
        mean_mm=model.base_shape_mm(neutral), albedo_mean_linear=model.albedo_linear(neutral)
    )


def prepare_person(
    prepared: PreparedModel, coarse: MorphableModel, person: Coefficients, n_samples: int
) -> PreparedModel:
    """What the frames of a video need of one person.

    Detectors' points are those of the fine surface, so that they lie where key frames had them;
    colours and what hides what are looked at on the coarse one.

    Args:
        prepared: the model that the person was fitted with.
        coarse: the same model at a low level.
        person: the fitted coefficients.
        n_samples: points at which colours are compared.
    """
    own = prepare(person_model(coarse, person), n_samples, regressor=prepared.regressor)
    points = {name: person_points(one, person) for name, one in prepared.points.items()}
    return own.replace(
        points=points,
        contour=person_points(prepared.contour, person),
        detectors={name: _of_person(one, person) for name, one in prepared.detectors.items()},
    )


def person_points(points: Points, person: Coefficients) -> LinearPoints:
    """Points of a linear model that only expressions move any more."""
    if not isinstance(points, LinearPoints):
        raise TypeError("Only the points of linear models can be those of one person.")
    parts = dict(zip(points.unknowns, points.basis.split(points.sizes, -1), strict=True))
    given = {IDENTITY: person.identity, DETAIL: person.detail, ALBEDO: person.albedo}
    mean = points.mean
    for name in points.unknowns:
        if name in given:
            mean = mean + combined(parts[name], given[name])
    moving = parts[EXPRESSION].contiguous()
    return LinearPoints(mean, moving, (EXPRESSION,), (moving.shape[-1],))


def _of_person(detector: LandmarkErrorModel, person: Coefficients) -> LandmarkErrorModel:
    # The scores go on saying how this face differs from the mean one.
    return detector.replace(points=person_points(detector.points, person))
