from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from pinngate.errors import InputError
from pinngate.inference.posterior import Posterior, laplace_posterior
from pinngate.linear.dense import DenseSystem
from pinngate.linear.forms import Trial
from pinngate.linear.jacobian import flatten
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network
from pinngate.optim.gauss_newton.last_fit import gauss_newton_posterior
from pinngate.statement.options import NetworkOptions
from pinngate.statement.problem import Coefficient
from tests.noisy_heat import DOUBLE, NoisyHeat, solve, truth


def spectrum(jac: Tensor, num_unpenalised: int = 0) -> DenseSystem:
    return DenseSystem(jac, num_unpenalised, slice(0, 0))


def dense_covariance(jac: Tensor, num_free: int, ridge: float, variance: float) -> Tensor:
    penalty = torch.full((jac.shape[1],), ridge, dtype=DOUBLE)
    penalty[jac.shape[1] - num_free :] = 0.0
    return variance * torch.linalg.inv(jac.T @ jac + torch.diag(penalty))


@pytest.mark.parametrize(("rows", "penalised", "free"), [(30, 12, 2), (14, 40, 2), (14, 40, 0)])
def test_variances_are_those_of_the_dense_inverse(rows, penalised, free):
    g = torch.Generator().manual_seed(0)
    jac = torch.randn(rows, penalised + free, generator=g, dtype=DOUBLE)
    gradient = torch.randn(5, penalised, generator=g, dtype=DOUBLE)
    covariance = dense_covariance(jac, free, 0.6, 0.09)
    posterior = Posterior.of(spectrum(jac, free), 0.6, 0.09, 20.0)
    expected = (gradient @ covariance[:penalised, :penalised] * gradient).sum(1)
    torch.testing.assert_close(posterior.variance_of(gradient), expected, rtol=1e-9, atol=0)
    torch.testing.assert_close(
        posterior.coefficient_covariance,
        covariance[penalised:, penalised:],
        rtol=1e-9,
        atol=1e-12,
    )


def test_without_data_the_posterior_is_the_prior():
    posterior = Posterior.of(spectrum(torch.zeros(3, 6, dtype=DOUBLE)), 0.5, 0.09, 3.0)
    gradient = torch.eye(6, dtype=DOUBLE)
    torch.testing.assert_close(
        posterior.variance_of(gradient), torch.full((6,), 0.18, dtype=DOUBLE)
    )


def test_field_std_is_the_dense_one_of_every_field_and_survives_its_state():
    network = Network(
        [(0.0, 2.0), (0.0, 1.0)],
        2,
        NetworkOptions(5, 2, "tanh", 2.0),
        output_scale=[2.0, 0.5],
        generator=torch.Generator().manual_seed(1),
    )
    g = torch.Generator().manual_seed(2)
    jac = torch.randn(20, network.num_parameters, generator=g, dtype=DOUBLE)
    posterior = Posterior.of(spectrum(jac), 0.3, 0.04, 15.0)
    points = torch.rand(6, 2, generator=g, dtype=DOUBLE)
    covariance = dense_covariance(jac, 0, 0.3, 0.04)
    expected = torch.empty(6, 2, dtype=DOUBLE)
    weights = [p for layer in network.linears for p in (layer.weight, layer.bias)]
    for n in range(6):
        for field in range(2):
            gradient = torch.autograd.grad(network(points[n : n + 1])[0, field], weights)
            row = torch.cat([part.reshape(-1) for part in gradient])
            expected[n, field] = (row @ covariance @ row).sqrt()
    torch.testing.assert_close(posterior.std(network, points), expected, rtol=1e-8, atol=0)


def test_a_weak_ridge_leaves_no_rounding():
    """Where the rows tell all, σ²(AᵀA + α)⁻¹ does not depend on an α of seventeen decades less."""
    g = torch.Generator().manual_seed(4)
    jac = 1e3 * torch.randn(40, 12, generator=g, dtype=DOUBLE)
    gradient = torch.randn(5, 12, generator=g, dtype=DOUBLE)
    exact = 0.01 * torch.einsum("ni,ij,nj->n", gradient, torch.linalg.inv(jac.T @ jac), gradient)
    for ridge in (1e-6, 1e-14):
        found = Posterior.of(spectrum(jac), ridge, 0.01, 20.0).variance_of(gradient)
        torch.testing.assert_close(found, exact, rtol=1e-6, atol=0)


