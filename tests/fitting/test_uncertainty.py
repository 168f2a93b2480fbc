"""What a fit says of its own errors: laws of the covariance, and of what is made of it."""

import math
from dataclasses import replace

import pytest
import torch

from fit3dmm.energy.model_points import base_points
from fit3dmm.fitting.misfit import Misfit, misfit_mm
from fit3dmm.fitting.uncertainty import (
    Uncertainty,
    laplace,
    posterior,
    posteriors,
    sigma_by_energy,
)
from fit3dmm.fitting.vertex_sigma import (
    distance_log_variance,
    face_rows,
    in_photo,
    neutral_face_sigma_mm,
    neutral_sigma_mm,
    place_variance_px2,
    relief_variance_mm2,
)
from fit3dmm.geometry.alignment import solve_similarity
from fit3dmm.observe.ibug import IBUG68_EYES, ibug68_of_mediapipe
from fit3dmm.solve import Problem, join, sum_of_squares
from fit3dmm.solve.noise import TermProduct, term_products
from fit3dmm.unknowns import PhotoIntrinsics, scene_of, values_of
from tests.export.faces import fitted, known_face

N_DRAWS = 250
NO_MISFIT = Misfit(at_features_mm=0.0, by_distance=0.0)


@pytest.fixture(scope="module")
def known():
    return known_face()


@pytest.fixture(scope="module")
def model(known):
    return known.model


@pytest.fixture(scope="module")
def result(known):
    return fitted(known)


@pytest.fixture(scope="module")
def drawn(result):
    """Scenes as they may be, by what the fit says."""
    told = result.uncertainty
    generator = torch.Generator().manual_seed(0)
    values, vectors = torch.linalg.eigh(told.covariance.double())
    unit = torch.randn(N_DRAWS, len(values), generator=generator, dtype=torch.float64)
    # A hundredth of the errors, for which everything is linear.
    moves = 0.01 * (unit * values.clamp_min(0).sqrt()) @ vectors.mT
    found = []
    for move in moves:
        at = {name: value.double() for name, value in values_of(result.scene).items()}
        for name in told.names:
            if name in at:
                at[name] = at[name] + move[told.place(name)].reshape(at[name].shape)
        intrinsics = PhotoIntrinsics.of(result.scene.camera)
        found.append(
            scene_of(
                at, replace(intrinsics, principal_point_px=intrinsics.principal_point_px.double())
            )
        )
    return found


def _spread(samples) -> torch.Tensor:
    return 100 * torch.stack(samples).std(0)


def test_sigmas_in_the_photo_are_the_spread_of_faces_that_may_be(model, result, drawn):
    rows = face_rows(model)[::7]
    at = in_photo(result, base_points(model, rows))
    model = model.to(dtype=torch.float64)
    cam = [s.pose.T_cam_model @ model.base_shape_mm(s.coefficients)[rows] for s in drawn]
    depth = [-points[:, 2] for points in cam]
    wanted = {
        "relief": _spread([one - one.mean() for one in depth]),
        "place": _spread([s.camera.project(points) for s, points in zip(drawn, cam, strict=True)]),
        "distance": _spread([one.mean().log() for one in depth]),
    }
    found = {
        "relief": relief_variance_mm2(result, at, torch.zeros(len(rows))).sqrt(),
        "place": place_variance_px2(result, at, torch.zeros(len(rows))).sqrt(),
        "distance": distance_log_variance(result, at).sqrt(),
    }
    for name, told in found.items():
        # 250 draws know a standard deviation to 5 %, so that 20 % is beyond chance for all.
        assert torch.allclose(told.double(), wanted[name], rtol=0.2), name
    # What the model can't be comes on top, in the photo by its scale there.
    px_per_mm = result.focal_px / -at.cam_mm[:, 2:]
    beyond_mm = torch.linspace(0.0, 2.0, len(rows))
    place, relief = (
        variance(result, at, beyond_mm) for variance in (place_variance_px2, relief_variance_mm2)
    )
    in_px = beyond_mm[:, None] * px_per_mm
    assert torch.allclose(place, found["place"].square() + in_px**2, rtol=1e-4)
    assert torch.allclose(relief, found["relief"].square() + beyond_mm**2, rtol=1e-4)


