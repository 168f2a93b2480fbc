"""What a fit can move: one table of unknowns, and scenes as named values and back.

A new unknown is a row of `UNKNOWNS`, a field of the scene that it stands for, and a term that it
changes. What no picture shows (a detector's mood) is an unknown too, without a field.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal

from jaxtyping import Float
from torch import Tensor

from fit3dmm._kept import kept
from fit3dmm._tensors import TensorRecord
from fit3dmm.geometry.camera import Camera
from fit3dmm.model.morphable import Coefficients, MorphableModel
from fit3dmm.scene import Lighting, Pose, Scene
from fit3dmm.solve.problem import Values

Per = Literal["person", "photo"]
"""Whether all photos of a person share a thing, or each has its own."""

IDENTITY, DETAIL, EXPRESSION, ALBEDO = "identity", "detail", "expression", "albedo"
JOINTS = "joints_rad"
ROTATION, TRANSLATION = "rotation_rad", "translation_mm"
LOG_FOCAL, IRRADIANCE = "log_focal", "irradiance_sh"
DETECTOR_MODES = "detector_modes"
"""Family of the unknowns that say what each detector makes of a photo: `detector_modes/NAME`."""

_REST_PX = 640


def _same(value: Tensor) -> Tensor:
    return value


@dataclass(frozen=True)
class Unknown:
    """One row of the table; shapes are without the batch axes that lead them."""

    name: str
    per: Per
    start: Callable[[MorphableModel], Tensor]
    """Where it is as long as nothing is known; what can be estimated starts there instead."""
    step: float = 1.0
    """What a small step is in its unit, for solvers that know no curvature."""
    bounds: Callable[[MorphableModel], Float[Tensor, "n 2"]] | None = None
    """Lowest and highest admissible value of each element; None where all are."""
    field: str | None = None
    """Where it stands in a scene; None where no picture shows it."""
    of_field: Callable[[Tensor], Tensor] = _same
    to_field: Callable[[Tensor], Tensor] = _same
    """The field's value as an unknown without bounds, and back."""


@kept(most=1)
def _at_rest(model: MorphableModel) -> Scene:
    return Scene.portrait(model.zeros(), _REST_PX, _REST_PX)


def _shown(
    name: str,
    per: Per,
    field: str,
    step: float = 1.0,
    bounds: Callable[[MorphableModel], Tensor] | None = None,
    of_field: Callable[[Tensor], Tensor] = _same,
    to_field: Callable[[Tensor], Tensor] = _same,
) -> Unknown:
    """The row of a field of the scene; it starts as the mean face, seen from the front in white
    light."""

    def start(model: MorphableModel) -> Tensor:
        return of_field(attrgetter(field)(_at_rest(model)))

    return Unknown(name, per, start, step, bounds, field, of_field, to_field)


UNKNOWNS: Mapping[str, Unknown] = {
    row.name: row
    for row in (
        _shown(IDENTITY, "person", "coefficients.identity"),
        _shown(DETAIL, "person", "coefficients.detail"),
        _shown(
            EXPRESSION,
            "photo",
            "coefficients.expression",
            step=0.3,
            bounds=lambda model: model.expression_bounds,
        ),
        _shown(ALBEDO, "person", "coefficients.albedo"),
        _shown(
            JOINTS,
            "photo",
            "coefficients.joints_rad",
            step=0.05,
            bounds=lambda model: (
                model.mean_mm.new_zeros(0, 2) if model.rig is None else model.rig.bounds_rad
            ),
        ),
        _shown(ROTATION, "photo", "pose.rotation_rad", step=0.03),
        _shown(TRANSLATION, "photo", "pose.translation_mm", step=3.0),
        _shown(
            LOG_FOCAL,
            "photo",
            "camera.focal_px",
            step=0.03,
            of_field=lambda focal_px: focal_px.log()[..., None],
            to_field=lambda log_focal: log_focal[..., 0].exp(),
        ),
        _shown(IRRADIANCE, "photo", "lighting.irradiance_sh", step=0.3),
        # Each detector that has modes brings a member of its own size.
        Unknown(DETECTOR_MODES, "photo", lambda model: model.mean_mm.new_zeros(0)),
    )
}


def modes_of(detector: str) -> str:
    """The name of the unknown that says what a detector makes of a photo."""
    return f"{DETECTOR_MODES}/{detector}"


def unknown(name: str) -> Unknown:
    """The row of a name, which for a member (`family/member`) is that of its family.

    Raises:
        KeyError: there is none.
    """
    return UNKNOWNS[name.partition("/")[0]]


def starts(model: MorphableModel) -> dict[str, Tensor]:
    """Every unknown of a scene where it is as long as nothing is known."""
    return {name: row.start(model) for name, row in UNKNOWNS.items() if row.field is not None}


def bounds_of(values: Values, model: MorphableModel) -> dict[str, Float[Tensor, "n 2"]]:
    """Bounds of those values that have any."""
    rows = {name: unknown(name) for name in values}
    return {name: row.bounds(model) for name, row in rows.items() if row.bounds is not None}


def steps_of(values: Values) -> dict[str, float]:
    """What a small step is in the unit of each."""
    return {name: unknown(name).step for name in values}


@dataclass(frozen=True)
class PhotoIntrinsics(TensorRecord):
    """What is fixed about the camera of a photo; its focal length is an unknown."""

    principal_point_px: Float[Tensor, "*batch 2"]
    width_px: int
    height_px: int

    @classmethod
    def centred(cls, width_px: int, height_px: int, like: Tensor) -> "PhotoIntrinsics":
        """Of a photo that is taken to be uncropped, or cut alike on all sides: nothing in it tells
        otherwise."""
        return cls(like.new_tensor([width_px / 2, height_px / 2]), width_px, height_px)

    @classmethod
    def of(cls, camera: Camera) -> "PhotoIntrinsics":
        """Those of a camera."""
        return cls(camera.principal_point_px, camera.width_px, camera.height_px)

    def focal_px(self, values: Values) -> Float[Tensor, "*batch"]:
        """In pixels of the photo."""
        return UNKNOWNS[LOG_FOCAL].to_field(values[LOG_FOCAL])


def scene_of(values: Values, intrinsics: PhotoIntrinsics) -> Scene:
    """The scene in the `photo` frame. Values that no picture shows are left out; joints that are
    not among them are at rest."""
    parts: dict[str, dict[str, Any]] = defaultdict(dict)
    for name, row in UNKNOWNS.items():
        if row.field is not None and name in values:
            record, _, field = row.field.partition(".")
            parts[record][field] = row.to_field(values[name])
    fixed = {
        "principal_point_px": intrinsics.principal_point_px,
        "width_px": intrinsics.width_px,
        "height_px": intrinsics.height_px,
    }
    return Scene(
        coefficients=Coefficients(**parts["coefficients"]),
        pose=Pose(**parts["pose"]),
        camera=Camera(**{**fixed, **parts["camera"]}),
        lighting=Lighting(**parts["lighting"]),
    )


def values_of(scene: Scene) -> dict[str, Tensor]:
    """The unknowns that a scene shows; its batch axes lead them."""
    return {
        name: row.of_field(attrgetter(row.field)(scene))
        for name, row in UNKNOWNS.items()
        if row.field is not None
    }


def coefficients_of(values: Values) -> Coefficients:
    """The face alone."""
    names = (IDENTITY, DETAIL, EXPRESSION, ALBEDO, JOINTS)
    return Coefficients(**{name: values[name] for name in names if name in values})
