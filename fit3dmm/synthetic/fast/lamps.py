"""Light in a studio: a probe as harmonics, far lamps with shadow maps and gloss."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.geometry.harmonics import clamped_cosine_sh, irradiance_from_radiance, sh_basis
from fit3dmm.render import cpu
from fit3dmm.synthetic.fast.light_kernel import light_points
from fit3dmm.synthetic.probes import Probe, probe_names, turned_probe

_SHADOW_MAP_PX = 288
_BIAS_MM = 2.5
"""Depth by which a surface may lie behind what the lamp sees before it is in shadow."""
_TURNS = 12
_SOFT = ((-0.7, -0.7), (0.7, -0.7), (-0.7, 0.7), (0.7, 0.7))


@dataclass(frozen=True)
class Lamp:
    """A far lamp in `cam`."""

    direction: Float[np.ndarray, "3"]
    """Towards the lamp."""
    colour: Float[np.ndarray, "3"]
    """What white reflects that faces it."""
    casts_shadows: bool
    wrap: Float[np.ndarray, "3"]
    """How far past the edge light reaches into the skin, by channel (0: none)."""


@dataclass(frozen=True)
class StudioLight:
    """All light of a picture, in `cam`."""

    probe: Probe
    probe_sh: Float[np.ndarray, "9 3"]
    """Irradiance over pi of the probe."""
    lamps: tuple[Lamp, ...]

    def irradiance_sh(self) -> Float[np.ndarray, "9 3"]:
        """Everything without shadows, as a scene describes light."""
        total = self.probe_sh.copy()
        for lamp in self.lamps:
            cosine = clamped_cosine_sh(torch.from_numpy(lamp.direction)).numpy()
            total += cosine[:, None] * lamp.colour
        return total


def draw_light(draw: np.random.Generator) -> StudioLight:
    """A place of the probes', and up to two lamps."""
    names = probe_names()
    name = names[draw.integers(len(names))]
    turn = int(draw.integers(_TURNS))
    probe, harmonics, level = _probe_light(name, turn)
    ambient = np.exp(draw.normal(0, 0.35)) / level
    tint = np.exp(draw.normal(0, 0.05, 3))
    lamps = []
    for _ in range(draw.choice(3, p=[0.35, 0.45, 0.2])):
        # From the camera's side mostly; a tenth is behind the head: a rim of light.
        towards = [draw.normal(0, 0.8), draw.normal(0.3, 0.6), abs(draw.normal(0.6, 0.5))]
        direction = np.asarray(towards) * [1, 1, -1 if draw.uniform() < 0.12 else 1]
        direction = (direction / np.linalg.norm(direction)).astype(np.float32)
        spread = 0.35 if draw.uniform() < 0.12 else 0.08
        colour = np.clip(draw.normal(1, [spread, 0.6 * spread, 1.3 * spread]), 0.1, 2.5)
        soft = draw.uniform(0, 0.25)
        lamps.append(
            Lamp(
                direction,
                (colour * np.exp(draw.normal(-0.4, 0.6))).astype(np.float32),
                bool(draw.uniform() < 0.8),
                np.array([1.0, 0.55, 0.4], dtype=np.float32) * soft,
            )
        )
    gain = (ambient * tint).astype(np.float32)
    return StudioLight(probe.scaled(gain), harmonics * gain, tuple(lamps))


@lru_cache(maxsize=256)
def _probe_light(name: str, turn: int) -> tuple[Probe, np.ndarray, float]:
    """A probe, its irradiance as harmonics, and its level on what faces the camera."""
    probe = turned_probe(name, turn / _TURNS)
    basis = sh_basis(torch.from_numpy(probe.directions)).numpy()
    radiance = torch.from_numpy(basis.T @ probe.power)
    harmonics = irradiance_from_radiance(radiance).numpy()
    level = (basis[probe.directions[:, 2] > 0.3] @ harmonics).mean()
    return probe, harmonics.astype(np.float32), float(max(level, 1e-6))


def light_values(
    light: StudioLight,
    points_cam_mm: Float[np.ndarray, "n 3"],
    normals: Float[np.ndarray, "n 3"],
    albedo_linear: Float[np.ndarray, "n 3"],
    surface: tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"], Float[np.ndarray, "n"]],
    triangles: Tensor,
) -> Float[np.ndarray, "n 6"]:
    """Colour of each point with its highlights, and what white would reflect there.

    Args:
        light: probe and lamps.
        points_cam_mm: where it is asked for.
        normals: there, of unit length.
        albedo_linear: there.
        surface: share of open sky, strength and sharpness of highlights.
        triangles: of everything that casts shadows.
    """
    shadows = np.ones((len(light.lamps), len(points_cam_mm)), dtype=np.float32)
    for lamp, shadow in zip(light.lamps, shadows, strict=True):
        if lamp.casts_shadows:
            shadow[:] = lit_share(points_cam_mm, triangles, lamp.direction)

    def column(name: str) -> Float[np.ndarray, "lamps 3"]:
        rows = [getattr(lamp, name) for lamp in light.lamps]
        return np.asarray(rows, dtype=np.float32).reshape(-1, 3)

    def packed(array: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(array, dtype=np.float32)

    out = np.empty((len(points_cam_mm), 6), dtype=np.float32)
    light_points(
        packed(points_cam_mm),
        packed(normals),
        packed(albedo_linear),
        packed(surface[0]),
        packed(surface[1]),
        packed(surface[2]),
        packed(light.probe_sh),
        column("direction"),
        column("colour"),
        column("wrap"),
        shadows,
        out,
    )
    return out


def lit_share(
    vertices_mm: Float[np.ndarray, "n 3"],
    triangles: Tensor,
    direction: Float[np.ndarray, "3"],
) -> Float[np.ndarray, "n"]:
    """1 where a far lamp sees the vertex, 0 in its shadow, between them along edges."""
    helper = np.array([0.0, 1, 0]) if abs(direction[1]) < 0.9 else np.array([1.0, 0, 0])
    across = np.cross(helper, direction)
    across /= np.linalg.norm(across)
    axes = np.stack([across, np.cross(direction, across), direction], 1).astype(np.float32)
    seen = vertices_mm.astype(np.float32) @ axes
    low, high = seen.min(axis=0), seen.max(axis=0)
    half_mm = float((high - low).max()) / 2 * 1.02
    place = (seen - (low + high) / 2) / half_mm
    # The lamp looks along -z of its own frame: what is nearer to it has the smaller depth.
    clip = np.concatenate([place[:, :2], -0.5 * place[:, 2:], np.ones_like(place[:, :1])], 1)
    n = _SHADOW_MAP_PX
    fragments = cpu.rasterise(torch.from_numpy(clip)[None], triangles, n, n)
    depth = fragments.depth[0].numpy()
    column, row = ((clip[:, :2] + 1) / 2 * n - 0.5).T
    limit = clip[:, 2] - 0.5 * _BIAS_MM / half_mm
    share = np.zeros(len(clip), dtype=np.float32)
    for right, down in _SOFT:
        i = np.clip(np.rint(row + down), 0, n - 1).astype(np.int64)
        j = np.clip(np.rint(column + right), 0, n - 1).astype(np.int64)
        share += limit <= depth[i, j]
    return share / len(_SOFT)
