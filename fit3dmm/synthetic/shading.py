"""Light on surfaces: a probe convolved over all directions, cast shadows, occlusion and gloss.

Nothing here is spherical harmonics, and nothing is shared with what the fit renders with.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from fit3dmm.geometry.closest_point import SurfaceIndex
from fit3dmm.synthetic.noise import random_waves
from fit3dmm.synthetic.parts import Assembly, Material
from fit3dmm.synthetic.probes import Probe
from fit3dmm.synthetic.tracer import Hits, light_received

_LAMPS, _AROUND = 96, 32
_ROUGHNESS = (0.06, 0.16, 0.30)
"""GGX's alpha of the mirrors that are prepared: eyes, oily skin, dry skin."""


@dataclass(frozen=True)
class Gloss:
    """A dielectric coat."""

    f0: float
    """Reflection at right angles (Fresnel)."""
    lobes: tuple[float, float, float]
    """Share of each of the prepared mirrors."""
    bump: float = 0.0
    """Spread of the normals by fine relief."""


# Skin: 1.4 is its index of refraction; two lobes as in T. Weyrich et al., "Analysis of human faces
# using a measurement-based skin reflectance model", SIGGRAPH 2006.
_GLOSS = {
    Material.SKIN: Gloss(0.028, (0.0, 0.2, 0.8), 0.07),
    Material.EYE: Gloss(0.025, (1.0, 0.0, 0.0)),
    Material.HAIR: Gloss(0.012, (0.0, 0.0, 1.0), 0.1),
    Material.CLOTH: Gloss(0.0, (0.0, 0.0, 1.0)),
    Material.GLOSS: Gloss(0.04, (0.5, 0.5, 0.0)),
}


@dataclass(frozen=True)
class Light:
    """A probe prepared for shading."""

    probe: Probe
    irradiance: Callable[[np.ndarray], np.ndarray]
    mirrors: tuple[Callable[[np.ndarray], np.ndarray], ...]


def prepare_light(probe: Probe) -> Light:
    """Convolve a probe once for all points."""
    return Light(
        probe,
        probe.irradiance_map().at,
        tuple(probe.glossy_map(roughness).at for roughness in _ROUGHNESS),
    )


@dataclass(frozen=True)
class Visibility:
    """What of the light reaches each vertex; zeros where it was not asked for."""

    light: Float[np.ndarray, "vertices 3"]
    """Arriving light as a share of what would arrive without anything in the way."""
    ambient: Float[np.ndarray, "vertices"]
    """Share of the hemisphere, by cosine, that nothing is in the way of."""


def visibility_of(
    surface: SurfaceIndex,
    vertices_mm: Float[np.ndarray, "vertices 3"],
    normals: Float[np.ndarray, "vertices 3"],
    triangles: Int[np.ndarray, "triangles 3"],
    rows: Int[np.ndarray, "asked"],
    spared: Bool[np.ndarray, "vertices"],
    probe: Probe,
) -> Visibility:
    """Cast shadows and ambient occlusion at some vertices.

    The shares come from lamps that stand for the probe, so that where nothing is in the way the
    light is the full convolution, and where something is, the lamps decide how much of it is lost.

    Args:
        surface: everything that casts shadows.
        vertices_mm: of all parts.
        normals: of the vertices, of unit length.
        triangles: of all parts.
        rows: where it is asked for.
        spared: vertices that take the mean of their neighbours instead, which saves most of the
            time: skin scatters light over a millimetre or two anyway.
        probe: the light.
    """
    lamps, power = probe.lamps(_LAMPS)
    around = evenly_around(_AROUND)
    towards = np.concatenate([lamps, around])
    weights = np.zeros((len(towards), 4))
    weights[: len(lamps), :3] = power
    weights[len(lamps) :, 3] = 1.0
    asked = np.zeros(len(vertices_mm), dtype=bool)
    asked[rows] = True
    # Neighbours of spared vertices may be hidden themselves: they are asked too.
    asked[triangles[asked[triangles].any(axis=1)]] = True
    known = np.flatnonzero(asked & ~spared)
    got, full = light_received(surface, vertices_mm[known], normals[known], towards, weights)
    share = np.zeros((len(vertices_mm), 4))
    share[known] = got / np.maximum(full, 1e-12)
    share = _filled(share, known, triangles)
    return Visibility(share[:, :3], share[:, 3])


