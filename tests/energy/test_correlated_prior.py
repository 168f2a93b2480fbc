"""The prior of unknowns that go together."""

import torch

from fit3dmm.energy.priors import correlated_prior, normal_prior


def test_energy_is_half_the_squared_mahalanobis_distance():
    generator = torch.Generator().manual_seed(0)
    factor = torch.randn(5, 5, generator=generator, dtype=torch.float64).tril()
    value = torch.randn(5, generator=generator, dtype=torch.float64)
    term = correlated_prior("expression", factor)({"expression": value})
    expected = 0.5 * value @ torch.linalg.solve(factor @ factor.T, value)
    torch.testing.assert_close(term.energy, expected)
    assert term.jacobian is not None
    jacobian = term.jacobian(("expression",))["expression"]
    torch.testing.assert_close(jacobian @ value, term.residual)


def test_without_correlations_it_is_the_normal_prior():
    sigma, value = torch.tensor([0.2, 0.5, 1.5]), {"expression": torch.tensor([0.3, -0.1, 0.7])}
    correlated = correlated_prior("expression", torch.diag(sigma))(value)
    independent = normal_prior("expression", 0.0, sigma)(value)
    torch.testing.assert_close(correlated.energy, independent.energy)


def test_of_two_blendshapes_that_go_together_one_makes_the_other_likely():
    factor = torch.linalg.cholesky(torch.tensor([[1.0, 0.8], [0.8, 1.0]]))
    prior = correlated_prior("expression", factor)
    together, alone = (
        float(prior({"expression": torch.tensor(value)}).energy)
        for value in ([1.0, 1.0], [1.0, 0.0])
    )
    assert together < alone
