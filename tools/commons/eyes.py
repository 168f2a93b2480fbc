"""Eyeballs: where iris and pupil lie on them, and the colours that MakeHuman's irises give."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import map_coordinates
from scipy.spatial import KDTree

from commons.eyeball import EYE_RADIUS_MM, GAZE, IRIS_DIAMETER_MM, LIMBUS_RAD
from commons.fine import FineHead
from commons.skins import smoothstep, srgb_to_linear
from commons.sources import Sources

PUPIL_DIAMETER_MM = 3.9
# The textures' names, and the mean colour that such an iris has in life: the painted hues are far
# too vivid (the brown one is red, the deep blue one violet).
IRISES_LINEAR = {
    "brown": (0.062, 0.031, 0.016),
    "brownlight": (0.135, 0.075, 0.034),
    "green": (0.120, 0.112, 0.058),
    "grey": (0.150, 0.158, 0.152),
    "blue": (0.095, 0.130, 0.165),
    "lightblue": (0.150, 0.200, 0.250),
    "bluegreen": (0.110, 0.140, 0.130),
    "deepblue": (0.065, 0.092, 0.130),
    "ice": (0.210, 0.235, 0.235),
}
IRISES = tuple(IRISES_LINEAR)
_N_RADII = 40
# The right-hand iris in the textures: centre (row, column) and radius in pixels; pupil by iris.
_PAINTED_CENTRE = (151.4, 361.8)
_PAINTED_IRIS_PX = 58.0
_PAINTED_PUPIL = 0.36
_CONTRAST = 0.7
SCLERA_LINEAR = np.array([0.50, 0.452, 0.415])


@dataclass(frozen=True)
class Eyes:
    """Both eyeballs' vertices and what colours them, person by person."""

    vertices: np.ndarray
    """(eye,) rows of the eyeballs' vertices."""
    radius: np.ndarray
    """(eye,) distance from the optical axis along the ball, 1 at the rim of the iris."""
    shade: np.ndarray
    """(eye,) 0..1 what the lids leave of the light, since no light model here casts shadows."""
    blood: np.ndarray
    """(eye,) 0..1 share of the red of the corners."""
    iris_profiles: np.ndarray
    """(irises, radii, 3) linear RGB from the centre to the rim of the iris."""

    def iris_linear(self, shares: np.ndarray) -> np.ndarray:
        """(radii, 3) profile of a mixture of IRISES."""
        return np.exp(np.tensordot(shares, np.log(self.iris_profiles), axes=1))

    def colours(self, shares: np.ndarray, lightness: float, whiteness: float) -> np.ndarray:
        """(eye, 3) albedo of the eyeballs of one person."""
        profile = self.iris_linear(shares) * lightness
        at = np.linspace(0, 1, _N_RADII)
        iris = np.stack([np.interp(self.radius, at, channel) for channel in profile.T], axis=1)
        # A dark ring at the rim, which blends into the white; the pupil is black.
        ring = np.exp(-(((self.radius - 0.97) / 0.10) ** 2))[:, None]
        iris = iris * (1 - 0.55 * ring)
        pupil = smoothstep(
            self.radius, *(PUPIL_DIAMETER_MM / IRIS_DIAMETER_MM + np.array([0.09, -0.09]))
        )
        iris = iris + pupil[:, None] * (0.004 - iris)
        white = SCLERA_LINEAR * whiteness
        white = white + self.blood[:, None] * (white * [0.85, 0.5, 0.45] - white)
        outside = smoothstep(self.radius, 0.96, 1.10)[:, None]
        return (iris + outside * (white - iris)) * self.shade[:, None]


def read_eyes(sources: Sources, fine: FineHead) -> Eyes:
    folder = sources.makehuman / "proxies" / "eyes" / "HighPolyEyes" / "textures"
    rows, radius, shade, blood = [], [], [], []
    for name, rim, centre in zip(
        ("eye_left", "eye_right"), fine.lid_rims, fine.eye_centres_mm, strict=True
    ):
        vertices = np.flatnonzero(fine.in_part(name))
        points = fine.points_mm[vertices]
        towards = points - centre
        angle = np.arccos(np.clip(towards @ GAZE / np.linalg.norm(towards, axis=1), -1, 1))
        rows.append(vertices)
        radius.append(angle / LIMBUS_RAD)
        rim_mm = fine.points_mm[rim]
        upper = rim_mm[rim_mm[:, 1] > np.median(rim_mm[:, 1])]
        from_upper = KDTree(upper).query(points)[0]
        from_any = KDTree(rim_mm).query(points)[0]
        dim = 0.50 * smoothstep(from_upper, 7.0, 2.0) + 0.25 * smoothstep(from_any, 4.0, 1.5)
        sideways = np.abs(towards[:, 0]) / EYE_RADIUS_MM
        dim += 0.30 * smoothstep(sideways, 0.35, 0.9)
        shade.append(1 - np.minimum(dim, 0.7))
        blood.append(0.75 * smoothstep(sideways, 0.45, 0.85))
    return Eyes(
        vertices=np.concatenate(rows),
        radius=np.concatenate(radius),
        shade=np.concatenate(shade),
        blood=np.concatenate(blood),
        iris_profiles=np.stack(
            [_profile(folder / f"{name}_eye.png", rgb) for name, rgb in IRISES_LINEAR.items()]
        ),
    )


def _profile(path: Path, linear: tuple[float, float, float]) -> np.ndarray:
    """(radii, 3) colour on circles around the pupil: the painted pattern in the given colour."""
    image = srgb_to_linear(np.asarray(Image.open(path).convert("RGB"), dtype=np.float64) / 255)
    angles = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    # What the painted pupil hides gets the colour beside it: pupils differ.
    radii = np.maximum(np.linspace(0, 0.95, _N_RADII), _PAINTED_PUPIL)[:, None] * _PAINTED_IRIS_PX
    at = [_PAINTED_CENTRE[0] + radii * np.sin(angles), _PAINTED_CENTRE[1] + radii * np.cos(angles)]
    rings = np.stack(
        [map_coordinates(image[..., k], at, order=1).mean(axis=1) for k in range(3)], axis=1
    )
    relative = np.maximum(rings, 0.004) / np.maximum(rings, 0.004).mean(axis=0)
    return relative**_CONTRAST * linear
