"""What the kernels promise beyond the contract: one result for any threads, and normals."""

import pytest
import torch

from fit3dmm.geometry import mesh
from fit3dmm.geometry.mesh import build_topology
from fit3dmm.render import cpu
from tests.render.meshes import toy_clip, toy_head


@pytest.fixture
def restored_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def everything(images: int) -> list[torch.Tensor]:
    """All results and gradients of one pass over some images."""
    points, topology, camera = toy_head(64, (0.3, -0.5, 0.0)[:images])
    points = points.clone().requires_grad_()
    clip = camera.to_clip(points)
    fragments = cpu.rasterise(clip, topology.triangles, 64, 64)
    normals = cpu.vertex_normals(points, topology)
    picture = cpu.interpolate(normals, topology.triangles, fragments)
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(3, 64, 64, 3, generator=generator)[:images]
    (gradient,) = torch.autograd.grad((picture * weight).sum(), points)
    pairs = cpu.find_silhouettes(clip, fragments, topology)
    return [fragments.triangle, fragments.barycentric, normals, picture, gradient, pairs.vertices]


@pytest.mark.parametrize("images", [1, 3])
def test_results_do_not_depend_on_the_number_of_threads(images: int, restored_threads) -> None:
    results = []
    for threads in (1, 2, 5):
        torch.set_num_threads(threads)
        results.append(everything(images))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert (a == b).all()


def test_results_are_the_same_every_time() -> None:
    for a, b in zip(everything(2), everything(2), strict=True):
        assert (a == b).all()


def test_an_error_in_a_helper_thread_is_raised(restored_threads) -> None:
    torch.set_num_threads(3)

    def fails(number: int) -> None:
        raise ArithmeticError(number)

    with pytest.raises(ArithmeticError):
        cpu.run_jobs(fails, [(k,) for k in range(8)])


def test_vertex_normals_and_their_derivative() -> None:
    points, topology, _ = toy_head(yaws=(0.3, -0.5))
    weight = torch.randn(points.shape, generator=torch.Generator().manual_seed(0))
    fast = points.clone().requires_grad_()
    normals = cpu.vertex_normals(fast, topology)
    (gradient,) = torch.autograd.grad((normals * weight).sum(), fast)
    slow = points.double().requires_grad_()
    truth = mesh.vertex_normals(slow, topology)
    (true_gradient,) = torch.autograd.grad((truth * weight).sum(), slow)
    # Positions near 600 mm are known to 3e-5 mm in float32, edges are some 5 mm long.
    torch.testing.assert_close(normals.double(), truth, atol=1e-5, rtol=0)
    assert (gradient - true_gradient).norm() / true_gradient.norm() < 1e-5


def test_a_vertex_without_triangles_has_no_normal() -> None:
    topology = build_topology(torch.tensor([[0, 1, 2]]), 4)
    points = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 5, 5]], requires_grad=True)
    normals = cpu.vertex_normals(points, topology)
    assert normals.tolist() == [[0, 0, 1]] * 3 + [[0, 0, 0]]
    normals.sum().backward()
    assert points.grad is not None
    assert points.grad.isfinite().all()


def test_kernels_take_float64_too() -> None:
    clip, triangles = toy_clip(32)
    single = cpu.rasterise(clip, triangles, 32, 32)
    double = cpu.rasterise(clip.double(), triangles, 32, 32)
    assert double.barycentric.dtype == torch.float64
    assert (single.triangle == double.triangle).float().mean() > 0.999


def test_a_second_derivative_is_refused_not_wrong() -> None:
    clip, triangles = toy_clip(32)
    clip.requires_grad_()
    weights = cpu.rasterise(clip, triangles, 32, 32).barycentric
    (first,) = torch.autograd.grad((weights**2).sum(), clip, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


def test_warming_up_twice_is_quick() -> None:
    cpu.warm_up()
    # A picture of 8 x 8 pixels takes a millisecond; compiling takes seconds.
    assert cpu.warm_up() < 0.5
