"""The Gramian on linear models with a closed form, and its null space."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pinngate.theory.gramian import FlowResponse, Response, ridge_response
from pinngate.theory.partition import CHANNEL, partition

N, P, M = 12, 8, 5
TIME = 3.0


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def flow(pieces: int, rows: Tensor, tests: Tensor) -> Response:
    made = FlowResponse(len(rows), len(tests))
    step = (TIME / pieces) ** 0.5
    for _ in range(pieces):
        made.advance(step * rows, step * tests)
    return made.response()


def test_gradient_flow_on_a_linear_model() -> None:
    """W = ∫ K exp(−2Kt) dt = ½(I − exp(−2KT)), in one piece or in many."""
    rows, tests = randn(N, P), randn(M, P, seed=1)
    kernel = rows @ rows.T
    for pieces in (1, 7):
        found = flow(pieces, rows, tests)
        left = torch.matrix_exp(-TIME * kernel)
        torch.testing.assert_close(found.residual, left)
        torch.testing.assert_close(found.gramian, 0.5 * (torch.eye(N).double() - left @ left))
    values, vectors = torch.linalg.eigh(kernel)
    times = (torch.arange(4000) + 0.5) * TIME / 4000
    weight = (values * torch.exp(-2 * values * times[:, None])).mean(0) * TIME
    quadrature = (vectors * weight) @ vectors.T
    torch.testing.assert_close(found.gramian, quadrature, atol=1e-4, rtol=1e-4)


def test_displacement_is_that_of_the_trained_weights() -> None:
    """Small explicit steps on ‖Jw − y‖² move test outputs by −M r(0)."""
    rows, tests, target = 0.3 * randn(N, P), randn(M, P, seed=1), randn(N, seed=2)
    weights = torch.zeros(P, dtype=torch.float64)
    num_steps = 20000
    for _ in range(num_steps):
        weights -= TIME / num_steps * rows.T @ (rows @ weights - target)
    found = flow(4, rows, tests)
    torch.testing.assert_close(found.displacement @ target, tests @ weights, atol=1e-3, rtol=1e-3)


def path(seed: int) -> Response:
    """A kernel that turns on the way, as that of a network does."""
    made = FlowResponse(N, M)
    for k in range(6):
        mixed = randn(P, P, seed=seed + k)
        made.advance(0.4 * randn(N, P, seed=9) @ mixed, 0.4 * randn(M, P, seed=8) @ mixed)
    return made.response()


@pytest.mark.parametrize("seed", range(4))
def test_null_space_moves_no_test_output(seed: int) -> None:
    found = path(seed)
    whole = partition(found, slice(None))
    null = whole.dissipated < 1e-12
    assert int(null.sum()) == N - P  # the rows have rank P, whatever the kernel does
    assert whole.null_visibility(1e-12) < 1e-6
    assert whole.is_bound_met
    identity = torch.eye(N, dtype=torch.float64)
    spent = 0.5 * (identity - found.residual.T @ found.residual)
    torch.testing.assert_close(found.gramian, spent)


def test_bound_of_a_direction_nearly_in_the_null_space() -> None:
    found = path(0)
    whole = partition(found, slice(2, 9))
    assert whole.is_bound_met
    assert float(whole.bound.max()) > 0


@pytest.mark.parametrize("ridge", [1e-8, 0.3, 1e4])
def test_ridge_fit(ridge: float) -> None:
    """E b is the residual of the ridge fit, −M b what it moves, leverage the hat matrix."""
    rows, tests, target = randn(N, P), randn(M, P, seed=1), randn(N, seed=2)
    inverse = torch.linalg.inv(rows.T @ rows + ridge * torch.eye(P, dtype=torch.float64))
    move = -inverse @ rows.T @ target
    found = ridge_response(rows, tests, ridge)
    torch.testing.assert_close(found.residual @ target, target + rows @ move)
    torch.testing.assert_close(-found.displacement @ target, tests @ move)
    hat = (rows @ inverse @ rows.T).diagonal()
    torch.testing.assert_close(found.leverage(slice(3, 9)), hat[3:9])
    whole = partition(found, slice(None))
    assert whole.is_bound_met
    assert whole.null_visibility(1e-13) < 1e-6


def test_channel_of_a_ridge_fit_is_where_the_filter_is_above_a_half() -> None:
    rows = randn(N, P)
    values = torch.linalg.eigvalsh(rows @ rows.T)
    ridge = float(values[-4:-2].mean())  # between the third and the fourth largest
    found = partition(ridge_response(rows, randn(M, P), ridge), slice(None))
    assert found.num_channel == int((values / (values + ridge) > 0.5).sum()) == 3


def test_shares_of_signal_and_noise() -> None:
    found = partition(ridge_response(randn(N, P), randn(M, P), 0.5), slice(None))
    signal = found.directions[:, 0] * 3.0
    assert found.channel_share(signal) == pytest.approx(1.0)
    assert found.channel_share(found.directions[:, -1]) == pytest.approx(0.0, abs=1e-12)
    noise = randn(N, seed=5)
    inside = found.in_channel(noise)
    share = float(inside.square().sum() / noise.square().sum())
    assert share == pytest.approx(found.channel_share(noise))
    assert bool((found.dissipated[: found.num_channel] > CHANNEL).all())


def test_white_noise_fills_the_channel_by_its_dimension() -> None:
    found = partition(ridge_response(randn(N, P), randn(M, P), 0.5), slice(None))
    noise = randn(4000, N, seed=7)
    shares = [found.channel_share(vector) for vector in noise]
    assert sum(shares) / len(shares) == pytest.approx(found.num_channel / N, rel=0.03)
