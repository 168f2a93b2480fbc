import numpy as np
import pytest

from fit3dmm.geometry.closest_point import index_surface
from fit3dmm.synthetic.parts import Material, assemble, ball, plain_part
from fit3dmm.synthetic.probes import Probe, SphereMap, turned_probe
from fit3dmm.synthetic.shading import prepare_light, shade_hits, visibility_of
from fit3dmm.synthetic.tracer import Hits, first_hits


def shade(parts, probe, directions):
    """Look from the origin, as a photo does."""
    scene = assemble(parts)
    surface = index_surface(scene.vertices_mm, scene.triangles)
    hits = first_hits(surface, np.zeros(3), directions)
    met = np.flatnonzero(hits.triangle >= 0)
    hits = Hits(hits.triangle[met], hits.barycentric[met], hits.distance[met])
    everywhere = np.arange(len(scene.vertices_mm))
    visibility = visibility_of(
        surface,
        scene.vertices_mm,
        scene.normals,
        scene.triangles,
        everywhere,
        np.zeros(len(everywhere), dtype=bool),
        probe,
    )
    colours = shade_hits(
        scene, visibility, prepare_light(probe), hits, directions[met], None,
        np.random.default_rng(0),
    )  # fmt: skip
    return colours, scene, hits


def fan(n=40, half=0.2):
    x, y = np.meshgrid(np.linspace(-half, half, n), np.linspace(-half, half, n))
    return np.column_stack([x.ravel(), y.ravel(), -np.ones(n * n)])


def white_ball(radius=80.0, at=(0.0, 0.0, -600.0), kind=Material.CLOTH):
    mesh = ball(np.array(at), np.full(3, radius), 40)
    return plain_part(mesh.vertices, mesh.triangles, (1.0, 1.0, 1.0), kind)


def test_a_white_ball_in_a_white_furnace_is_white():
    uniform = Probe(SphereMap(np.ones((32, 64, 3))))
    colours, _, _ = shade([white_ball()], uniform, fan())
    assert len(colours) > 300
    # Sums over the probe's pixels instead of integrals.
    np.testing.assert_allclose(colours, 1.0, atol=3e-3)


def test_an_open_surface_gets_the_full_convolution_of_a_real_probe():
    probe = turned_probe("esplanade", 0.1)
    colours, scene, hits = shade([white_ball()], probe, fan())
    corners = scene.triangles[hits.triangle]
    normals = np.einsum("rk,rkc->rc", hits.barycentric, scene.normals[corners])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    exact = probe.irradiance(normals)
    # Interpolation in a map of 64 x 32.
    assert np.abs(colours - exact).max() < 0.03 * exact.max()


def test_a_roof_darkens_the_side_under_it_and_no_more():
    sky = np.zeros((32, 64, 3))
    sky[:16] = 1.0
    probe = Probe(SphereMap(sky))
    roof = white_ball(120.0, (0.0, 215.0, -600.0))

    def seen_by_height(parts):
        """Colours of the first ball, and the cosine of their normals to the vertical."""
        colours, scene, hits = shade(parts, probe, fan())
        normals = np.einsum(
            "rk,rkc->rc", hits.barycentric, scene.normals[scene.triangles[hits.triangle]]
        )
        first = scene.part[hits.triangle] == 0
        return colours[first, 0], normals[first, 1]

    (alone, up), (below, up_below) = (
        seen_by_height([white_ball()]),
        seen_by_height([white_ball(), roof]),
    )
    assert below[up_below > 0.6].mean() < 0.85 * alone[up > 0.6].mean()
    # The roof is not in the way of what looks down.
    assert below[up_below < -0.6].mean() == pytest.approx(alone[up < -0.6].mean(), rel=0.05)
    # Where it hides all of the sky it still sends light back.
    assert below[up_below > 0.6].min() > 0.01


def test_skin_shines_more_at_grazing_angles_than_straight_on():
    uniform = Probe(SphereMap(np.ones((32, 64, 3))))
    ball_part = white_ball(kind=Material.SKIN)
    black = plain_part(ball_part.vertices_mm, ball_part.triangles, (0.0, 0.0, 0.0), Material.SKIN)
    colours, scene, hits = shade([black], uniform, fan())
    corners = scene.triangles[hits.triangle]
    normals = np.einsum("rk,rkc->rc", hits.barycentric, scene.normals[corners])
    facing = normals[:, 2]
    straight, grazing = colours[facing > 0.95].mean(), colours[facing < 0.35].mean()
    # Straight on a smooth surface of skin's index of refraction, 1.4, reflects 2.8 %; a rough one
    # is in its own way and reflects somewhat less.
    assert 0.7 * 0.028 < straight < 0.028
    assert grazing > 2 * straight


def test_spared_vertices_take_their_neighbours_mean():
    probe = turned_probe("lobby", 0.0)
    scene = assemble([white_ball(), white_ball(60.0, (60.0, 120.0, -580.0))])
    surface = index_surface(scene.vertices_mm, scene.triangles)
    rows = np.arange(len(scene.vertices_mm))
    spared = rows % 3 == 1
    given = (surface, scene.vertices_mm, scene.normals, scene.triangles, rows)
    full = visibility_of(*given, np.zeros(len(rows), dtype=bool), probe)
    part = visibility_of(*given, spared, probe)
    np.testing.assert_array_equal(part.light[~spared], full.light[~spared])
    # Shadows have edges: most vertices agree, not all.
    assert np.median(np.abs(part.light - full.light)[spared]) < 0.01
    assert np.abs(part.light - full.light)[spared].mean() < 0.05
