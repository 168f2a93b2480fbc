"""Silhouettes: found alike by both finders, and with the derivative that the true picture has."""

from collections.abc import Callable

import pytest
import torch

from fit3dmm.geometry.mesh import Topology, build_topology
from fit3dmm.render import cpu, silhouette
from fit3dmm.render.fragments import pixels_from_clip
from fit3dmm.render.silhouette import SilhouettePairs, blend_silhouettes
from tests.render.meshes import in_pixels, toy_clip, toy_head

SQUARE = torch.tensor([[0, 1, 2], [0, 2, 3]])


def square(left: float, top: float, right: float, bottom: float, size: int, depth: float = 0.0):
    corners = [[left, top], [right, top], [right, bottom], [left, bottom]]
    return in_pixels(corners, size, depth)


def pairs_of(clip: torch.Tensor, topology: Topology, size: int) -> SilhouettePairs:
    fragments = cpu.rasterise(clip, topology.triangles, size, size)
    return cpu.find_silhouettes(clip, fragments, topology)


def blended(
    clip: torch.Tensor, topology: Topology, values: torch.Tensor, size: int, soft: bool = True
) -> torch.Tensor:
    """Vertex values and coverage in a picture over 0, with silhouettes mixed or not."""
    fragments = cpu.rasterise(clip, topology.triangles, size, size)
    picture = cpu.interpolate(values, topology.triangles, fragments)
    picture = torch.cat([picture, fragments.covered[..., None].to(picture.dtype)], -1)
    if not soft:
        return picture
    pairs = cpu.find_silhouettes(clip, fragments, topology)
    return blend_silhouettes(
        picture, pairs, pairs.crossings(pixels_from_clip(pairs.ends(clip), size, size))
    )


def test_an_upright_edge_by_hand() -> None:
    # The right side of the square at x = 5.3 runs between the centres 4.5 and 5.5 of each row.
    topology = build_topology(SQUARE, 4)
    clip = square(2.2, 1.2, 5.3, 6.1, size=8)
    pairs = pairs_of(clip, topology, 8)
    right = (pairs.axis == 0) & (pairs.inside == 0)
    assert pairs.row[right].tolist() == [1, 2, 3, 4, 5]
    assert pairs.column[right].tolist() == [4] * 5
    crossings = pairs.crossings(pairs.ends(pixels_from_clip(clip, 8, 8)))
    torch.testing.assert_close(crossings[right], torch.full((5,), 0.8))
    # 0.8 is 0.3 past the middle: the pixel outside takes three tenths of the square. On the other
    # side 2.2 leaves the pixel that is cut four fifths.
    coverage = blended(clip, topology, torch.ones(1, 4, 1), 8)[0, ..., 1]
    torch.testing.assert_close(coverage[3], torch.tensor([0, 0, 0.8, 1, 1, 0.3, 0, 0]))


def test_the_mixed_square_has_its_true_area() -> None:
    topology = build_topology(SQUARE, 4)
    for shift in torch.linspace(0, 1, 7).tolist():
        clip = square(2.2 + shift, 2.2, 6.9 + shift, 7.4, size=12)
        coverage = blended(clip, topology, torch.ones(1, 4, 1), 12)[..., 1]
        # Exact along the sides; at the four corners up to a quarter pixel each is not.
        assert abs(float(coverage.sum()) - 4.7 * 5.2) < 1.0


def test_a_nearer_square_ends_before_a_further_one_and_not_the_other_way_round() -> None:
    topology = build_topology(torch.cat([SQUARE, SQUARE + 4]), 8)
    near, far = square(4.3, 0.2, 9.6, 15.8, 16), square(1.3, 3.2, 14.6, 12.7, 16)
    far = far * torch.tensor([2.0, 2.0, 0.0, 2.0])
    pairs = pairs_of(torch.cat([near, far], 1), topology, 16)
    # Rows that show both: two sides of the near square, and the far one's two outer sides.
    for row in range(4, 12):
        columns = pairs.column[(pairs.axis == 0) & (pairs.row == row)].tolist()
        assert columns == [0, 3, 9, 14] or columns == [0, 4, 9, 14] or columns == [1, 3, 9, 14]
    # The far square's upper and lower side are hidden behind the near one.
    behind = pairs.column[(pairs.axis == 1) & (pairs.vertices[:, 0] >= 4)]
    assert not ((behind >= 5) & (behind <= 8)).any()


def scenes() -> list[tuple[str, torch.Tensor, Topology, int]]:
    found = []
    for name, size, level in (("coarse", 64, 0), ("middle", 64, 1), ("fine", 48, 2)):
        points, topology, camera = toy_head(size, (-0.7, 0.0, 0.4), level)
        found.append((name, camera.to_clip(points), topology, size))
    # Two heads, one half behind the other, and one that is cut open (borders).
    clip, triangles = toy_clip(64)
    behind = (clip + torch.tensor([90.0, 40.0, 0.0, 0.0])) * 1.4
    n = clip.shape[1]
    two = build_topology(torch.cat([triangles, triangles + n]), 2 * n)
    found.append(("two", torch.cat([clip, behind], 1), two, 64))
    kept = triangles[clip[0, triangles.long(), 1].mean(-1) < 40]
    found.append(("open", clip, build_topology(kept, n), 64))
    # Some vertices lie behind the camera.
    bent = clip.clone()
    bent[0, ::50, 3] = -1.0
    found.append(("bent", bent, build_topology(triangles, n), 64))
    return found


