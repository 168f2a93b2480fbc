"""Scenes as named unknowns and back."""

from torch import Tensor

from fit3dmm.energy.points import PhotoFrame
from fit3dmm.model.morphable import Coefficients
from fit3dmm.observe.observation import Observation
from fit3dmm.scene import Lighting, Pose, Scene
from fit3dmm.solve.problem import Values


def photo_frame(observation: Observation, like: Tensor) -> PhotoFrame:
    """The camera of a photo, its axis through the middle: photos are taken to be uncropped, or cut
    alike on all sides, for nothing in them tells otherwise."""
    width_px, height_px = observation.photo_width_px, observation.photo_height_px
    return PhotoFrame(like.new_tensor([width_px / 2, height_px / 2]), width_px, height_px)


def coefficients_of(values: Values) -> Coefficients:
    """The face."""
    return Coefficients(
        values["identity"], values["detail"], values["expression"], values["albedo"]
    )


def scene_of(values: Values, frame: PhotoFrame) -> Scene:
    """The scene in the `photo` frame."""
    return Scene(
        coefficients_of(values),
        Pose(values["rotation_rad"], values["translation_mm"]),
        frame.camera(values),
        Lighting(values["irradiance_sh"]),
    )


def values_of(scene: Scene) -> dict[str, Tensor]:
    """The unknowns of a scene without batch axes."""
    c = scene.coefficients
    return {
        "identity": c.identity,
        "detail": c.detail,
        "expression": c.expression,
        "albedo": c.albedo,
        "rotation_rad": scene.pose.rotation_rad,
        "translation_mm": scene.pose.translation_mm,
        "log_focal": scene.camera.focal_px.log().reshape(1),
        "irradiance_sh": scene.lighting.irradiance_sh,
    }
