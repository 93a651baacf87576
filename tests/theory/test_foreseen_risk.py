"""Population risk of one run: exact for ridge fits, unbiased for one step on fresh data."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pinngate.theory.foreseen_risk import (
    judge_risk,
    leave_one_out_risk,
    mean_interval,
    promised_change,
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


def test_promise_leaves_out_what_each_value_does_to_itself() -> None:
    """A kernel without exchange promises nothing; brute force over pairs otherwise."""
    residual = randn(7, seed=2)
    assert promised_change(torch.eye(7).double(), residual, slice(2, 7)) == 0.0
    half = randn(7, 7, seed=3)
    kernel, n = half @ half.T, 5
    total = 0.0
    for i in range(2, 7):
        for j in range(7):
            if j < 2:
                total -= 2 * float(residual[i] * kernel[i, j] * residual[j])
            elif j != i:
                total -= 2 * float(residual[i] * kernel[i, j] * residual[j]) * n / (n - 1)
    assert promised_change(kernel, residual, slice(2, 7)) == pytest.approx(total)


def test_promise_of_the_first_step_is_unbiased() -> None:
    """Mean over samples of the promise = mean change of the risk on new data, for n − 1 of n."""
    random = np.random.default_rng(0)
    n, truth, eta = 6, np.array([1.0, -0.5]), 1e-4
    told, came = [], []
    for _ in range(4000):
        rows = random.standard_normal((n, 2))
        values = rows @ truth + random.standard_normal(n)
        weighted = torch.as_tensor(rows / np.sqrt(n))
        residual = torch.as_tensor(-values / np.sqrt(n))
        told.append(promised_change(2 * eta * weighted @ weighted.T, residual, slice(None)))
        weights = 2 * eta * rows.T @ values / n
        came.append(np.sum((truth - weights) ** 2) - np.sum(truth**2))
    assert np.mean(told) == pytest.approx(np.mean(came), rel=0.05)


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
