"""The contract of `render.fragments`, kept by every backend and by the reference itself."""

import math

import pytest
import torch

from fit3dmm.render import nvdiffrast, reference
from fit3dmm.render.backend import Backend, choose_backend
from fit3dmm.render.fragments import Fragments, pixels_from_clip
from tests.render.meshes import in_pixels, one_triangle, toy_clip

# What rounding the corners to this grid can move an edge by decides which pixels may differ.
GRID_PX = {"reference": 0.0, "cpu": 1 / 256, "nvdiffrast": 1 / 16}


@pytest.fixture(
    params=["reference", "cpu", pytest.param("nvdiffrast", marks=pytest.mark.gpu)], scope="module"
)
def backend(request: pytest.FixtureRequest) -> Backend:
    if request.param == "nvdiffrast" and nvdiffrast.missing() is not None:
        pytest.skip(f"needs a CUDA device and nvdiffrast: {nvdiffrast.missing()}")
    return choose_backend(request.param, device_of(request.param))


def device_of(name: str) -> torch.device:
    return torch.device("cuda" if name == "nvdiffrast" else "cpu")


def draw(backend: Backend, clip: torch.Tensor, triangles: torch.Tensor, size: int) -> Fragments:
    device = device_of(backend.NAME)
    return backend.rasterise(clip.to(device), triangles.to(device), size, size).to("cpu")


def distance_to_edges(
    clip: torch.Tensor, triangles: torch.Tensor, triangle: torch.Tensor
) -> torch.Tensor:
    """How far pixel centres are from the nearest side of the triangle that they show, in px."""
    size = triangle.shape[-1]
    px = pixels_from_clip(clip.double(), size, size)
    image, row, column = torch.ones_like(triangle).nonzero(as_tuple=True)
    corners = px[image[:, None], triangles[triangle.flatten().clamp_min(0).long()].long()]
    centre = torch.stack([column, row], -1) + 0.5
    nearest = torch.full((len(centre),), math.inf, dtype=torch.float64)
    for k in range(3):
        a, b = corners[:, k], corners[:, (k + 1) % 3]
        side = b - a
        along = (((centre - a) * side).sum(-1) / (side * side).sum(-1).clamp_min(1e-12)).clamp(0, 1)
        nearest = nearest.minimum((a + along[:, None] * side - centre).norm(dim=-1))
    return torch.where(triangle >= 0, nearest.reshape(triangle.shape), math.inf)


def test_triangles_barycentrics_and_depth(backend: Backend) -> None:
    size = 96
    clip, triangles = toy_clip(size, yaws=(0.0, 0.7))
    truth = reference.rasterise(clip.double(), triangles, size, size)
    drawn = draw(backend, clip, triangles, size)
    other = drawn.triangle != truth.triangle
    near = torch.minimum(
        distance_to_edges(clip, triangles, drawn.triangle),
        distance_to_edges(clip, triangles, truth.triangle),
    )
    # Another triangle only where rounding can have moved an edge over the centre. Corners are off
    # by half a step in x and y; 1e-4 px is the reference in float32 against itself in float64.
    assert (near[other] <= GRID_PX[backend.NAME] + 1e-4).all()
    assert other.float().mean() < (0.05 if backend.NAME == "nvdiffrast" else 0.002)
    same = ~other
    # Corners in float32 are known to a few millionths of a pixel, of which a triangle seen nearly
    # edge-on may be 0.1 wide.
    error = (drawn.barycentric[same].double() - truth.barycentric[same]).abs()
    assert error.max() < 5e-4
    assert error.mean() < 1e-6
    torch.testing.assert_close(drawn.depth[same].double(), truth.depth[same], atol=1e-6, rtol=0)


def test_barycentrics_are_weights(backend: Backend) -> None:
    drawn = draw(backend, *toy_clip(), 96)
    covered = drawn.covered
    assert 0.3 < covered.float().mean() < 0.8
    total = drawn.barycentric.sum(-1)
    # One rounding of a sum of three numbers below 1.
    torch.testing.assert_close(total, covered.float(), atol=1e-6, rtol=0)
    assert drawn.barycentric.min() >= -1e-6
    assert (drawn.depth[~covered] == 1).all()
    assert (drawn.triangle[~covered] == -1).all()


def test_pixel_centres_and_rows_by_hand(backend: Backend) -> None:
    # A triangle around the centre (2.5, 0.5) of column 2 in the top row, and around no other.
    clip = in_pixels([[2.2, 0.2], [2.8, 0.3], [2.5, 0.9]], size=8)
    drawn = draw(backend, clip, torch.tensor([[0, 1, 2]]), 8)
    assert drawn.covered.nonzero().tolist() == [[0, 0, 2]]


