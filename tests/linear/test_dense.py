from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pinngate.inference.noise_model import fit_noise
from pinngate.linear.dense import DenseSystem
from pinngate.linear.gram import inverse_gram, lower_gram

DOUBLE = torch.float64


def problem(
    num_rows: int, num_penalised: int, num_free: int, seed: int = 0
) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    jac = torch.randn(num_rows, num_penalised + num_free, generator=g, dtype=DOUBLE)
    return jac, torch.randn(num_rows, generator=g, dtype=DOUBLE)


def brute_force(
    jac: Tensor, b: Tensor, num_free: int, ridge: float, damping: float = 0.0
) -> Tensor:
    penalty = torch.full((jac.shape[1],), ridge, dtype=DOUBLE)
    penalty[jac.shape[1] - num_free :] = damping
    return -torch.linalg.solve(jac.T @ jac + torch.diag(penalty), jac.T @ b)


def by_spectrum(*arguments) -> DenseSystem:
    system = DenseSystem(*arguments)
    system.decompose()
    return system


SYSTEMS = {"factor": DenseSystem, "spectrum": by_spectrum}
SHAPES = [(30, 12, 0), (30, 12, 2), (20, 45, 0), (20, 45, 2)]


@pytest.mark.parametrize(("rows", "columns", "free"), SHAPES)
@pytest.mark.parametrize("form", ["dual", "normal"])
@pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)
def test_leave_one_out_residuals_are_those_of_refits_without_the_row(
    system, rows, columns, free, form
):
    jac, b = problem(rows, columns, free)
    observed = slice(rows - 8, rows)
    fit = system(jac, free, observed, form).fits([0.7], b)[0]
    for k, i in enumerate(range(rows - 8, rows)):
        others = torch.arange(rows) != i
        theta = brute_force(jac[others], b[others], free, 0.7)
        # exact algebra: only rounding of a system of condition about 1e3 separates the two
        assert float(fit.leave_one_out[k]) == pytest.approx(float(b[i] + jac[i] @ theta), rel=1e-9)


@pytest.mark.parametrize(("rows", "columns", "free"), SHAPES)
@pytest.mark.parametrize("form", ["dual", "normal"])
@pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)
def test_minimiser_residual_and_leverage_are_those_of_the_normal_equations(
    system, rows, columns, free, form
):
    jac, b = problem(rows, columns, free, seed=1)
    observed = slice(5, rows)
    spectrum = system(jac, free, observed, form)
    v, c = spectrum.minimiser(0.3, b)
    expected = brute_force(jac, b, free, 0.3)
    torch.testing.assert_close(torch.cat([v, c]), expected, rtol=1e-9, atol=1e-11)
    fit = spectrum.fits([0.3], b)[0]
    torch.testing.assert_close(fit.residual, (b + jac @ expected)[observed], rtol=1e-8, atol=1e-10)
    penalty = torch.full((jac.shape[1],), 0.3, dtype=DOUBLE)
    penalty[columns:] = 0.0
    hat = jac @ torch.linalg.solve(jac.T @ jac + torch.diag(penalty), jac.T)
    torch.testing.assert_close(fit.leverage, hat.diagonal()[observed], rtol=1e-9, atol=1e-11)
    assert fit.effective_dimension == pytest.approx(float(hat.diagonal()[observed].sum()))


@pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)
def test_damped_coefficients_are_ridge_solutions_too(system):
    jac, b = problem(25, 10, 3)
    v, c = system(jac, 3, slice(0, 25)).minimiser(0.5, b, damping=0.2)
    expected = brute_force(jac, b, 3, 0.5, 0.2)
    torch.testing.assert_close(torch.cat([v, c]), expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)
def test_coefficient_covariance_is_the_block_of_the_inverse(system):
    jac, _ = problem(40, 15, 2)
    penalty = torch.full((17,), 0.4, dtype=DOUBLE)
    penalty[15:] = 0.0
    inverse = torch.linalg.inv(jac.T @ jac + torch.diag(penalty))
    found = inverse_gram(system(jac, 2, slice(0, 40)).unpenalised_gram(0.4))
    torch.testing.assert_close(found, inverse[15:, 15:], rtol=1e-9, atol=1e-12)


