"""Every term's Jacobian and energy agree with finite and automatic differences in float64, for
points that are linear in the unknowns and for points with a joint, one at a time and in batches."""

from dataclasses import dataclass

import pytest
import torch

from fit3dmm._tensors import TensorRecord
from fit3dmm.energy import (
    LinearPoints,
    Located,
    PointErrors,
    Points,
    ShapeScores,
    SmoothImage,
    contour_term,
    detected_term,
    distance_prior,
    find_edges,
    iris_term,
    light_prior,
    mean_towards_camera,
    model_points,
    normal_prior,
    opening_term,
    photometric_term,
    positive_light_term,
    project,
    standard_normal,
    surface_samples,
)
from fit3dmm.energy.exposure import colours_of_tone_prior, exposure_term
from fit3dmm.energy.points import isotropic_whitening
from fit3dmm.energy.robust import cauchy, charbonnier, geman_mcclure, squares
from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.harmonics import sh_basis
from fit3dmm.geometry.mesh import build_topology, vertex_normals
from fit3dmm.geometry.rotation import cross_matrix, left_jacobian, rotation_matrix
from fit3dmm.geometry.transform import Similarity
from fit3dmm.observe.blur import blurred
from fit3dmm.scene import Lighting, Pose
from fit3dmm.solve import Problem
from fit3dmm.unknowns import PhotoIntrinsics, coefficients_of, modes_of, starts
from tests.toy import toy_model

INTRINSICS = PhotoIntrinsics(torch.tensor([320.0, 240.0], dtype=torch.float64), 640, 480)
CROP = Similarity.in_plane(0.7, (-130.0, -60.0)).to(dtype=torch.float64)
MODES, FAKE_MODES = modes_of("mediapipe"), modes_of("fake")
JAW = "jaw_rad"


@dataclass(frozen=True)
class JointedPoints(TensorRecord):
    """Points of a head with one joint: each turns with it about a pivot, by its own share."""

    rest: LinearPoints
    pivot_mm: torch.Tensor
    share: torch.Tensor

    def __len__(self) -> int:
        return len(self.rest)

    def at(self, values) -> Located:
        at_rest = self.rest.at(values)
        jaw = values[JAW][..., None, :] * self.share[:, None]
        turn, jacobian = rotation_matrix(jaw), left_jacobian(jaw)
        arms = [at_rest.mm - self.pivot_mm, *at_rest.coordinates[..., 3:].split(3, -1)]
        turned = [(turn @ arm[..., None])[..., 0] for arm in arms if arm.shape[-1]]
        wrt_jaw = [-cross_matrix(arm) @ jacobian * self.share[:, None, None] for arm in turned]
        turned[0] = turned[0] + self.pivot_mm
        wrt = {
            name: torch.cat([turn @ part for part in basis.split(3, -2)], -2)
            for name, basis in at_rest.wrt.items()
        }
        return Located(torch.cat(turned, -1), {**wrt, JAW: torch.cat(wrt_jaw, -2)})

    def select(self, rows) -> "JointedPoints":
        return self.replace(rest=self.rest.select(rows), share=self.share[rows])

    def shifted(self, by) -> "JointedPoints":
        return self.replace(rest=self.rest.shifted(by))


def _jointed(points: LinearPoints) -> JointedPoints:
    """The lower half of the face hangs on a jaw."""
    pivot = torch.tensor([0.0, -10.0, 20.0], dtype=torch.float64)
    return JointedPoints(points, pivot, torch.sigmoid(-points.mean[:, 1] / 20))


@pytest.fixture(scope="module")
def model():
    return toy_model().to(dtype=torch.float64)


