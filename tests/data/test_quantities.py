"""What sensors see: exact of the truth, and the fit's rows are its exact derivatives."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pinngate.config import loads
from pinngate.data.observations import ObservationSet, collect
from pinngate.data.quantities import mean_nodes
from pinngate.errors import DataError
from pinngate.linear.jacobian import assign, flatten, jacobian, row_weights
from pinngate.linear.rows import LinearisedRows
from pinngate.model.coefficients import Coefficients
from pinngate.model.moments import gradient_moments
from pinngate.model.networks import Network
from pinngate.model.residuals import ResidualModel
from pinngate.points.batches import BatchSource
from pinngate.reference import truth
from pinngate.statement.measurement import Mean
from pinngate.statement.options import NetworkOptions
from pinngate.statement.problem import Problem

TEXT = """
pinngate: 1
name: sensors
domain: {x: [0, 2], t: [0, 1]}
unknowns: [u]
estimate:
  k: {initial: 0.7, truth: 0.5}
equations:
  - u_t = k*u_xx
observations:
  - {of: u, count: 20, noise: {std: 0.1}}
  - {of: u_x, count: 20, noise: {std: 0}}
  - {of: -k*u_x + t*u, count: 20, noise: {std: 0}}
  - {of: u, count: 20, noise: {std: 0}, mean: {over: x}}
  - {of: u, count: 20, noise: {std: 0}, mean: {over: t, width: 0.2}}
  - {of: -k*u_xx, count: 20, noise: {std: 0}, mean: {over: [x, t]}}
truth: {u: sin(3*x)*exp(-t)}
"""


@pytest.fixture(scope="module")
def problem() -> Problem:
    return loads(TEXT)


@pytest.fixture(scope="module")
def sets(problem: Problem) -> list[ObservationSet]:
    return collect(problem, truth(problem), 0)


def test_synthetic_readings_are_those_of_calculus(sets: list[ObservationSet]) -> None:
    x, t = (np.stack([s.points for s in sets])[:, :, k] for k in (0, 1))
    space = (1 - np.cos(6)) / 6
    low, high = np.maximum(0, t[4] - 0.1), np.minimum(1, t[4] + 0.1)
    expected = {
        1: 3 * np.cos(3 * x[1]) * np.exp(-t[1]),
        2: -1.5 * np.cos(3 * x[2]) * np.exp(-t[2]) + t[2] * np.sin(3 * x[2]) * np.exp(-t[2]),
        3: space * np.exp(-t[3]),
        4: np.sin(3 * x[4]) * (np.exp(-low) - np.exp(-high)) / (high - low),
        5: np.full(20, 4.5 * space * (1 - np.exp(-1))),
    }
    for k, values in expected.items():
        # sixteen or ten Gauss-Legendre nodes leave rounding alone
        np.testing.assert_allclose(sets[k].values, values, rtol=1e-9, atol=1e-12)
    assert [s.of for s in sets][3:] == [
        "mean of u over x",
        "mean of u over 0.2 in t",
        "mean of -k*u_xx over x, t",
    ]
    assert [s.is_of_field for s in sets] == [True, *[False] * 5]


def test_means_need_no_coordinate_and_weights_sum_to_one() -> None:
    domain = {"x": (0.0, 2.0), "t": (0.0, 1.0)}
    nodes, weights = mean_nodes(np.array([[1.0, 0.05]]), Mean(("t",), 0.4), domain)
    assert weights.sum() == pytest.approx(1.0, rel=1e-14)
    assert nodes[0, :, 1].min() > 0.0
    assert nodes[0, :, 1].max() < 0.25
    # polynomials up to degree 31 are exact
    assert (nodes[0, :, 1] ** 9) @ weights == pytest.approx(0.25**9 / 10, rel=1e-12)


@pytest.fixture(scope="module")
def parts(problem: Problem, sets: list[ObservationSet]):
    source = BatchSource(
        problem,
        sets,
        num_collocation=16,
        num_condition=4,
        seed=0,
        dtype=torch.float64,
        device=torch.device("cpu"),
    )
    network = Network(
        list(problem.domain.values()),
        1,
        NetworkOptions(width=6, depth=2),
        generator=torch.Generator().manual_seed(0),
        dtype=torch.float64,
    )
    coefficients = Coefficients(problem.coefficients, torch.float64)
    model = ResidualModel(source.terms, problem)
    batches = source.draw() | source.in_order()
    weights = row_weights(model, batches, {t.name: 1.0 for t in model.terms})
    return model, network, coefficients, batches, weights


def test_rows_of_every_sensor_are_the_derivatives_of_their_residuals(parts) -> None:
    model, network, coefficients, batches, weights = parts
    jac, r = jacobian(model, network, coefficients, batches, weights)
    theta = flatten(network, coefficients)
    numerical = torch.empty_like(jac)
    step = 1e-5
    for k in range(len(theta)):
        ends = []
        for sign in (1, -1):
            moved = theta.clone()
            moved[k] += sign * step
            assign(network, coefficients, moved)
            ends.append(jacobian(model, network, coefficients, batches, weights)[1])
        numerical[:, k] = (ends[0] - ends[1]) / (2 * step)
    assign(network, coefficients, theta)
    # central differences of step 1e-5: truncation and rounding are both about 1e-9 of the rows
    torch.testing.assert_close(jac, numerical, rtol=1e-5, atol=1e-6)
    assert len(r) == sum(len(batches[t.name]) for t in model.terms)
    assert weights.slices["observation_6"].stop == len(r)


def test_small_tiles_and_products_without_the_matrix_agree(parts) -> None:
    model, network, coefficients, batches, weights = parts
    jac, r = jacobian(model, network, coefficients, batches, weights)
    for tile in (1, 7, 130):
        rows = LinearisedRows(model, network, coefficients, batches, weights, tile=tile)
        v = torch.randn(network.num_parameters, 2, dtype=torch.float64)
        torch.testing.assert_close(rows.residual, r)
        torch.testing.assert_close(rows.forward(v), jac[:, : network.num_parameters] @ v)


def test_per_point_statistics_count_a_mean_as_one_row(parts) -> None:
    model, network, coefficients, batches, _ = parts
    pairs, loop = (
        gradient_moments(model, network, coefficients, batches, mode) for mode in ("pairs", "loop")
    )
    for name in ("observation_4", "observation_6"):
        assert pairs[name].num_points == 20
        for a, b in zip(pairs[name].variance, loop[name].variance, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-14)


def test_readings_that_the_truth_cannot_give_are_refused() -> None:
    numerical = TEXT.replace("{u: sin(3*x)*exp(-t)}", "{solver: spectral, clean: {u: sin(pi*x)}}")
    stated = loads(numerical)
    with pytest.raises(DataError, match="need the derivative u_x of the truth"):
        collect(stated, lambda points: {"u": np.zeros(len(points))}, 0)
    inverse = loads(TEXT.replace(", truth: 0.5", "").replace("u_x, count", "u, count"))
    with pytest.raises(DataError, match="true value of 'k'"):
        collect(inverse, lambda points: {"u": np.zeros(len(points))}, 0)
