import numpy as np
import pytest

from fit3dmm.geometry.triangle_mesh import Mesh
from fit3dmm.synthetic.parts import Material, assemble, ball, joined, plain_part, tube
from fit3dmm.synthetic.props import occluder_part


def volume(mesh: Mesh) -> float:
    """Positive where triangles are counter-clockwise from outside."""
    a, b, c = (mesh.vertices[mesh.triangles[:, k]] for k in range(3))
    return float((a * np.cross(b, c)).sum() / 6)


def test_bodies_are_closed_enough_and_turned_outwards():
    # A polyhedron in a ball, and a bar with round ends.
    assert volume(ball(np.zeros(3), np.full(3, 10.0), 40)) == pytest.approx(4188.8, rel=0.01)
    straight = tube(np.linspace([0, 0, 0], [0, 0, 50], 20), 5.0, sides=48)
    assert volume(straight) == pytest.approx(np.pi * 25 * 50 + 4 / 3 * np.pi * 125, rel=0.03)


def test_assembly_keeps_the_order_of_its_parts():
    one = ball(np.zeros(3), np.ones(3), 6)
    two = ball(np.array([5.0, 0, 0]), np.ones(3), 8)
    parts = [
        plain_part(mesh.vertices, mesh.triangles, (0.1, 0.2, 0.3), kind)
        for mesh, kind in ((one, Material.SKIN), (two, Material.GLOSS))
    ]
    scene = assemble(parts)
    np.testing.assert_array_equal(scene.vertices_mm[: len(one.vertices)], one.vertices)
    second = scene.triangles[scene.part == 1]
    np.testing.assert_array_equal(scene.vertices_mm[second], two.vertices[two.triangles])
    assert set(scene.material[scene.part == 1]) == {int(Material.GLOSS)}
    both = joined([one, two])
    np.testing.assert_array_equal(both.triangles, scene.triangles)


@pytest.mark.parametrize("kind", ["glasses", "hand", "microphone"])
def test_occluders_are_before_the_face_and_near_it(kind, commons):
    points = commons.landmarks_mm("ibug68", commons.zeros()).double().numpy()
    camera = np.array([100.0, 0.0, 700.0])
    part = occluder_part(kind, points, camera, np.full(3, 0.3), np.random.default_rng(4))
    assert part.hides
    assert np.isfinite(part.vertices_mm).all()
    reach = np.linalg.norm(part.vertices_mm[:, None] - points[30], axis=2).min()
    assert reach < 70
    in_front = part.vertices_mm[:, 2] > points[:, 2].min()
    assert in_front.mean() > 0.4
