"""Ridges and orders of smoothness against the slow way."""

from __future__ import annotations

import numpy as np
import pytest

from pinngate import config
from pinngate.optim.direct_fit.block_ridges import ORDERS, Factored, RidgeFit, Ridges
from pinngate.optim.direct_fit.weighted_functions import AxisBasis, Block

N = 60


@pytest.fixture(scope="module")
def basis() -> AxisBasis:
    problem = config.load(config.resolve("heat-noisy-ic"))
    return AxisBasis.of(problem, "x", 17, [0.0, 1.0])


def test_held_functions_are_sines(basis: AxisBasis) -> None:
    x = np.linspace(0, 1, 41)
    values = basis(x)
    for k in range(6):
        sine = np.sin((k + 1) * np.pi * x)
        share = values[:, k] @ sine / np.linalg.norm(values[:, k]) / np.linalg.norm(sine)
        assert abs(share) == pytest.approx(1.0, abs=1e-4)
    assert np.all(np.diff(basis.stiffness) > 0)


def test_errors_are_those_of_leaving_one_out() -> None:
    generator = np.random.default_rng(0)
    jacobian, right = generator.standard_normal((N, 8)), generator.standard_normal(N)
    ridge = np.array([0.0, 0.0, *10.0 ** generator.uniform(-1, 2, 6)])
    found = Factored(jacobian, right).fit(ridge)
    for i in (0, 17, 42):
        kept = np.arange(N) != i
        gram = jacobian[kept].T @ jacobian[kept] + np.diag(ridge)
        weights = np.linalg.solve(gram, jacobian[kept].T @ right[kept])
        assert found.leave_one_out[i] == pytest.approx(right[i] - jacobian[i] @ weights)


@pytest.mark.parametrize("rough", [False, True])
def test_the_order_follows_the_signal(rough: bool) -> None:
    problem = config.load(config.resolve("heat-noisy-ic"))
    basis = AxisBasis.of(problem, "x", 65, [0.0, 1.0])
    x = np.sort(np.random.default_rng(1).uniform(0, 1, 400))
    signal = np.where((x > 0.3) & (x < 0.6), 1.0, 0.0) if rough else np.sin(np.pi * x)
    noise = 0.1 * np.random.default_rng(2).standard_normal(len(x))
    ridges = Ridges([Block("initial 0", slice(0, basis.count), 1.0, basis)], 0, 0.1)
    rows, theta = basis(x) / 0.1, np.zeros(basis.count)
    for _ in range(3):
        ridges.choose(rows, -(signal + noise) / 0.1, theta)
    order = ORDERS[int(ridges.rungs[0])]
    assert order <= 2.0 if rough else order >= 3.0


def test_what_other_ridges_do_as_well_is_uncertain(basis: AxisBasis) -> None:
    """The root of the mixture's covariance beyond the own one, on a spectrum without a clear order.

    Every function has a covariance no smaller than the mixture's, and functions that all ridges
    fit alike keep their own.
    """
    generator = np.random.default_rng(3)
    x = np.sort(generator.uniform(0, 1, 50))
    values = np.sin(np.pi * x) + 0.3 * np.sin(4 * np.pi * x) + 0.3 * generator.standard_normal(50)
    ridges = Ridges([Block("initial 0", slice(0, basis.count), 1.0, basis)], 0, 0.1)
    rows, theta = basis(x) / 0.3, np.zeros(basis.count)
    ridges.choose(rows, -values / 0.3, theta)
    root = ridges.doubt(rows, -values / 0.3, theta)
    gram, slope = rows.T @ rows, rows.T @ values / 0.3
    own = np.linalg.inv(gram + np.diag(ridges.diagonal))

    tried = [ridges.diagonal]
    for strength, rung in ridges._tried(
        0, ridges.fit(rows, -values / 0.3, theta).effective_dimension
    ):
        norm = ridges._diagonal(np.array([strength]), np.array([rung]))
        tried.append(norm * ridges.tempering)
    risks = np.array([Factored(rows, -values / 0.3).fit(ridge).risk for ridge in tried])
    weights = np.exp(-len(x) / 4 * (risks / risks.min() - 1))
    weights = np.where(weights < 0.01 * weights.sum(), 0.0, weights)
    weights /= weights.sum()
    answers = [np.linalg.solve(gram + np.diag(ridge), slope) for ridge in tried]
    at = basis(np.linspace(0, 1, 21))
    mixture = np.zeros(21)
    for weight, ridge, answer in zip(weights, tried, answers, strict=True):
        covariance = np.linalg.inv(gram + np.diag(ridge))
        mixture += weight * np.einsum("ij,jk,ik->i", at, covariance, at)
        mixture += weight * np.square(at @ (answer - own @ slope))
    alone = np.einsum("ij,jk,ik->i", at, own, at)
    total = alone + np.square(at @ root).sum(axis=1)
    assert np.all(total >= mixture * (1 - 1e-6))
    assert total.sum() < 1.3 * mixture.sum()
    assert mixture.sum() > 1.02 * alone.sum()


def test_without_functions_no_ridge_is_in_doubt() -> None:
    rows = np.random.default_rng(0).standard_normal((N, 3))
    assert not Ridges([], 3, 0.1).doubt(rows, rows[:, 0], np.zeros(3)).any()


def test_a_fit_is_worse_by_a_standard_error_of_what_was_measured() -> None:
    steady, noisy = np.full(8, 1.0), np.array([1.0, 3.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0])
    better = RidgeFit(np.zeros(8), np.full(8, 0.9))
    assert RidgeFit(np.zeros(8), steady).is_worse_than(better)
    assert not RidgeFit(np.zeros(8), noisy).is_worse_than(RidgeFit(np.zeros(8), steady))
    known = np.concatenate([np.full(8, 0.9), [50.0]])
    assert not RidgeFit(np.zeros(9), known, 8).is_worse_than(better)