def test_sigmas_of_the_neutral_face_are_those_after_a_rigid_motion(model, result, drawn):
    face = face_rows(model)
    found = neutral_sigma_mm(model, result.uncertainty, NO_MISFIT)[: model.surface.n_base]
    double = model.to(dtype=torch.float64)
    fitted = double.base_shape_mm(result.scene.coefficients.neutral().to(dtype=torch.float64))
    moved = []
    for scene in drawn:
        one = double.base_shape_mm(scene.coefficients.neutral())
        pair = (points[face].numpy() for points in (one, fitted))
        rigid = solve_similarity(*pair, with_scale=False)
        moved.append(torch.from_numpy(rigid @ one.numpy()))
    wanted = _spread(moved)
    # The finest level is smoothed, which a coarse toy shows.
    assert torch.allclose(found[face].double(), wanted[face], rtol=0.25, atol=0.05)
    mean = neutral_face_sigma_mm(model, result.uncertainty, NO_MISFIT)
    assert mean == pytest.approx(float(wanted[face].square().sum(1).mean().sqrt()), rel=0.1)


def test_what_is_kept_of_a_model_serves_every_photo_and_every_misfit(model, result):
    known = result.uncertainty
    less_sure = replace(known, covariance=4 * known.covariance)
    for sigma in (neutral_sigma_mm, neutral_face_sigma_mm):
        first, twice = (torch.as_tensor(sigma(model, u, NO_MISFIT)) for u in (known, less_sure))
        assert torch.allclose(twice, 2 * first)
        with_misfit = torch.as_tensor(sigma(model, known))
        assert (with_misfit >= first).all()
        assert (with_misfit > first).any()
        assert torch.equal(torch.as_tensor(sigma(model, known, NO_MISFIT)), first)


def test_where_nothing_is_open_only_the_models_misfit_is_left(model):
    sure = Uncertainty(("identity",), (model.n_identity,), torch.zeros(2 * [model.n_identity]))
    found = neutral_sigma_mm(model, sure)
    # Of the base mesh; the finest level lies between, as its surface does.
    variance = misfit_mm(model, model.mean_mm).square()[:, None].expand(-1, 3)
    assert torch.allclose(found, model.surface.lift(variance).sqrt())
    nothing_moved = Uncertainty((), (), torch.zeros(0, 0))
    assert torch.equal(neutral_sigma_mm(model, nothing_moved), found)


def test_people_are_nearest_to_the_model_on_their_lids_and_farthest_from_it_away_from_features(
    model,
):
    misfit = Misfit(at_features_mm=2.0, eyes_mm=10.0, by_distance=0.1)
    on_lids, on_the_nose, on_the_forehead = misfit.at(
        torch.tensor([0.0, 40.0, 50.0]), torch.tensor([0.0, 0.0, 50.0])
    )
    assert on_lids == 0
    assert on_the_nose == pytest.approx(2.0, rel=1e-4)
    assert on_the_forehead == pytest.approx(math.hypot(2.0, 5.0), rel=1e-4)
    # In the picture outlines and colours tell more than nothing does of the depth.
    assert misfit.across().at(torch.tensor([50.0]), torch.tensor([50.0])) < on_the_forehead
    # A tenth of the way to where the bell ends, a tenth of it is there.
    assert misfit.at(torch.tensor([1.0]), torch.tensor([0.0])) == pytest.approx(0.2, rel=0.01)
    lids_mm = ibug68_of_mediapipe(model.landmarks_mm("mediapipe478", model.zeros()))[IBUG68_EYES]
    assert float(misfit_mm(model, lids_mm, misfit).max()) < 1e-3