def test_directions_that_tell_next_to_nothing_keep_their_prior():
    """Singular values down to 1e-12 of a ridge of one: 1 − φ is one to the last digit."""
    g = torch.Generator().manual_seed(5)
    left, _ = torch.linalg.qr(torch.randn(30, 8, generator=g, dtype=DOUBLE))
    right, _ = torch.linalg.qr(torch.randn(8, 8, generator=g, dtype=DOUBLE))
    values = torch.logspace(3, -12, 8, dtype=DOUBLE)
    gradient = torch.randn(5, 8, generator=g, dtype=DOUBLE)
    found = Posterior.of(spectrum((left * values) @ right.T), 1.0, 0.01, 20.0)
    exact = ((gradient @ right).square() * (0.01 / (values.square() + 1.0))).sum(1)
    torch.testing.assert_close(found.variance_of(gradient), exact, rtol=1e-6, atol=0)


def test_intervals_respect_bounds_and_map_through_the_logarithm():
    coefficients = Coefficients([Coefficient("nu", 0.01, lower=0.0), Coefficient("c", 2.0)], DOUBLE)
    g = torch.Generator().manual_seed(3)
    jac = torch.randn(30, 6, generator=g, dtype=DOUBLE)
    posterior = Posterior.of(spectrum(jac, 2), 0.1, 40.0, 25.0)
    found = posterior.coefficients(coefficients)
    raw = posterior.coefficient_covariance.diagonal().sqrt()
    nu, c = found["nu"], found["c"]
    half = posterior.quantile * float(raw[0])
    assert nu.lower > 0
    assert math.log(nu.upper / nu.estimate) == pytest.approx(half)
    assert math.log(nu.estimate / nu.lower) == pytest.approx(half)
    assert nu.std == pytest.approx(0.01 * float(raw[0]))
    assert (c.upper + c.lower) / 2 == pytest.approx(2.0)
    # Student's t with 25 degrees of freedom, from tables
    assert posterior.quantile == pytest.approx(2.0595, abs=1e-4)


def test_a_ridge_that_is_not_positive_is_refused():
    with pytest.raises(InputError, match="ridge"):
        Posterior.of(spectrum(torch.ones(2, 2, dtype=DOUBLE)), 0.0, 1.0, 1.0)


def test_bands_of_the_fitted_field_are_calibrated_for_both_posteriors():
    scores: dict[str, list[float]] = {"gauss-newton": [], "laplace": []}
    covered: list[float] = []
    for seed in range(6):
        setting = NoisyHeat(seed=seed, network_seed=seed + 100)
        network, grid, solver = setting.network, setting.grid(21), setting.solver()
        start = flatten(network, setting.coefficients)
        solve(setting, solver)
        batches = setting.draw()
        difference = network(grid)[:, 0].detach() - truth(grid)
        own = gauss_newton_posterior(solver, batches)
        std = own.std(network, grid)[:, 0]
        scores["gauss-newton"].append(float(difference.square().mean() / std.square().mean()))
        covered.append(float((difference.abs() <= own.quantile * std).double().mean()))
        weights = {n: w * solver.unit for n, w in solver.row_weights(batches).by_term.items()}
        other = laplace_posterior(Trial(*setting.parts), batches, weights, start)
        std = other.std(network, grid)[:, 0]
        scores["laplace"].append(float(difference.square().mean() / std.square().mean()))
    # squared error over variance is about chi-squared of four degrees over four: the mean of six
    # has a standard deviation of 0.3
    for values in scores.values():
        assert 0.2 < sum(values) / 6 < 2.0
    assert sum(covered) / 6 > 0.85


def test_stated_noise_above_the_misfit_widens():
    setting = NoisyHeat()
    network, grid, solver = setting.network, setting.grid(21), setting.solver()
    while solver.iteration < 10:
        solver.step(setting.draw())
    batches = setting.draw()
    estimated = gauss_newton_posterior(solver, batches)
    sigma = math.sqrt(estimated.variance) * solver.unit
    wide = gauss_newton_posterior(solver, batches, stated_std=2 * sigma)
    narrow = gauss_newton_posterior(solver, batches, stated_std=0.5 * sigma)
    ratio = wide.std(network, grid) / estimated.std(network, grid)
    torch.testing.assert_close(ratio, torch.full_like(ratio, 2.0))
    assert narrow.variance == estimated.variance
