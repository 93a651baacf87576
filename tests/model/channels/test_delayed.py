"""A delayed value is a channel of every trial space, with exact derivatives in the weights."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from pinngate.linear.jacobian import flatten, jacobian, row_weights
from pinngate.model.axis_functions import Splines
from pinngate.model.bases import TensorBasis
from pinngate.model.channels.delayed import side_by_side, spread, with_earlier
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network
from pinngate.model.residuals import ResidualModel
from pinngate.model.terms import Batch, problem_terms
from pinngate.statement.options import NetworkOptions
from tests.statement.test_delays import stated


def trial_space(kind: str) -> Network:
    generator = torch.Generator().manual_seed(0)
    if kind == "network":
        options = NetworkOptions(width=6, depth=2, activation="tanh", features=1.0)
        return Network([(0.0, 9.0)], 2, options, generator=generator)
    basis = TensorBasis([(0.0, 9.0)], [Splines(np.linspace(-1, 1, 5))], 2, output_shift=[1.0, 2.0])
    for weights in basis.weights:
        weights.data = torch.randn(weights.shape, generator=generator, dtype=torch.float64)
    return basis


@pytest.mark.parametrize("kind", ["network", "basis"])
def test_the_jacobian_is_that_of_finite_differences(kind: str) -> None:
    problem = stated(
        "u_t = k*v(t - 1)*u - u(t - 2.5)**2 + t*u(t - 1)",
        unknowns=["u", "v"],
        equations=["u_t = k*v(t - 1)*u - u(t - 2.5)**2 + t*u(t - 1)", "v_t = -u(t - 2.5)*v + u"],
        conditions=["u = 1 + t at t <= 0"],
        estimate={"k": 0.7},
        truth={"constants": {"k": 1}, "solver": "runge-kutta", "clean": {"u": 1, "v": 1}},
    )
    network, coefficients = trial_space(kind), Coefficients(problem.coefficients, torch.float64)
    model = ResidualModel([t for t in problem_terms(problem, []) if t.kind == "equation"], problem)
    points = torch.linspace(0.0, 9.0, 14, dtype=torch.float64)[:, None]
    batches = {term.name: Batch(points) for term in model.terms}
    weights = row_weights(model, batches, {t.name: 1.0 for t in model.terms})

    def residuals(theta: torch.Tensor) -> torch.Tensor:
        moved, own = copy.deepcopy(network), copy.deepcopy(coefficients)
        begin = 0
        for p in (*moved.weights, own.raw):
            p.data = theta[begin : begin + p.numel()].view_as(p)
            begin += p.numel()
        return jacobian(model, moved, own, batches, weights)[1]

    theta = flatten(network, coefficients)
    found, _ = jacobian(model, network, coefficients, batches, weights)
    step = 1e-6
    columns = [
        (residuals(theta + step * e) - residuals(theta - step * e)) / (2 * step)
        for e in torch.eye(len(theta), dtype=theta.dtype)
    ]
    torch.testing.assert_close(found, torch.stack(columns, 1), rtol=1e-6, atol=1e-6)


def test_values_before_the_start_are_those_at_it() -> None:
    places = with_earlier(torch.tensor([[1.0], [4.0]]), (2.0, 3.0), 0.5)
    assert places.flatten().tolist() == [1.0, 0.5, 0.5, 4.0, 2.0, 1.0]
    points = torch.tensor([[1.0], [4.0]])
    assert with_earlier(points, (), 0.0) is points


def test_spreading_is_the_transpose_of_standing_side_by_side() -> None:
    outputs, adjoints = torch.randn(3, 10, 2), torch.randn(7, 2, 2)
    left = (side_by_side(outputs, 4) * adjoints).sum()
    torch.testing.assert_close(left, (outputs * spread(adjoints, 4)).sum())
