"""What is shown of a fitted face: its shape and its colours, as arrays."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from fit3dmm.export.depth import depth_map
from fit3dmm.export.driven import blended, share_driven
from fit3dmm.export.folder import AvatarHair
from fit3dmm.export.hair_hanging import HairShape
from fit3dmm.export.resting import resting
from fit3dmm.export.sigma import vertex_sigma
from fit3dmm.face.make_up import made_up
from fit3dmm.face.skin import Skin
from fit3dmm.fitting.places import landmark_interval_px
from fit3dmm.fitting.result import FitResult
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.scene import Scene

if TYPE_CHECKING:
    import trimesh

_LANDMARKS = "ibug68"


@dataclass(frozen=True, kw_only=True, repr=False)
class ShownFace(FitResult):
    """A fitted face as it is shown: what can be measured of it. Its arrays are NumPy's."""

    morphable: MorphableModel
    """The model that was fitted."""
    skin: Skin
    shown: Scene
    """The fitted scene with the edits of expression and light."""
    colours: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    """Make-up: sRGB by place."""
    make_up_strength: int | float = 0.6
    hair: AvatarHair = "volume"
    """How the avatar's hair is shown; see `with_hair`."""

    # --- shape ---

    @property
    def vertices_mm(self) -> Float[np.ndarray, "vertices 3"]:
        """With the expression that is shown, in the `model` frame: x to the subject's left, y up,
        z out of the face. `triangles` says how they hang together."""
        return _array(self.morphable.shape_mm(self.shown.coefficients))

    @property
    def neutral_vertices_mm(self) -> Float[np.ndarray, "vertices 3"]:
        """The person with all blendshapes at zero, as benchmarks compare faces. What they look like
        at rest is `with_expression("neutral").vertices_mm`."""
        return _array(self.morphable.shape_mm(self.scene.coefficients.neutral()))

    @property
    def sigma_mm(self) -> Float[np.ndarray, "vertices"]:
        """How far each of `neutral_vertices_mm` typically lies from the truth, once a rigid motion
        has laid the face on it: root mean square distance, size of the head included."""
        with torch.no_grad():
            return vertex_sigma(self, self.morphable).sigma_mm

    @property
    def triangles(self) -> np.ndarray:
        """Counter-clockwise seen from outside, (triangles, 3)."""
        return _array(self.morphable.surface.triangles)

    @property
    def landmarks_mm(self) -> Float[np.ndarray, "68 3"]:
        """iBUG's 68 points on `vertices_mm`."""
        return _array(self.morphable.landmarks_mm(_LANDMARKS, self.shown.coefficients))

    @property
    def landmarks_px(self) -> Float[np.ndarray, "68 2"]:
        """The same points in the photo."""
        points = self.morphable.landmarks_mm(_LANDMARKS, self.shown.coefficients)
        return _array(self.shown.camera.project(self.shown.pose.T_cam_model @ points))

    def landmarks_interval_px(
        self, level: float = 0.95
    ) -> tuple[Float[np.ndarray, "68 2"], Float[np.ndarray, "68 2"]]:
        """Lowest and highest x and y between which the true points lie in the photo, each with a
        probability. They are about the fitted scene: edits don't move them.

        Args:
            level: the probability.
        """
        low, high = landmark_interval_px(self, self.morphable, level, _LANDMARKS)
        return _array(low), _array(high)

    @property
    def depth_mm(self) -> Float[np.ndarray, "height width"]:
        """Distance from the plane of the camera for each pixel of the photo; NaN where the head is
        not."""
        camera = self.shown.camera
        with torch.no_grad():
            found = depth_map(self.morphable, self.shown)
        depth = np.full((camera.height_px, camera.width_px), np.nan, np.float32)
        left, top, right, bottom = found.box_px
        depth[top:bottom, left:right] = found.depth_mm
        return depth

    @property
    def expression(self) -> dict[str, float]:
        """The activation of each blendshape that is shown."""
        values = self.shown.coefficients.expression.tolist()
        return dict(zip(self.morphable.expression_names, values, strict=False))

    def mesh(self) -> "trimesh.Trimesh":
        """The head as trimesh has it, textured; `.export(path)` of it writes what trimesh can.

        Raises:
            InputError: trimesh is not installed.
        """
        from fit3dmm.face.trimesh_door import textured_trimesh

        return textured_trimesh(self.vertices_mm, self.morphable.surface, self.texture)

    # --- colour ---

    @property
    def texture(self) -> UInt8[np.ndarray, "size size 3"]:
        """Base colour on the model's UV map, row 0 at v = 1, without the photo's light. It is made
        once, from the pose and expression that were fitted, and shared by all edits.

        Raises:
            InputError: the face is from a folder without `texture.png`, and no photo was given.
        """
        return self._made_up(self.skin.srgb)

    @property
    def expression_texture(self) -> UInt8[np.ndarray, "size size 3"]:
        """`texture` with the folds that the fitted expression makes, as the photo shows them; or
        without, where the face is from a folder without `expression.png` and no photo was given."""
        return self._made_up(self.skin.folded_srgb)

    @property
    def worn_texture(self) -> UInt8[np.ndarray, "size size 3"]:
        """What `render` draws: `texture` with as much of the folds as there is of the fitted
        expression in the shown one."""
        with torch.no_grad():
            fitted, shown = self.scene.coefficients.expression, self.shown.coefficients.expression
            share = share_driven(self.morphable, shown, fitted, self._rest())
        if share == 0 or self.skin.make_folded is None:
            return self.texture
        return self._made_up(blended(self.skin.srgb, self.skin.folded_srgb, share))

    def _made_up(
        self, texture: UInt8[np.ndarray, "size size 3"]
    ) -> UInt8[np.ndarray, "size size 3"]:
        if not self.colours:
            return texture
        with torch.no_grad():
            return made_up(texture, self.morphable, self.colours, self.make_up_strength)

    def _rest(self) -> Float[Tensor, "expression"]:
        with torch.no_grad():
            return resting(self.morphable, self.scene.coefficients)

    def _hair_shape(self) -> HairShape | None:
        return None if self.hair == "flat" else self.skin.hair_shape


def _array(values: Tensor) -> np.ndarray:
    return values.detach().cpu().numpy()
