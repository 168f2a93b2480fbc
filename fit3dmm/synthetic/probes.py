"""Light from all around, measured in real places: radiance by direction, and what follows from it.

A probe is a picture of the sphere. Convolutions are sums over all its pixels, with no harmonics in
between. Directions are in `cam`, whose y axis is vertical because the camera is held level.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from scipy.ndimage import map_coordinates

from fit3dmm._errors import InputError
from fit3dmm._files import data_path
from fit3dmm._hdf5 import FileFormat
from fit3dmm.colour import luminance

FORMAT = FileFormat("fit3dmm light probes", 1, "table of light probes", "reinstall fit3dmm")
_SOFT_MOST, _SOFT_ROUGHNESS = 5.0, 0.35


@dataclass(frozen=True)
class SphereMap:
    """Values over all directions; row 0 around the zenith, columns once around the vertical."""

    values: Float[np.ndarray, "rows columns 3"]

    def at(
        self, directions: Float[np.ndarray, "n 3"], soft: bool = False
    ) -> Float[np.ndarray, "n 3"]:
        """Interpolated values at unit vectors.

        Args:
            soft: smooth also the pixels away, as a lens out of focus does; else linear in between.
        """
        rows, columns = self.values.shape[:2]
        x, y, z = directions.T
        row = np.arccos(np.clip(y, -1, 1)) / np.pi * rows - 0.5
        # Column 0 begins behind the viewer, so that the seam is behind the subject's back or not
        # in the picture at all.
        column = (np.arctan2(x, -z) / (2 * np.pi) + 0.5) * columns - 0.5
        margin = 2
        # Over the pole the picture goes on half a turn away, and around the vertical it repeats.
        half = columns // 2
        top, bottom = (np.roll(part[::-1], half, axis=1) for part in
                       (self.values[:margin], self.values[-margin:]))  # fmt: skip
        padded = np.concatenate([top, self.values, bottom])
        padded = np.concatenate([padded[:, -margin:], padded, padded[:, :margin]], axis=1)
        places = [row + margin, column + margin]
        return np.stack(
            [
                # Without its prefilter the cubic spline blurs, and never overshoots.
                map_coordinates(values, places, order=3 if soft else 1, prefilter=False)
                for values in np.moveaxis(padded, 2, 0)
            ],
            axis=1,
        )


@dataclass(frozen=True)
class Probe:
    """Radiance from every direction."""

    radiance: SphereMap

    @property
    def directions(self) -> Float[np.ndarray, "texels 3"]:
        """Unit vector to the middle of each pixel, row by row."""
        return _texels(*self.radiance.values.shape[:2])[0]

    @property
    def power(self) -> Float[np.ndarray, "texels 3"]:
        """Radiance times solid angle of each pixel."""
        return self.radiance.values.reshape(-1, 3) * _texels(*self.radiance.values.shape[:2])[1]

    def scaled(self, factor: float | Float[np.ndarray, "3"]) -> "Probe":
        """Brighter or of another tint."""
        return Probe(SphereMap(self.radiance.values * factor))

    def irradiance(self, normals: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """Light that arrives on an open surface, over pi: in light of 1 from everywhere it is 1."""
        return np.maximum(normals @ self.directions.T, 0) @ self.power / np.pi

    def irradiance_map(self) -> SphereMap:
        """`irradiance` for all normals; smooth, so interpolation keeps to 2 % of the most."""
        shape = self.radiance.values.shape
        return SphereMap(self.irradiance(self.directions).reshape(shape))

    def glossy_map(self, roughness: float) -> SphereMap:
        """What a rough mirror shows along each mirrored direction.

        Averaged with the lobe of a GGX surface seen from straight above (B. Karis, "Real shading in
        Unreal Engine 4", SIGGRAPH course 2013); weights sum to 1, so uniform light stays as it is.

        Args:
            roughness: GGX's alpha; 0.02 is nearly a mirror.
        """
        solid_angle = _texels(*self.radiance.values.shape[:2])[1][:, 0]
        # The half vector between the mirrored direction and the light's has half their angle.
        cosine = np.clip(self.directions @ self.directions.T, -1, 1)
        half_squared = (1 + cosine) / 2
        lobe = 1 / (half_squared * (roughness**2 - 1) + 1) ** 2
        weight = lobe * np.maximum(cosine, 0) * solid_angle
        mean = weight @ self.radiance.values.reshape(-1, 3) / weight.sum(axis=1, keepdims=True)
        return SphereMap(mean.reshape(self.radiance.values.shape))

    def lamps(self, n: int) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"]]:
        """Far lamps of about equal power that stand for the probe: directions and powers.

        The picture is cut in two halves of equal light again and again along its longer side
        (P. Debevec, "A median cut algorithm for light probe sampling", SIGGRAPH poster 2005), and
        each part is a lamp at the middle of its light. Their powers add up to the probe's.

        Args:
            n: a power of two.
        """
        rows, columns = self.radiance.values.shape[:2]
        power = self.power.reshape(rows, columns, 3)
        level = power.sum(axis=2) + 1e-9
        parts = [(0, rows, 0, columns)]
        while len(parts) < n:
            # A part of one pixel can't be cut: the brightest of the others is cut instead.
            parts.sort(key=lambda p: -level[p[0] : p[1], p[2] : p[3]].sum() * (_size(p) > 1))
            parts[:1] = _halves(level, parts[0])
        towards = self.directions.reshape(rows, columns, 3)
        places, powers = [], []
        for top, bottom, left, right in parts:
            box = np.s_[top:bottom, left:right]
            place = (towards[box] * level[box][..., None]).sum(axis=(0, 1))
            places.append(place / np.linalg.norm(place))
            powers.append(power[box].sum(axis=(0, 1)))
        return np.array(places), np.array(powers)


def probe_names() -> tuple[str, ...]:
    """Of the probes that ship."""
    return tuple(sorted(_shipped()))


def turned_probe(name: str, turn: float) -> Probe:
    """A probe that ships, turned about the vertical.

    Args:
        turn: in full turns; whole pixels are taken, so that no light is lost.

    Raises:
        InputError: there is no such probe.
    """
    if name not in _shipped():
        raise InputError(f"There is no light probe {name!r}: choose of {', '.join(probe_names())}.")
    values = _shipped()[name]
    return Probe(SphereMap(np.roll(values, round(turn * values.shape[1]), axis=1)))


def softened(probe: Probe) -> Probe:
    """The same light from larger lamps: the sun behind thin clouds, a lamp with a shade.

    What is brighter than `_SOFT_MOST` times the mean is spread over some 30 degrees about it, and
    colours are half as strong. The mean radiance stays.
    """
    values = probe.radiance.values
    mean = luminance(probe.power.sum(axis=0) / (4 * np.pi))
    level = luminance(values)
    kept = np.minimum(1, _SOFT_MOST * mean / np.maximum(level, 1e-9))[..., None]
    spread = Probe(SphereMap(values * (1 - kept))).glossy_map(_SOFT_ROUGHNESS).values
    soft = values * kept + spread
    soft = 0.5 * soft + 0.5 * luminance(soft)[..., None]
    found = Probe(SphereMap(soft))
    return found.scaled(probe.power.sum() / found.power.sum())


def turns_by_light(name: str, yaw_deg: float, turns: int = 32) -> Float[np.ndarray, "turns"]:
    """Turns of a probe, in full turns: first the one that lights best what looks along a yaw."""
    tried = np.arange(turns) / turns
    yaw = np.radians(yaw_deg)
    facing = np.array([[np.sin(yaw), 0.15, np.cos(yaw)]]) / np.sqrt(1 + 0.15**2)
    arriving = [luminance(turned_probe(name, turn).irradiance(facing)) for turn in tried]
    return tried[np.argsort(-np.concatenate(arriving), kind="stable")]


def _size(part: tuple[int, int, int, int]) -> int:
    return (part[1] - part[0]) * (part[3] - part[2])


def _halves(level: np.ndarray, part: tuple[int, int, int, int]) -> list[tuple[int, int, int, int]]:
    top, bottom, left, right = part
    rows = level.shape[0]
    # Pixels near the poles are narrow.
    width = (right - left) * np.sin(np.pi * (top + bottom) / 2 / rows)
    if (bottom - top >= width and bottom - top > 1) or right - left == 1:
        cut = top + _middle(level[top:bottom, left:right].sum(axis=1))
        return [(top, cut, left, right), (cut, bottom, left, right)]
    cut = left + _middle(level[top:bottom, left:right].sum(axis=0))
    return [(top, bottom, left, cut), (top, bottom, cut, right)]


def _middle(level: np.ndarray) -> int:
    """Where to cut so that both parts have as equal shares as can be; neither is empty."""
    before = np.cumsum(level)[:-1]
    return int(np.abs(before - level.sum() / 2).argmin()) + 1


@lru_cache(maxsize=4)
def _texels(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Directions `(texels, 3)` and solid angles `(texels, 1)`."""
    edge = np.linspace(0, np.pi, rows + 1)
    polar = (edge[:-1] + edge[1:]) / 2
    around = ((np.arange(columns) + 0.5) / columns - 0.5) * 2 * np.pi
    x, z = np.sin(polar)[:, None] * np.sin(around), -np.sin(polar)[:, None] * np.cos(around)
    y = np.broadcast_to(np.cos(polar)[:, None], x.shape)
    area = (np.cos(edge[:-1]) - np.cos(edge[1:])) * 2 * np.pi / columns
    solid_angle = np.repeat(area, columns)[:, None]
    return np.stack([x, y, z], axis=-1).reshape(-1, 3), solid_angle


@lru_cache(maxsize=1)
def _shipped() -> dict[str, np.ndarray]:
    with FORMAT.reading(data_path("light_probes.h5")) as file:
        return {name: np.asarray(file[name][()], dtype=np.float64) for name in file}
