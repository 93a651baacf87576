"""Draws by Hamiltonian Monte Carlo against densities whose moments are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pinngate.inference.draws import SampledPosterior
from pinngate.inference.hamiltonian import Hamiltonian, effective_number

Array = NDArray[np.float64]


def chain(energy: object, size: int, seed: int = 0) -> Hamiltonian:
    return Hamiltonian(energy, np.zeros(size), np.eye(size), np.random.default_rng(seed))  # type: ignore[arg-type]


def drawn(found: Hamiltonian, count: int) -> Array:
    found.learn(found.draws(400, is_learning=True))
    found.draws(100, is_learning=True)
    return found.draws(count)


def test_a_normal_density_in_other_coordinates() -> None:
    mean, covariance = np.array([1.0, -2.0, 0.5]), np.diag([0.04, 9.0, 1.0])
    covariance[0, 1] = covariance[1, 0] = 0.5
    precision = np.linalg.inv(covariance)

    def energy(theta: Array) -> tuple[float, Array]:
        slope = precision @ (theta - mean)
        return float((theta - mean) @ slope / 2), slope

    draws = drawn(chain(energy, 3), 4000)
    deviation = np.sqrt(covariance.diagonal())
    assert effective_number(draws).min() > 500
    assert np.abs((draws.mean(0) - mean) / deviation).max() < 0.1
    np.testing.assert_allclose(np.cov(draws.T) / covariance.max(), covariance / 9, atol=0.1)


def test_a_skewed_density() -> None:
    def energy(theta: Array) -> tuple[float, Array]:  # exp(theta) is of a gamma distribution
        return float(np.exp(theta[0]) - 2 * theta[0]), np.exp(theta) - 2

    draws = drawn(chain(energy, 1), 4000)
    assert draws.mean() == pytest.approx(0.4228, abs=0.06)  # digamma(2)
    assert draws.std() == pytest.approx(0.8031, abs=0.06)  # the root of trigamma(2)
    told = SampledPosterior.of(draws, 1.0)
    assert told.ends[:, 0] == pytest.approx(np.log([0.2422, 5.5716]), abs=0.2)


def test_where_there_is_no_density_no_draw_goes() -> None:
    def energy(theta: Array) -> tuple[float, Array]:
        return (float(theta @ theta / 2), theta) if theta[0] > -0.5 else (np.inf, np.zeros(1))

    found = chain(energy, 1)
    draws = found.draws(100, is_learning=True)
    assert draws.min() > -0.5
    assert draws.max() > 1


def test_draws_follow_from_the_seed() -> None:
    def energy(theta: Array) -> tuple[float, Array]:
        return float(theta @ theta / 2), theta

    one, same, other = (chain(energy, 2, seed).draws(5) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_the_effective_number_of_an_autoregressive_series() -> None:
    random, count, memory = np.random.default_rng(0), 20000, 0.8
    series = np.zeros((count, 2))
    for k in range(1, count):
        series[k] = [memory, 0.0] * series[k - 1] + random.standard_normal(2)
    found = effective_number(series) / count
    assert found[0] == pytest.approx((1 - memory) / (1 + memory), rel=0.2)
    assert found[1] == pytest.approx(1.0, rel=0.1)