def _filled(values: np.ndarray, known: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Means of the known neighbours, and of those that this makes known."""
    n = len(values)
    ends = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    joined = sp.csr_matrix((np.ones(len(ends)), ends.T), (n, n))
    neighbours = ((joined + joined.T) > 0).astype(np.float64)
    have = np.zeros(n)
    have[known] = 1.0
    for _ in range(2):
        count = neighbours @ have
        new = (have == 0) & (count > 0)
        values = np.where(new[:, None], neighbours @ values / np.maximum(count, 1)[:, None], values)
        have = np.where(new, 1.0, have)
    return values


def shade_hits(
    scene: Assembly,
    visibility: Visibility,
    light: Light,
    hits: Hits,
    directions: Float[np.ndarray, "rays 3"],
    eye_albedo: Callable[[np.ndarray], np.ndarray] | None,
    generator: np.random.Generator,
) -> Float[np.ndarray, "rays 3"]:
    """Radiance along rays that hit something, in units of the probe's.

    Args:
        scene: all parts.
        visibility: of its vertices.
        light: the prepared probe.
        hits: where each ray meets the scene.
        directions: of the rays, from the camera.
        eye_albedo: colour at places on eyes; None takes the vertices' colours.
        generator: of random numbers.
    """
    corners = scene.triangles[hits.triangle]

    def between(values: np.ndarray) -> np.ndarray:
        return np.einsum("rk,rkc->rc", hits.barycentric, values[corners])

    away = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    places = directions * hits.distance[:, None]
    material = scene.material[hits.triangle]
    normal = _unit(_towards_viewer(between(scene.normals), away))
    albedo = between(scene.albedo_linear)
    eye = material == Material.EYE
    if eye_albedo is not None and eye.any():
        albedo[eye] = eye_albedo(places[eye])
    seen, clear = between(visibility.light), between(visibility.ambient[:, None])
    direct = light.irradiance(normal) * seen
    # Light that something is in the way of comes from that thing instead: taken to be of the same
    # colour, lit half like the place itself and half like the rest.
    bounce = (1 - clear) * albedo * (0.5 * direct + 0.5 * direct.mean(axis=0))
    colour = albedo * (direct + bounce)
    relief = _relief(places, generator)
    for kind, gloss in _GLOSS.items():
        rays = np.flatnonzero(material == kind)
        if len(rays) and gloss.f0 > 0:
            rough = _unit(normal[rays] + gloss.bump * relief[rays])
            shown = _mirrored(light, gloss, rough, away[rays])
            colour[rays] += shown * seen[rays].mean(axis=1, keepdims=True)
    return colour


def _relief(places_mm: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Fine unevenness, a vector at each place."""
    single = places_mm.astype(np.float32)
    return np.stack([random_waves(single, 1.1, generator, 12) for _ in range(3)], axis=1)


def _mirrored(light: Light, gloss: Gloss, normal: np.ndarray, away: np.ndarray) -> np.ndarray:
    """What the coat adds: prepared mirrors times their directional albedo."""
    facing = np.clip(-(normal * away).sum(axis=1, keepdims=True), 0.02, 1)
    mirrored = _unit(away + 2 * facing * normal)
    shown = np.zeros_like(normal)
    for share, alpha, mirror in zip(gloss.lobes, _ROUGHNESS, light.mirrors, strict=True):
        if share > 0:
            scale, bias = _directional_albedo(facing, np.sqrt(alpha))
            shown += share * (gloss.f0 * scale + bias) * mirror(mirrored)
    return shown


def _directional_albedo(cosine: np.ndarray, roughness: float) -> tuple[np.ndarray, np.ndarray]:
    """Factor of f0 and addend of what a GGX coat reflects of uniform light.

    Source: the fit by B. Karis, "Physically based shading on mobile", 2014.
    """
    r = roughness * np.array([-1.0, -0.0275, -0.572, 0.022]) + [1.0, 0.0425, 1.04, -0.04]
    a = np.minimum(r[0] ** 2, np.exp2(-9.28 * cosine)) * r[0] + r[1]
    return -1.04 * a + r[2], np.maximum(1.04 * a + r[3], 0)


def _towards_viewer(normal: np.ndarray, away: np.ndarray) -> np.ndarray:
    """Interpolated normals that look away from the viewer are laid over to his side."""
    beyond = np.maximum((normal * away).sum(axis=1, keepdims=True), 0)
    return normal - 2 * beyond * away


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def evenly_around(n: int) -> np.ndarray:
    """Unit vectors of a Fibonacci spiral over all directions."""
    k = np.arange(n) + 0.5
    y, turn = 1 - 2 * k / n, k * np.pi * (3 - np.sqrt(5))
    ring = np.sqrt(1 - y * y)
    return np.stack([ring * np.cos(turn), y, ring * np.sin(turn)], axis=1)