def test_perspective_is_in_the_barycentrics(backend: Backend) -> None:
    # From (-1, -1) at depth 1 to (1, -1) and (1, 1) at depth 3: the middle of the picture's bottom
    # diagonal shows the point that is 1/4 of the way, as 1/w is linear in the picture.
    clip, triangles = one_triangle((-1, -1, 0, 1), (3, -3, 0, 3), (3, 3, 0, 3))
    drawn = draw(backend, clip, triangles, 65)
    torch.testing.assert_close(drawn.barycentric[0, 32, 32, 0], torch.tensor(0.75))


def test_a_shared_edge_leaves_no_gap_and_no_overlap(backend: Backend) -> None:
    # A square of two triangles whose diagonal runs through pixel centres.
    clip = in_pixels([[1.5, 1.5], [6.5, 1.5], [6.5, 6.5], [1.5, 6.5]], size=8)
    both = draw(backend, clip, torch.tensor([[0, 1, 2], [0, 2, 3]]), 8).covered
    one = draw(backend, clip, torch.tensor([[0, 1, 2]]), 8).covered
    other = draw(backend, clip, torch.tensor([[0, 2, 3]]), 8).covered
    assert (both == (one | other)).all()
    assert both[0, 2:6, 2:6].all()
    if backend.NAME != "reference":  # the reference lets the first triangle have shared centres
        assert not (one & other).any()


def test_the_nearer_triangle_is_seen_and_always_the_same_of_two_equal(backend: Backend) -> None:
    clip = in_pixels([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]], size=8, depth=0.5)
    nearer = in_pixels([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]], size=8, depth=-0.5)
    triangles = torch.tensor([[0, 1, 2], [3, 4, 5], [3, 4, 5]])
    drawn = draw(backend, torch.cat([clip, nearer], 1), triangles, 8)
    assert set(drawn.triangle.unique().tolist()) <= {-1, 1, 2}
    alone = draw(backend, nearer, triangles[:1], 8)
    assert (drawn.covered == alone.covered).all()
    assert drawn.covered.any()
    again = draw(backend, torch.cat([clip, nearer], 1), triangles, 8)
    assert (again.triangle == drawn.triangle).all()


def test_triangles_of_a_few_steps_of_the_grid_are_not_seen_through_what_lies_before_them(
    backend: Backend,
) -> None:
    size, n = 32, 6_000
    draw_from = torch.Generator().manual_seed(0)
    front = in_pixels([[-1.0, -1.0], [80.0, -1.0], [-1.0, 80.0]], size=size, depth=0.90)
    middle = 31 * torch.rand(n, 1, 2, generator=draw_from) + 0.5
    corners = middle + torch.randn(n, 3, 2, generator=draw_from) * 0.03
    behind = in_pixels(corners.reshape(-1, 2).tolist(), size=size, depth=0.91)
    triangles = torch.cat([torch.tensor([[0, 1, 2]]), 3 + torch.arange(3 * n).reshape(n, 3)])
    both = torch.cat([front, behind], 1)
    assert draw(backend, both, triangles[1:], size).covered.any()
    assert (draw(backend, both, triangles, size).triangle == 0).all()


def test_both_sides_are_drawn(backend: Backend) -> None:
    clip = in_pixels([[1.0, 1.0], [7.0, 1.2], [3.0, 6.7]], size=8)
    front = draw(backend, clip, torch.tensor([[0, 1, 2]]), 8)
    back = draw(backend, clip, torch.tensor([[0, 2, 1]]), 8)
    assert (front.triangle == back.triangle).all()
    torch.testing.assert_close(front.barycentric, back.barycentric[..., [0, 2, 1]])


def test_what_is_nearer_than_near_or_further_than_far_is_not_seen(backend: Backend) -> None:
    for depth in (-1.01, 1.01):
        clip = in_pixels([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]], size=8, depth=depth)
        assert not draw(backend, clip, torch.tensor([[0, 1, 2]]), 8).covered.any()