def test_the_distance_that_the_network_saw_is_as_sure_as_it_says(model):
    """The fit holds to it more than that; how sure the result is goes by the whole sigma."""
    from fit3dmm.energy.priors import distance_prior

    start = {"translation_mm": torch.tensor([0.0, 0.0, -800.0])}
    terms = {
        "distance": distance_prior(800.0, 0.1, variance=9.0),
        "place": lambda v: sum_of_squares(v["translation_mm"][:2], None),
    }
    problem = Problem(start, ("translation_mm",), terms)
    products = _products(problem)
    known, taken = posterior(problem, products), laplace(problem, products)
    assert known.sigma("translation_mm")[2] == pytest.approx(0.3 * 800, rel=1e-3)
    assert taken.sigma("translation_mm")[2] == pytest.approx(0.1 * 800, rel=1e-3)


def test_the_sigma_of_one_unknown_is_that_of_the_covariance_of_all():
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(40, 12, generator=generator, dtype=torch.float64)
    start = {name: torch.zeros(n).double() for name, n in (("a", 5), ("b", 3), ("c", 4))}
    terms = {
        "all": lambda v: sum_of_squares(matrix @ torch.cat([v["a"], v["b"], v["c"]])),
        # Of this one the energy says next to nothing.
        "a": lambda v: sum_of_squares(1e-6 * v["a"]),
    }
    problem = Problem(start, ("a", "b", "c"), terms)
    products = _products(problem)
    whole = laplace(problem, products)
    for name in start:
        assert torch.allclose(
            sigma_by_energy(problem, products, name), whole.sigma(name), rtol=1e-6
        )
    # What no term depends on is as little known either way.
    free = Problem(start, ("b",), {"b": lambda v: sum_of_squares(v["b"][:2])})
    found = sigma_by_energy(free, _products(free), "b")
    assert torch.allclose(found, laplace(free, _products(free)).sigma("b"), rtol=1e-6)
    assert not sigma_by_energy(free, _products(free), "a").any()
    assert not laplace(free, _products(free)).sigma("a").any()


def _products(problem: Problem) -> dict[str, TermProduct]:
    return term_products(problem, problem.evaluate(problem.flat_start()))


def _photo(scale: float) -> Problem:
    def seen(values):
        return sum_of_squares(scale * (values["person"] + values["pose"].sum()))

    terms = {
        "seen": seen,
        "pose": lambda v: sum_of_squares(v["pose"]),
        "person": lambda v: sum_of_squares(v["person"]),
    }
    start = {"pose": torch.zeros(2).double(), "person": torch.zeros(1).double()}
    return Problem(start, ("pose", "person"), terms)


def test_several_photos_tell_of_each_by_its_own_names():
    alone = _photo(2.0)
    one = posterior(alone, _products(alone))
    joined = join([alone], ("person",))
    (same,) = posteriors(joined, [alone], [_products(alone)])
    assert same.names == alone.free
    assert torch.allclose(same.covariance, one.covariance)

    photos = [_photo(2.0), _photo(1.0), _photo(5.0)]
    joined = join(photos, ("person",))
    at = joined.evaluate(joined.flat_start())
    found = posteriors(joined, photos, [_products(one) for one in photos])
    whole, _ = joined.normal_equations(at)
    inverse = torch.linalg.inv(whole.dense())
    for k, each in enumerate(found):
        assert each.sigma("person")[0] == pytest.approx(math.sqrt(inverse[0, 0]))
        own = slice(1 + 2 * k, 3 + 2 * k)
        assert torch.allclose(each.covariance[:2, :2], inverse[own, own])
        assert torch.allclose(each.covariance[:2, 2], inverse[own, 0])
    with pytest.raises(ValueError, match="posteriors"):
        posterior(joined, term_products(joined, at))