def test_risk_estimates_noise_plus_squared_error():
    # 400 repetitions of 60 observations of a 5-direction signal: the mean of R has a standard
    # error of about 0.18/√400 of itself, 1 %; three of them are allowed
    g = torch.Generator().manual_seed(3)
    a = torch.randn(60, 40, generator=g, dtype=DOUBLE) * 0.5 ** torch.arange(40, dtype=DOUBLE)
    clean = a @ torch.randn(40, generator=g, dtype=DOUBLE)
    spectrum = DenseSystem(a, 0, slice(0, 60))
    risks, expected = [], []
    for _ in range(400):
        noise = 0.3 * torch.randn(60, generator=g, dtype=DOUBLE)
        fit = spectrum.fits([0.5], -(clean + noise))[0]
        risks.append(fit.leave_one_out.square().mean())
        # a held-out value at the same place: its noise, the error of the fit that never saw it
        error = fit.leave_one_out + noise
        expected.append(0.09 + error.square().mean())
    assert float(torch.stack(risks).mean() / torch.stack(expected).mean()) == pytest.approx(
        1.0, abs=0.03
    )


def test_gaussian_noise_keeps_equal_weights_and_outliers_lose_theirs():
    g = torch.Generator().manual_seed(5)
    kept = 0
    for _ in range(40):
        r = 0.3 * torch.randn(200, generator=g, dtype=DOUBLE)
        kept += not fit_noise(r).is_heavy
    assert kept >= 38
    r = 0.3 * torch.randn(200, generator=g, dtype=DOUBLE)
    r[:20] *= 10
    model = fit_noise(r)
    assert model.is_heavy
    weights = model.weights(r)
    far = r.abs() > 1.5
    assert far.any()
    assert float(weights[far].max()) < 0.15 * float(weights[~far].median())


def test_zero_residuals_and_tiny_samples_are_called_gaussian():
    assert not fit_noise(torch.zeros(50, dtype=DOUBLE)).is_heavy
    assert not fit_noise(torch.tensor([0.1, -5.0], dtype=DOUBLE)).is_heavy


@pytest.mark.parametrize(("rows", "columns", "free"), SHAPES)
def test_a_factor_has_the_mean_filter_of_the_spectrum(rows, columns, free):
    jac, _ = problem(rows, columns, free)
    both = [system(jac, free, slice(0, rows)) for system in (by_spectrum, DenseSystem)]
    for ridge in (1e-2, 3.0, 0.5):
        spectrum, factor = (system.signal_fraction(ridge) for system in both)
        assert factor == pytest.approx(spectrum, rel=1e-10)


@pytest.mark.parametrize("size", [1, 127, 128, 129, 700])
def test_the_lower_triangle_of_a_gram_matrix(size):
    a = problem(40, size, 0)[0]
    torch.testing.assert_close(lower_gram(a).tril(), (a.T @ a).tril(), rtol=1e-12, atol=1e-12)


def test_a_ridge_below_rounding_is_told():
    jac = 1e6 * problem(60, 30, 0)[0]
    jac[:, 1] = jac[:, 0]
    system = DenseSystem(jac, 0, slice(0, 60))
    assert system.is_definite(1.0)
    assert not system.is_definite(1e-10)


def test_a_ridge_lost_in_the_rounding_of_the_matrix_is_not_definite():
    """Cholesky succeeds on it, and leverages would come out negative."""
    g = torch.Generator().manual_seed(0)
    jac = torch.randn(40, 5, generator=g, dtype=DOUBLE) @ torch.randn(
        5, 60, generator=g, dtype=DOUBLE
    )
    system = DenseSystem(1e3 * jac, 0, slice(0, 40))
    scale = float(jac.square().sum()) * 1e6
    assert system.is_definite(1e-10 * scale)
    assert not any(system.is_definite(scale * 10.0**-k) for k in range(17, 22))
    for k in range(8, 22):
        ridge = scale * 10.0**-k
        if system.is_definite(ridge):
            leverage = system.fits([ridge], torch.ones(40, dtype=DOUBLE))[0].leverage
            assert float(leverage.min()) > -0.2