@pytest.mark.parametrize(
    "corner",
    [
        pytest.param((0.0, 1.0, 0.0, -1.0), id="behind the camera"),
        pytest.param((0.0, 1.0, 0.0, 0.0), id="in the plane of the camera"),
        pytest.param((math.nan, 1.0, 0.0, 1.0), id="NaN"),
        pytest.param((0.0, math.inf, 0.0, 1.0), id="infinite"),
        pytest.param((0.0, 1e9, 0.0, 1.0), id="beyond the pixel limit"),
    ],
)
def test_a_triangle_with_an_unusable_corner_is_dropped_whole(
    backend: Backend, corner: tuple[float, float, float, float]
) -> None:
    clip, _ = one_triangle((-1, -1, -0.5, 1), (1, -1, -0.5, 1), corner)
    behind = in_pixels([[0.0, 0.0], [16.0, 0.0], [0.0, 16.0]], size=8)
    # The one behind it is seen in its place, in this image; the other image keeps both.
    whole, _ = one_triangle((-1, -1, -0.5, 1), (1, -1, -0.5, 1), (0, 1, -0.5, 1))
    clips = torch.cat([torch.cat([clip, behind], 1), torch.cat([whole, behind], 1)])
    drawn = draw(backend, clips, torch.tensor([[0, 1, 2], [3, 4, 5]]), 8)
    assert drawn.triangle[0].unique().tolist() == [1]
    assert set(drawn.triangle[1].unique().tolist()) == {0, 1}
    assert drawn.barycentric.isfinite().all()


def test_triangles_without_area_are_not_seen(backend: Backend) -> None:
    clip = in_pixels([[1.5, 1.5], [6.5, 6.5], [3.5, 3.5], [1.5, 1.5]], size=8)
    triangles = torch.tensor([[0, 1, 2], [0, 0, 1], [0, 3, 2], [1, 1, 1]])
    drawn = draw(backend, clip, triangles, 8)
    assert not drawn.covered.any()
    assert drawn.barycentric.isfinite().all()


def test_what_is_off_the_picture_changes_nothing(backend: Backend) -> None:
    clip, triangles = toy_clip(64)
    aside = clip + torch.tensor([2.5, 0.0, 0.0, 0.0]) * clip[..., 3:]
    n = clip.shape[1]
    drawn = draw(backend, torch.cat([aside, clip], 1), torch.cat([triangles, triangles + n]), 64)
    alone = draw(backend, clip, triangles, 64)
    assert (drawn.covered == alone.covered).all()
    assert not draw(backend, aside, triangles, 64).covered.any()


def test_an_empty_mesh_shows_nothing(backend: Backend) -> None:
    clip, _ = toy_clip()
    if backend.NAME != "nvdiffrast":  # which refuses an empty list itself
        none = draw(backend, clip, torch.zeros(0, 3, dtype=torch.int32), 16)
        assert not none.covered.any()


def test_triangles_much_larger_than_the_picture(backend: Backend) -> None:
    # The picture is a speck in the middle of the triangle.
    clip, triangles = one_triangle((-3e4, -3e4, 0, 1), (3e4, -3e4, 0, 1), (0, 3e4, 0, 1))
    drawn = draw(backend, clip, triangles, 32)
    assert drawn.covered.all()
    expected = torch.tensor([0.25, 0.25, 0.5])
    # A corner at 30,000 in float32 is known to 2e-3, the picture spans 2.
    torch.testing.assert_close(drawn.barycentric[0, 16, 16], expected, atol=1e-4, rtol=0)


def test_a_picture_need_not_be_square(backend: Backend) -> None:
    device = device_of(backend.NAME)
    clip, triangles = toy_clip(64)
    drawn = backend.rasterise(clip.to(device), triangles.to(device), 40, 72).to("cpu")
    truth = reference.rasterise(clip.double(), triangles, 40, 72)
    assert drawn.triangle.shape == (1, 40, 72)
    assert (drawn.covered == truth.covered).float().mean() > 0.99


def test_an_image_in_a_batch_is_the_image_alone(backend: Backend) -> None:
    clip, triangles = toy_clip(48, yaws=(-0.6, 0.0, 0.5))
    together = draw(backend, clip, triangles, 48)
    for i in range(3):
        alone = draw(backend, clip[i : i + 1], triangles, 48)
        assert (together.triangle[i] == alone.triangle[0]).all()
        assert (together.barycentric[i] == alone.barycentric[0]).all()


