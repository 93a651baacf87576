"""Ridges and orders of smoothness against the slow way."""

from __future__ import annotations

import numpy as np
import pytest

from pinngate import config
from pinngate.optim.direct_fit.block_ridges import ORDERS, Factored, Ridges
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