@pytest.mark.parametrize("scene", scenes(), ids=lambda scene: scene[0])
def test_both_finders_agree(scene: tuple[str, torch.Tensor, Topology, int]) -> None:
    _, clip, topology, size = scene
    fragments = cpu.rasterise(clip, topology.triangles, size, size)
    fast = cpu.find_silhouettes(clip, fragments, topology)
    slow = silhouette.find_silhouettes(clip, fragments, topology)
    assert len(fast) > 50
    for name in ("image", "row", "column", "axis", "inside", "vertices"):
        assert (getattr(fast, name) == getattr(slow, name)).all(), name


@pytest.mark.parametrize("scene", scenes(), ids=lambda scene: scene[0])
def test_crossings_lie_between_the_centres(
    scene: tuple[str, torch.Tensor, Topology, int],
) -> None:
    _, clip, topology, size = scene
    pairs = pairs_of(clip, topology, size)
    crossings = pairs.crossings(pairs.ends(pixels_from_clip(clip.double(), size, size)))
    # Found in float64, but with 0..1 up to rounding of the edge's place.
    assert crossings.min() > -1e-6
    assert crossings.max() < 1 + 1e-6
    first, second = pairs.pixels(size, size)
    covered = cpu.rasterise(clip, topology.triangles, size, size).covered.flatten()
    inner = torch.where(pairs.inside == 0, first, second)
    assert covered[inner].all()


def test_the_jacobian_of_crossings_is_their_derivative() -> None:
    clip, triangles = toy_clip(64)
    topology = build_topology(triangles, clip.shape[1])
    pairs = pairs_of(clip, topology, 64)
    px = pixels_from_clip(clip, 64, 64).double().requires_grad_()
    weight = torch.randn(len(pairs), generator=torch.Generator().manual_seed(0)).double()
    (gradient,) = torch.autograd.grad((pairs.crossings(pairs.ends(px)) * weight).sum(), px)
    jacobian = pairs.crossing_jacobian(pairs.ends(px.detach()))
    expected = torch.zeros_like(gradient)
    expected.index_put_(
        (pairs.image[:, None], pairs.vertices.long()),
        jacobian * weight[:, None, None],
        accumulate=True,
    )
    torch.testing.assert_close(gradient, expected)


def test_blending_is_differentiable_in_picture_and_crossings() -> None:
    topology = build_topology(SQUARE, 4)
    clip = square(2.2, 1.2, 5.3, 6.1, size=8)
    pairs = pairs_of(clip, topology, 8)
    generator = torch.Generator().manual_seed(0)
    picture = torch.rand(1, 8, 8, 2, dtype=torch.float64, generator=generator).requires_grad_()
    crossings = torch.rand(len(pairs), dtype=torch.float64, generator=generator).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda p, s: blend_silhouettes(p, pairs, s), (picture, crossings)
    )
    middle = blend_silhouettes(picture, pairs, torch.full_like(crossings, 0.5))
    assert (middle == picture).all()


Motion = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def factors(t: torch.Tensor, x: float, y: float) -> torch.Tensor:
    one = torch.ones_like(t)
    return torch.stack([1 + x * t, 1 + y * t, one, one])


# Each moves the silhouette by about a pixel for each unit of t, in a picture of 80 px.
MOTIONS: dict[str, Motion] = {
    "right": lambda clip, t: clip + clip[..., 3:] * (factors(t, 1 / 40, 0) - 1),
    "down": lambda clip, t: clip + clip[..., 3:] * (factors(t, 0, 1 / 40) - 1),
    "larger": lambda clip, t: clip * factors(t, 1 / 20, 1 / 20),
    "wider": lambda clip, t: clip * factors(t, 1 / 20, 0),
}


@pytest.mark.parametrize("level", [0, 1], ids=["coarse", "fine"])
@pytest.mark.parametrize("motion", list(MOTIONS))
def test_derivatives_are_those_of_the_true_picture(motion: str, level: int) -> None:
    """Mean derivative over a window of two pixels against the change of finely sampled pictures.

    A single derivative depends on which rows and columns the silhouette happens to cross, so the
    window also shifts the head to all sides.
    """
    size, fine, move = 80, 8, MOTIONS[motion]
    points, topology, camera = toy_head(size, (0.4,), level)
    clip, values = camera.to_clip(points), 0.5 + points[..., :2] / 400
    y, x = torch.meshgrid(torch.linspace(0, 3, size), torch.linspace(0, 3, size), indexing="ij")
    weight = torch.stack([1 + y.sin(), 1 + x.cos(), 1 + x * y], -1)

    def totals(moved: torch.Tensor, soft: bool) -> torch.Tensor:
        return (blended(moved, topology, values, size, soft) * weight).sum((0, 1, 2))

    def true_totals(t: float) -> torch.Tensor:
        picture = blended(move(clip, torch.tensor(t)), topology, values, size * fine, soft=False)
        pixels = picture.reshape(size, fine, size, fine, 3).double().mean((1, 3))
        return (pixels * weight).sum((0, 1))

    def mean_derivative(soft: bool) -> torch.Tensor:
        total = torch.zeros(3, dtype=torch.float64)
        samples = 2 * torch.quasirandom.SobolEngine(3).draw(48) - 1
        for right, down, t in samples:
            shifted = MOTIONS["down"](MOTIONS["right"](clip, right), down)
            t = t.clone().requires_grad_()
            sums = totals(move(shifted, t), soft)
            tangent = [torch.autograd.grad(s, t, retain_graph=True)[0] for s in sums]
            total += torch.stack(tangent)
        return total / len(samples)

    true_slope = (true_totals(1.0) - true_totals(-1.0)) / 2
    error = (mean_derivative(soft=True) - true_slope).norm() / true_slope.norm()
    assert error < 0.02
    # Without silhouettes most of the derivative is missing: the test can tell.
    error = (mean_derivative(soft=False) - true_slope).norm() / true_slope.norm()
    assert error > 0.5