def test_order_of_vertices_and_triangles_does_not_matter(backend: Backend) -> None:
    clip, triangles = toy_clip(64)
    generator = torch.Generator().manual_seed(0)
    vertex_order = torch.randperm(clip.shape[1], generator=generator)
    triangle_order = torch.randperm(len(triangles), generator=generator)
    new_name = torch.argsort(vertex_order)
    shuffled = new_name[triangles.long()][triangle_order]
    drawn = draw(backend, clip, triangles, 64)
    other = draw(backend, clip[:, vertex_order], shuffled, 64)
    covered = drawn.covered
    assert (other.covered == covered).all()
    same = triangle_order[other.triangle[covered].long()] == drawn.triangle[covered]
    # Where a centre lies on a shared edge at equal depth, either triangle may be seen.
    assert same.float().mean() > 0.999
    torch.testing.assert_close(
        drawn.barycentric[covered][same], other.barycentric[covered][same], atol=1e-6, rtol=0
    )


def frozen(clip: torch.Tensor, triangles: torch.Tensor, drawn: Fragments) -> torch.Tensor:
    return reference.barycentrics(clip, triangles, drawn.triangle)


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a.double() - b).norm() / b.norm())


def test_derivatives_of_barycentrics(backend: Backend) -> None:
    """Against autograd in float64 of the formula at the same visibility."""
    device = device_of(backend.NAME)
    clip, triangles = toy_clip(96, yaws=(0.0, 0.5))
    weight = torch.randn(2, 96, 96, 3, generator=torch.Generator().manual_seed(0))
    fast = clip.clone().to(device).detach().requires_grad_()
    drawn = backend.rasterise(fast, triangles.to(device), 96, 96)
    (drawn.barycentric * weight.to(device)).sum().backward()
    slow = clip.double().requires_grad_()
    barycentric = frozen(slow, triangles, drawn.map(torch.Tensor.detach).to("cpu"))
    (barycentric * weight).sum().backward()
    assert fast.grad is not None
    assert slow.grad is not None
    # Kernels compute in float64 and store float32; nvdiffrast computes in float32.
    assert relative(fast.grad.cpu(), slow.grad) < (1e-3 if backend.NAME == "nvdiffrast" else 1e-5)
    assert (fast.grad[..., 2] == 0).all()  # depth has none


def test_interpolation_and_its_derivatives(backend: Backend) -> None:
    device = device_of(backend.NAME)
    clip, triangles = toy_clip(96, yaws=(0.0, 0.5))
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(*clip.shape[:2], 5, generator=generator)
    weight = torch.randn(2, 96, 96, 5, generator=generator)
    drawn = backend.rasterise(clip.to(device), triangles.to(device), 96, 96)
    weights = drawn.barycentric.clone().requires_grad_()
    fast = values.to(device).detach().clone().requires_grad_()
    moving = drawn.replace(barycentric=weights)
    picture = backend.interpolate(fast, triangles.to(device), moving)
    (picture * weight.to(device)).sum().backward()

    exact = drawn.barycentric.detach().cpu().double().requires_grad_()
    slow = values.double().requires_grad_()
    truth = reference.interpolate(
        slow,
        triangles,
        drawn.to("cpu").replace(barycentric=exact, depth=drawn.depth.cpu().double()),
    )
    (truth * weight).sum().backward()
    assert fast.grad is not None
    assert slow.grad is not None
    assert weights.grad is not None
    assert exact.grad is not None
    # Sums of five to ten float32 products; gradients sum a few pixels a vertex.
    torch.testing.assert_close(
        picture.detach().cpu().double(), truth.detach(), atol=1e-6, rtol=1e-5
    )
    assert relative(fast.grad.cpu(), slow.grad) < 1e-5
    covered = drawn.covered.cpu()
    gradient = weights.grad.cpu()[covered]
    expected = exact.grad[covered]
    if backend.NAME == "nvdiffrast":  # which knows two weights, the third being 1 less them
        gradient, expected = (g[:, :2] - g[:, 2:] for g in (gradient, expected))
    assert relative(gradient, expected) < 1e-5


def test_samples_are_the_points_that_pixels_show(backend: Backend) -> None:
    size = 64
    clip, triangles = toy_clip(size, yaws=(0.0, 0.5))
    drawn = draw(backend, clip, triangles, size)
    chosen = drawn.covered.nonzero()[::17]
    samples = drawn.samples(*chosen.unbind(-1), triangles)
    # Interpolating clip coordinates gives a clip point that projects to the pixel's centre.
    point = samples.interpolate(clip)
    px = pixels_from_clip(point[:, None], size, size)[:, 0]
    tolerance_px = 0.1 if backend.NAME == "nvdiffrast" else 5e-3  # of rounded corners
    assert (px - samples.centres_px).abs().max() < tolerance_px
    with pytest.raises(ValueError, match="show the surface"):
        drawn.samples(*(~drawn.covered).nonzero()[:3].unbind(-1), triangles)
