"""Population risk of one run: exact for ridge fits, unbiased for one step on fresh data."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pinngate.theory.foreseen_risk import (
    judge_risk,
    leave_one_out_risk,
    mean_interval,
    self_influence,
)
from pinngate.theory.gramian import ridge_response


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_leave_one_out_of_a_ridge_fit_is_that_of_refitting() -> None:
    rows, target, ridge = randn(9, 4), randn(9, seed=1), 0.3
    found = ridge_response(rows, rows, ridge)
    risk = leave_one_out_risk(found.residual @ target, found.leverage(slice(None)))
    errors = []
    for i in range(9):
        kept = [j for j in range(9) if j != i]
        own = rows[kept]
        gram = own.T @ own + ridge * torch.eye(4, dtype=torch.float64)
        weights = torch.linalg.solve(gram, own.T @ target[kept])
        errors.append(float(target[i] - rows[i] @ weights))
    assert risk == pytest.approx(float(np.mean(np.square(errors))))


def test_self_influence_is_the_diagonal_of_the_product() -> None:
    """What pairs i ≠ j do is the whole fall of ‖r‖² less the self-influence."""
    half, residual = randn(5, 5, seed=3), randn(5, seed=2)
    kernel = half @ half.T
    pairs = sum(
        2 * float(residual[i] * kernel[i, j] * residual[j])
        for i in range(5)
        for j in range(5)
        if i != j
    )
    whole = 2 * float(residual @ kernel @ residual)
    own = self_influence(kernel.diagonal(), residual, residual)
    assert whole - own == pytest.approx(pairs)


def test_promise_of_the_first_step_is_unbiased() -> None:
    """Mean change of training risk plus self-influence = mean change on new data, (n − 1)/n."""
    random = np.random.default_rng(0)
    n, truth, eta = 6, np.array([1.0, -0.5]), 1e-4
    told, came = [], []
    for _ in range(4000):
        rows = random.standard_normal((n, 2))
        values = rows @ truth + random.standard_normal(n)
        weights = 2 * eta * rows.T @ values / n
        diagonal = torch.as_tensor(2 * eta * (rows**2).sum(1) / n)
        before, now = (torch.as_tensor(r / np.sqrt(n)) for r in (-values, rows @ weights - values))
        change = float(now.square().sum() - before.square().sum())
        told.append(change + self_influence(diagonal, before, now))
        came.append(np.sum((truth - weights) ** 2) - np.sum(truth**2))
    assert np.mean(told) == pytest.approx(np.mean(came) * (n - 1) / n, rel=0.05)


def test_judgement_of_a_curve() -> None:
    truth = np.array([4.0, 2.0, 1.0, 1.5])
    found = judge_risk(2 * truth, truth, np.sqrt(truth))
    assert found.correlation == pytest.approx(1.0)
    assert found.rank_correlation == pytest.approx(1.0)
    assert found.calibration == pytest.approx(2.0)
    assert (found.chosen, found.best, found.regret) == (2, 2, 0.0)
    late = judge_risk(np.array([4.0, 3.0, 2.0, -1.0]), truth, np.sqrt(truth))
    assert late.chosen == 3
    assert late.regret == pytest.approx(np.sqrt(1.5) - 1)


def test_interval_of_a_mean() -> None:
    values = np.random.default_rng(0).standard_normal((2000, 5)) + 3
    hits = [low <= 3 <= high for _, low, high in map(mean_interval, values)]
    assert np.mean(hits) == pytest.approx(0.95, abs=0.015)
    assert np.isnan(mean_interval(np.array([1.0]))[1])
    assert np.isnan(mean_interval(np.array([np.nan]))[0])
