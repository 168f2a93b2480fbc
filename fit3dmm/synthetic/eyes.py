"""Eyes sharper than a mesh's colours: iris, pupil and white as functions of the place."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from fit3dmm.geometry.smoothstep import smoothstep

_IRISES = np.array(
    [[0.035, 0.017, 0.008], [0.075, 0.036, 0.014], [0.13, 0.075, 0.03],
     [0.12, 0.13, 0.07], [0.11, 0.16, 0.21], [0.16, 0.19, 0.20]]
)  # fmt: skip
_DARK_SKIN = 0.12


@dataclass(frozen=True)
class Eyes:
    """Both eyes in `cam`, the right one first."""

    centre_mm: Float[np.ndarray, "2 3"]
    axis: Float[np.ndarray, "2 3"]
    """Unit vectors through the middles of the irises."""
    iris_mm: float
    """Radius. People's irises hardly differ: 5.9 mm, a few percent more or less."""
    pupil_mm: float
    iris_linear: Float[np.ndarray, "3"]
    white_linear: Float[np.ndarray, "3"]

    def albedo(self, places_mm: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """Colour at places on the eyeballs."""
        distance = ((places_mm[:, None] - self.centre_mm) ** 2).sum(axis=2)
        eye = distance.argmin(axis=1)
        towards = places_mm - self.centre_mm[eye]
        along = (towards * self.axis[eye]).sum(axis=1)
        off_axis = np.sqrt(np.maximum((towards**2).sum(axis=1) - along**2, 0))
        off_axis = np.where(along > 0, off_axis, np.inf)
        # Fibres of the iris run outwards.
        across = np.cross(towards, self.axis[eye])
        angle = np.arctan2(across[:, 1], across[:, 0])
        fibres = 1 + 0.22 * np.sin(23 * angle) * np.sin(41 * angle + 1.0)
        rim = 1 - 0.75 * smoothstep(off_axis, 0.78 * self.iris_mm, self.iris_mm)
        iris = self.iris_linear * (fibres * rim)[:, None]
        in_pupil = smoothstep(off_axis, self.pupil_mm + 0.25, self.pupil_mm - 0.25)[:, None]
        iris = iris * (1 - in_pupil) + 0.004 * in_pupil
        # Vessels redden the white towards the corners.
        red = smoothstep(off_axis, self.iris_mm, 2.2 * self.iris_mm)[:, None]
        white = self.white_linear * (1 - red * [0.08, 0.3, 0.32])
        in_iris = smoothstep(off_axis, self.iris_mm + 0.3, self.iris_mm - 0.3)[:, None]
        return iris * in_iris + white * (1 - in_iris)


def draw_eyes(
    balls_cam_mm: list[Float[np.ndarray, "_ 3"]],
    irises_cam_mm: Float[np.ndarray, "2 3"],
    tone: float,
    generator: np.random.Generator,
) -> Eyes:
    """Eyes of a person.

    Args:
        balls_cam_mm: vertices of the right and the left eyeball.
        irises_cam_mm: middles of the irises on them.
        tone: mean luminance of the face's albedo: dark skin goes with dark eyes.
        generator: of random numbers.
    """
    centre = np.stack([(ball.min(axis=0) + ball.max(axis=0)) / 2 for ball in balls_cam_mm])
    axis = irises_cam_mm - centre
    colours = _IRISES[:2] if tone < _DARK_SKIN else _IRISES
    return Eyes(
        centre,
        axis / np.linalg.norm(axis, axis=1, keepdims=True),
        float(generator.normal(5.9, 0.2)),
        float(generator.uniform(1.4, 2.6)),
        colours[generator.integers(len(colours))] * generator.uniform(0.8, 1.25, 3),
        np.array([0.52, 0.47, 0.43]) * generator.uniform(0.85, 1.1),
    )