def _values(model, seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    face = model.sample(generator=generator, expression=True)
    # Negative on a part of the far side.
    light = Lighting.ambient_white(0.02) + Lighting.directional([0.5, 0.4, 1.0], (1.0, 0.9, 0.8))

    def near(*values: float) -> torch.Tensor:
        wanted = torch.tensor(values, dtype=torch.float64)
        return wanted * (1 + 0.02 * seed)

    return {
        "identity": face.identity,
        "detail": face.detail,
        "expression": face.expression,
        "albedo": face.albedo,
        MODES: torch.randn(3, generator=generator, dtype=torch.float64),
        FAKE_MODES: torch.randn(2, generator=generator, dtype=torch.float64),
        "rotation_rad": near(0.1, -0.4, 0.2),
        "translation_mm": near(20.0, -10.0, -700.0),
        "log_focal": near(900.0).log(),
        "irradiance_sh": light.irradiance_sh.double() * (1 + 0.1 * seed),
        JAW: near(0.3, 0.05, -0.1),
    }


def _image(seed: int = 1) -> SmoothImage:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(224, 224, 3, generator=generator, dtype=torch.float64)
    return SmoothImage(blurred(noise, 3.0) * 3)


def _terms(model, of_model=lambda points: points):
    """All kinds of terms.

    Args:
        of_model: what moves points that are linear at first.
    """
    linear = model_points(model, model.landmarks["mediapipe478"])
    points: Points = of_model(linear)
    generator = torch.Generator().manual_seed(2)
    seen = 300 + 80 * torch.randn(478, 2, generator=generator, dtype=torch.float64)
    sigma = 1 + torch.rand(478, generator=generator, dtype=torch.float64)
    across = torch.nn.functional.normalize(seen - 300, dim=1)
    samples = surface_samples(model, 300)
    samples = samples.replace(points=of_model(samples.points))
    weight = torch.rand(300, generator=generator, dtype=torch.float64)
    irises = points.select(torch.tensor([468, 473]))
    rows = torch.arange(20)
    # A second detector sees other points, fewer of them, and errs in its own way.
    fewer = torch.arange(0, 468, 25)
    fake = _errors(linear.select(fewer), sigma[fewer], n_modes=2, seed=6)
    fake_term = detected_term(
        points.select(fewer), seen[fewer] + 2, fake, FAKE_MODES, INTRINSICS, cauchy(2.0)
    )
    return {
        "detected": detected_term(points, seen, _errors(linear, sigma), MODES, INTRINSICS),
        "fake detector": fake_term,
        "openings": opening_term(
            points.select(rows), points.select(rows + 30), seen[rows], sigma[rows], INTRINSICS
        ),
        "contour": contour_term(points, seen, across, sigma, sigma, INTRINSICS, charbonnier(5.0)),
        "iris": iris_term(irises, torch.tensor(15.5, dtype=torch.float64), 0.6, INTRINSICS),
        "photometric": photometric_term(samples, weight, _image(), CROP, INTRINSICS, 0.1),
        "identity": normal_prior("identity", 0.0, 1.0),
        "expression": normal_prior("expression", 0.2, model.expression_sigma),
        "modes": standard_normal((MODES, FAKE_MODES)),
        "distance": distance_prior(900.0, 0.5),
        "focal": normal_prior("log_focal", 7.0, 0.3),
        "exposure": exposure_term(model.tone.to(dtype=torch.float64), -1.5, 0.6, (-0.2, -0.3), 0.2),
        "colours of tone": colours_of_tone_prior(model.tone.to(dtype=torch.float64), 0.7, 8.0),
        "light": light_prior(0.9, 0.3, 0.4, 0.1),
        "positive light": positive_light_term(sh_basis(_directions(200)), weight[:200], 0.1),
    }


def _directions(n: int) -> torch.Tensor:
    """All around, so that the light of the tests is negative on some of them."""
    generator = torch.Generator().manual_seed(7)
    normals = torch.randn(n, 3, generator=generator, dtype=torch.float64)
    return torch.nn.functional.normalize(normals, dim=1)


def _errors(points: LinearPoints, sigma, n_modes: int = 3, seed: int = 5) -> PointErrors:
    """Errors that depend on everything, in a head that is tilted and not quite straight."""
    generator = torch.Generator().manual_seed(seed)
    n = len(points)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    forward = torch.tensor([0.1, -0.2, 1.0], dtype=torch.float64)
    # Noise of another size along each axis.
    turned_apart = torch.eye(2, dtype=torch.float64) + 0.3 * random(n, 2, 2)
    return PointErrors(
        bias_px=random(n, 2),
        by_score_px=random(n, 2, 4),
        scores=ShapeScores(points.mean, random(4), random(4, n, 3) / n),
        by_view_px=5 * random(n, 2, 6),
        modes_px=2 * random(n, 2, n_modes),
        whitening=isotropic_whitening(sigma) @ turned_apart,
        forward=forward / forward.norm(),
        upright=torch.tensor([[0.8, -0.6], [0.6, 0.8]], dtype=torch.float64),
    )


KINDS = {"linear": lambda points: points, "jointed": _jointed}


@pytest.fixture(scope="module", params=KINDS)
def terms(model, request):
    return _terms(model, KINDS[request.param])


NAMES = ("detected", "fake detector", "openings", "contour", "iris", "photometric", "identity",
         "expression", "modes", "distance", "focal", "light", "positive light")  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_jacobian_agrees_with_finite_differences(model, terms, name):
    values = _values(model)
    problem = Problem(values, tuple(values), {name: terms[name]})
    x = problem.flat_start()
    jacobian = problem.jacobian(problem.evaluate(x), name)
    step = 1e-5 * torch.eye(len(x), dtype=x.dtype)
    # A batch of all steps at once.
    after, before = (terms[name](problem.values(x + sign * step)).residual for sign in (1, -1))
    differences = ((after - before) / 2e-5).expand(len(x), -1)
    for k, difference in enumerate(differences):
        # Central differences are wrong by the third derivative times 1e-10; cubic convolution has a
        # jump in its second derivative, which shows where a point crosses a pixel's centre.
        scale = max(1.0, float(jacobian[:, k].abs().max()))
        assert torch.allclose(jacobian[:, k], difference, atol=2e-4 * scale), k


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_is_its_members_one_by_one(model, terms, name):
    each = [_values(model, seed) for seed in range(3)]
    batch = {key: torch.stack([values[key] for values in each]) for key in each[0]}
    together = terms[name](batch)
    jacobian = together.jacobian(tuple(batch))
    for k, values in enumerate(each):
        alone = terms[name](values)
        assert torch.allclose(together.residual[k], alone.residual, rtol=1e-12, atol=1e-12)
        assert torch.allclose(together.energy[k], alone.energy, rtol=1e-12)
        if alone.weight is not None:
            assert torch.allclose(together.weight[k], alone.weight, rtol=1e-12)
        parts = alone.jacobian(tuple(values))
        assert set(parts) == set(jacobian)
        for key, part in parts.items():
            same = jacobian[key].expand(3, *part.shape)[k]
            assert torch.allclose(same, part, rtol=1e-10, atol=1e-10), key


@pytest.mark.parametrize("name", NAMES)
def test_weights_and_jacobian_give_the_energys_gradient(model, terms, name):
    values = _values(model, seed=3)
    problem = Problem(values, tuple(values), {name: terms[name]})
    x = problem.flat_start()
    _, gradient = problem.normal_equations(problem.evaluate(x))
    _, automatic = problem.energy_and_gradient(x)
    # Both are exact up to rounding.
    assert torch.allclose(gradient, automatic, rtol=1e-7, atol=1e-9 * float(automatic.abs().max()))


def test_jacobian_is_given_for_the_free_unknowns_only(model, terms):
    values = _values(model)
    for name, term in terms.items():
        full = term(values).jacobian(tuple(values))
        for free in (("identity",), ("rotation_rad", "log_focal"), ("irradiance_sh", "albedo")):
            part = term(values).jacobian(free)
            assert set(part) == set(full) & set(free), name
            for key in part:
                assert torch.equal(part[key], full[key]), (name, key)


def test_points_agree_with_the_model_and_the_camera(model):
    values = _values(model)
    points = model_points(model, model.landmarks["ibug68"])
    wanted = model.landmarks_mm("ibug68", coefficients_of(values))
    assert torch.allclose(points.at(values).mm, wanted, atol=1e-9)
    pose = Pose(values["rotation_rad"], values["translation_mm"])
    camera = Camera(INTRINSICS.focal_px(values), INTRINSICS.principal_point_px, 640, 480)
    px = camera.project(pose.T_cam_model @ wanted)
    assert torch.allclose(project(points, values, INTRINSICS).px, px, atol=1e-9)


def test_samples_cover_the_face_evenly(model):
    samples = surface_samples(model, 500)
    assert len(samples) == 500
    place = samples.points.at(starts(model)).mm
    assert (place[:, 2] > 0).float().mean() > 0.9
    # Left and right are alike, so the points' centre lies within their sampling of the middle.
    assert place[:, 0].mean().abs() < 2


def test_relinearised_normals_are_the_meshs_own(model):
    values = _values(model)
    shape, triangles = model.shape_mm(coefficients_of(values)), model.surface.triangles
    samples = surface_samples(model, 200).relinearised(shape, triangles, values)
    normals = vertex_normals(shape, build_topology(triangles, model.n_vertices))
    wanted = samples.places.locate(normals, triangles)
    cosine = torch.nn.functional.cosine_similarity(samples.points.at(values).normal, wanted)
    # One sums area-weighted normals, the other unit normals of the corners: 1 % of a coarse mesh.
    assert cosine.min() > 0.99


def test_normal_basis_is_the_derivative_of_the_meshs_normals(model):
    samples = surface_samples(model, 100)
    rest, triangles = starts(model), model.surface.triangles
    at_rest = samples.points.at(rest)
    step = 1e-3
    for name, i in (("identity", 2), ("detail", 1), ("expression", 0)):
        changed = rest[name].clone()
        changed[i] = step
        face = coefficients_of({**rest, name: changed})
        moved = samples.relinearised(model.shape_mm(face), triangles, rest).points.at(rest).normal
        basis = at_rest.wrt[name][:, 3:, i]
        difference = (moved - at_rest.normal) / step
        # Normals are quadratic in the coefficients: the forward difference errs by a thousandth.
        assert torch.allclose(difference, basis, atol=5e-3 * float(basis.abs().max())), name


def test_smooth_image_interpolates_and_repeats_its_border():
    image = _image()
    centres = torch.tensor([[10.5, 20.5], [0.5, 0.5], [-40.0, 100.5]], dtype=torch.float64)
    value, slope = image.sample(centres)
    wanted = torch.stack([image.pixels[20, 10], image.pixels[0, 0], image.pixels[100, 0]])
    assert torch.allclose(value, wanted)
    assert slope[2, :, 0].abs().max() < 1e-12
    ramp = SmoothImage(torch.arange(50.0, dtype=torch.float64).expand(50, 50)[..., None] * 0.1)
    value, slope = ramp.sample(torch.tensor([[20.3, 7.7]], dtype=torch.float64))
    # Cubic convolution reproduces straight lines: 0.1 a px, and 0 at the first centre.
    assert value.item() == pytest.approx(0.1 * (20.3 - 0.5))
    assert slope[0, 0].tolist() == pytest.approx([0.1, 0.0], abs=1e-12)


def test_edges_are_found_where_they_are():
    """A disc of radius 40 around (100, 100): from points at 36 and 43 the edge is 4 and -3 away."""
    y, x = torch.meshgrid(*[torch.arange(200.0) + 0.5] * 2, indexing="ij")
    inside = ((x - 100).square() + (y - 100).square()).sqrt() < 40
    picture = SmoothImage(blurred(torch.where(inside, 0.8, 0.2)[..., None].expand(-1, -1, 3), 1.0))
    angle = torch.linspace(0, 6.2, 20)
    across = torch.stack([angle.cos(), angle.sin()], dim=1)
    for radius in (36.0, 43.0):
        distance, contrast = find_edges(picture, 100 + radius * across, across, 12.0, 6.0)
        # The disc is drawn in whole pixels.
        assert torch.allclose(distance, torch.full_like(distance, 40 - radius), atol=0.8)
        assert (contrast > 0.25).all()


@pytest.mark.parametrize("loss", [squares(), charbonnier(0.7), cauchy(1.5), geman_mcclure(2.0)])
def test_robust_weights_are_derivatives(loss):
    squared = torch.linspace(0, 20, 50, dtype=torch.float64, requires_grad=True)
    energy, weight = loss(squared)
    (by_squared,) = torch.autograd.grad(energy.sum(), squared)
    assert torch.allclose(2 * by_squared, weight)
    assert weight[0] == 1
    assert (weight.diff() <= 1e-12).all()


def test_what_faces_the_camera_is_averaged_by_projected_area():
    normals = torch.nn.functional.normalize(
        torch.randn(200_000, 3, generator=torch.Generator().manual_seed(0)), dim=1
    )
    cosine = normals[:, 2].clamp(min=0)
    mean = (cosine[:, None] * sh_basis(normals)).sum(0) / cosine.sum()
    # The mean of 100,000 draws of unit spread.
    assert torch.allclose(mean_towards_camera(), mean, atol=0.01)


def test_light_prior_is_lowest_at_plain_white_light():
    term = light_prior(0.9, 0.3, 0.4, 0.1)
    assert term({"irradiance_sh": Lighting.ambient_white(0.9).irradiance_sh}).energy < 1e-9
    # Level 1.2 is one sigma above: half.
    brighter = term({"irradiance_sh": Lighting.ambient_white(1.2).irradiance_sh}).energy
    assert float(brighter) == pytest.approx(0.5, rel=1e-4)


def test_only_light_below_zero_costs():
    """A lamp alone is, to second order, negative on a part of the far side."""
    normals = _directions(500)
    term = positive_light_term(sh_basis(normals), torch.ones(500, dtype=torch.float64), 0.1)
    lamp = Lighting.directional([1.0, 0.0, 0.0]).to(dtype=torch.float64)
    irradiance = sh_basis(normals) @ lamp.irradiance_sh
    below = irradiance.clamp(max=0)
    assert (below < 0).any()
    at = term({"irradiance_sh": lamp.irradiance_sh})
    assert float(at.energy) == pytest.approx(float(below.square().sum()) / 0.02)
    rows = at.jacobian(("irradiance_sh",))["irradiance_sh"]
    assert torch.equal(rows.abs().sum(1) > 0, (irradiance < 0).flatten())
    lit = lamp + Lighting.ambient_white(-float(below.min())).to(dtype=torch.float64)
    assert float(term({"irradiance_sh": lit.irradiance_sh}).energy) < 1e-12
