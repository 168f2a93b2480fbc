"""Problems that share unknowns: together they find what each alone can't, at linear cost."""

import pytest
import torch

from fit3dmm.solve import (
    BlockArrow,
    LevenbergMarquardt,
    Problem,
    Residuals,
    join,
    member,
    scaled,
    solve,
    sum_of_squares,
)

TIGHT = LevenbergMarquardt(max_steps=100, relative_decrease=1e-14, gradient_tolerance=1e-18)


def _double(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _random_arrow(head: int, tips: list[int]) -> BlockArrow:
    """Positive definite: the normal equations of random rows."""
    generator = torch.Generator().manual_seed(0)
    total = torch.eye(head, dtype=torch.float64)
    arms, blocks = [], []
    for n in tips:
        rows = torch.randn(3 * (head + n), head + n, generator=generator, dtype=torch.float64)
        product = rows.T @ rows
        total = total + product[:head, :head]
        arms.append(product[:head, head:])
        blocks.append(product[head:, head:])
    return BlockArrow(total, tuple(arms), tuple(blocks))


@pytest.mark.parametrize("tips", [[], [3], [3, 0, 5, 4]])
def test_an_arrow_is_its_dense_matrix(tips):
    arrow = _random_arrow(4, tips)
    dense = arrow.dense()
    generator = torch.Generator().manual_seed(1)
    vector = torch.randn(len(dense), generator=generator, dtype=torch.float64)
    assert torch.allclose(dense, dense.T)
    assert torch.allclose(arrow.diagonal(), dense.diagonal())
    assert torch.allclose(arrow @ vector, dense @ vector)
    assert torch.allclose(arrow.solve(vector), torch.linalg.solve(dense, vector))
    more = arrow.with_added(vector.square())
    assert torch.allclose(more.dense(), dense + torch.diag(vector.square()))
    for rows in (vector > -0.5, torch.zeros_like(vector, dtype=torch.bool)):
        assert torch.allclose(arrow.select(rows).dense(), dense[rows][:, rows])
        found = arrow.select(rows).solve(vector[rows])
        assert torch.allclose(found, torch.linalg.solve(dense[rows][:, rows], vector[rows]))


def test_an_arrow_that_is_not_definite_is_solved_by_least_squares():
    one = torch.ones(1, 1, dtype=torch.float64)
    for arrow in (BlockArrow(0 * one), BlockArrow(one, (0 * one,), (0 * one,))):
        right = arrow @ torch.ones(sum(arrow.sizes), dtype=torch.float64)
        assert torch.allclose(arrow.dense() @ arrow.solve(right), right)


def _measured(total: float, b: float, exact: bool = True) -> Problem:
    """a + b is measured, b is known by a prior, and a has a weak one."""

    def sum_term(values) -> Residuals:
        one = torch.ones(1, 1, dtype=torch.float64)
        jacobian = (lambda free: {n: one for n in ("a", "b") if n in free}) if exact else None
        return sum_of_squares(values["a"] + values["b"] - total, jacobian)

    terms = {
        "total": sum_term,
        "b": lambda v: sum_of_squares(1e3 * (v["b"] - b)),
        "a": lambda v: sum_of_squares(1e-6 * v["a"]),
    }
    return Problem({"a": _double(0.0), "b": _double(0.0)}, ("b", "a"), terms)


@pytest.mark.parametrize("exact", [True, False])
def test_what_is_shared_is_the_mean_of_what_each_finds(exact):
    joined = join([_measured(5.0, 1.0, exact), _measured(9.0, 3.0, exact)], ("a",))
    assert joined.free == ("a", "b@0", "b@1")
    assert set(joined.terms) == {"a", "total@0", "b@0", "total@1", "b@1"}
    solution = solve(joined, TIGHT)
    # The first says a = 4 and the second a = 6.
    assert solution.values["a"].item() == pytest.approx(5, abs=1e-4)
    assert member(solution.values, 1) == {
        "a": solution.values["a"],
        "b": solution.values["b@1"],
    }
    assert member(solution.values, 1)["b"].item() == pytest.approx(3, abs=1e-4)


def _curve(seed: int) -> Problem:
    """A robust curve fit with bounds: rate and its prior are shared, size and level are not."""
    generator = torch.Generator().manual_seed(seed)
    t = torch.linspace(0, 3, 40, dtype=torch.float64)
    noise = torch.randn(40, generator=generator, dtype=torch.float64)
    y = 2.5 * torch.exp(-1.3 * t) + 0.4 + 0.05 * noise

    def term(values) -> Residuals:
        at = values["size"] * torch.exp(-values["rate"] * t) + values["level"]
        residual = (at - y) / 0.05
        root = (1 + residual**2).sqrt()
        return Residuals(residual, (root - 1).sum(), 1 / root.detach())

    terms = {"curve": term, "rate": lambda v: sum_of_squares((v["rate"] - 1) / 0.5)}
    start = {"size": _double(1.0), "rate": _double(1.0), "level": _double(0.0)}
    return Problem(start, tuple(start), terms, {"size": _double(0.0, 2.4)[None]})


@pytest.mark.parametrize("n", [1, 2, 5])
def test_copies_with_as_much_more_variance_give_the_single_solution(n):
    single = _curve(0)
    noisier = {name: scaled(term, float(n)) for name, term in single.terms.items()}
    # The shared prior counts once, and so as it is.
    copy = Problem(single.start, single.free, {**noisier, "rate": single.terms["rate"]},
                   single.bounds)  # fmt: skip
    alone, together = solve(single, TIGHT), solve(join([copy] * n, ("rate",)), TIGHT)
    assert together.energy == pytest.approx(alone.energy, rel=1e-9)
    for k in range(n):
        for name, value in member(together.values, k).items():
            # Solved to a tolerance of 1e-14 of the energy, whose root is 1e-7 of a sigma.
            assert torch.allclose(value, alone.values[name], atol=1e-6), (k, name)
    # The bound on the size is kept in each.
    assert float(together.values["size@0"]) == 2.4


def test_joined_normal_equations_are_those_of_one_flat_problem():
    joined = join([_curve(seed) for seed in range(3)], ("rate",))
    flat = Problem(joined.start, joined.free, joined.terms, joined.bounds)
    at = joined.evaluate(joined.flat_start())
    arrow, gradient = joined.normal_equations(at)
    dense, flat_gradient = flat.normal_equations(at)
    assert arrow.sizes == [1, 2, 2, 2]
    assert torch.allclose(arrow.dense(), dense.dense())
    assert torch.allclose(gradient, flat_gradient)


def test_what_can_not_be_joined_is_refused():
    odd = Problem({"a": _double(0.0, 0.0), "b": _double(0.0)}, ("a",), {"t": _curve})
    with pytest.raises(ValueError, match="Problem 1 has no a like that"):
        join([_measured(1.0, 1.0), odd], ("a",))
    fixed = _measured(1.0, 1.0)
    fixed = Problem(fixed.start, ("b",), fixed.terms)
    with pytest.raises(ValueError, match="a is free in some"):
        join([_measured(1.0, 1.0), fixed], ("a",))
    with pytest.raises(ValueError, match="must be the last"):
        Problem(fixed.start, ("b", "a"), fixed.terms, groups=(("b",),))


def test_terms_may_not_touch_two_groups():
    problem = Problem(
        {"a": _double(0.0), "b": _double(0.0)},
        ("a", "b"),
        {"both": lambda v: sum_of_squares(v["a"] + v["b"] - 1)},
        groups=(("a",), ("b",)),
    )
    with pytest.raises(ValueError, match="term both touches the unknowns of several groups"):
        problem.normal_equations(problem.evaluate(problem.flat_start()))


def test_some_may_share_what_others_have_for_themselves():
    problems = [_measured(total, 1.0) for total in (5.0, 9.0, 20.0)]
    joined = join(problems, (), {"a": [(0, 2)]})
    assert set(joined.free) == {"a@0+2", "a@1", "b@0", "b@1", "b@2"}
    # What is shared stands before the groups, and its prior counts once.
    assert joined.free[0] == "a@0+2"
    assert "a@2" not in joined.terms
    found = solve(joined, TIGHT).values
    # The first and the third say 4 and 19, the second 8.
    assert member(found, 0)["a"].item() == pytest.approx(11.5, abs=1e-4)
    assert member(found, 2)["a"] is member(found, 0)["a"]
    assert member(found, 1)["a"].item() == pytest.approx(8, abs=1e-4)


def test_scaling_rows_and_columns_is_that_of_the_dense_matrix():
    arrow = _random_arrow(4, [3, 5])
    scale = torch.linspace(0.5, 2, sum(arrow.sizes), dtype=torch.float64)
    assert torch.allclose(arrow.scaled(scale).dense(), scale[:, None] * arrow.dense() * scale)


def test_an_unknown_on_whose_start_all_agree_starts_there():
    """To the last bit: a sum of five equal numbers, divided by five, may be another number."""
    generator = torch.Generator().manual_seed(0)
    agreed = torch.rand(1000, generator=generator)
    assert not torch.equal(torch.stack([agreed] * 5).mean(0), agreed)
    terms = {"person": lambda v: sum_of_squares(v["person"])}
    one = Problem({"person": agreed}, ("person",), terms)
    assert torch.equal(join([one] * 5, ("person",)).start["person"], agreed)
    other = Problem({"person": agreed + 2}, ("person",), terms)
    assert torch.allclose(join([one, other], ("person",)).start["person"], agreed + 1)
