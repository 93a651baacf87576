"""Laplace's posterior after Adam, on a model that is linear in its weights: exact Bayes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from pinngate.data.observations import ObservationSet
from pinngate.expression import parse_equation
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network
from pinngate.model.residuals import ResidualModel
from pinngate.optim.first_order import FirstOrder, FirstOrderOptions
from pinngate.optim.last_iterate import POSTERIOR_POINTS
from pinngate.points.batches import BatchSource
from pinngate.statement.components import Statement
from pinngate.statement.derivatives import canonical
from pinngate.statement.options import NetworkOptions
from pinngate.statement.problem import Equation, Problem

DOUBLE = torch.float64
SIGMA = 0.2
WEIGHT = 0.5  # of the equation in the loss
LINEAR = NetworkOptions(width=1, depth=0, activation="tanh", features=None)
TEXT = "u_t = u_x"
PROBLEM = Problem.of(
    Statement(
        "advection",
        {"x": (0.0, 1.0), "t": (0.0, 1.0)},
        ("u",),
        (Equation(TEXT, canonical(parse_equation(TEXT), ("u",), ("x", "t"))),),
    )
)


def truth(points: np.ndarray) -> np.ndarray:
    return 0.3 + 0.8 * (points[:, 0] + points[:, 1])


def stepper(seed: int, iterations: int = 800, num_observations: int = 40) -> FirstOrder:
    """Return Adam on u = w₁ (2x − 1) + w₂ (2t − 1) + w₃, all weights starting at zero."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(size=(num_observations, 2))
    values = truth(points) + SIGMA * rng.standard_normal(num_observations)
    observed = ObservationSet("data", "u", points, values, None, "synthetic")
    source = BatchSource(
        PROBLEM,
        [observed],
        num_collocation=32,
        num_condition=1,
        seed=seed,
        dtype=DOUBLE,
        device=torch.device("cpu"),
    )
    network = Network([(0.0, 1.0)] * 2, 1, LINEAR)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    factory: Callable = lambda parameters, rate: torch.optim.Adam(parameters, lr=rate)  # noqa: E731
    options = FirstOrderOptions(iterations, 0.02, weights={"equations": WEIGHT})
    model = ResidualModel(source.terms, PROBLEM)
    return FirstOrder(model, network, Coefficients([], DOUBLE), source, options, factory)


def features(points: np.ndarray) -> np.ndarray:
    return np.column_stack([2 * points - 1, np.ones(len(points))])


def rows(made: FirstOrder) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the design matrix, its right-hand side and the number of equation rows."""
    (observed,) = made.batches.sets
    num_equations = POSTERIOR_POINTS * made.batches.collocation.num_points
    # u_t − u_x = 2 (w₂ − w₁), in units of its largest term, 2
    slope = np.tile([-1.0, 1.0, 0.0], (num_equations, 1))
    slope *= np.sqrt(WEIGHT * len(observed.values) / num_equations)
    design = np.concatenate([slope, features(observed.points)])
    return design, np.concatenate([np.zeros(num_equations), observed.values]), num_equations


def test_after_adam_the_posterior_is_that_of_bayesian_linear_regression() -> None:
    made = stepper(0)
    while made.reason is None:
        made.step()
    posterior = made.posterior()
    assert posterior is not None
    design, target, start = rows(made)
    precision = design.T @ design + posterior.ridge * np.eye(3)
    inverse = np.linalg.inv(precision)
    leverage = np.einsum("ni,ij,nj->n", design, inverse, design)[start:]
    np.testing.assert_allclose(posterior.leverage.numpy(), leverage, rtol=1e-9)
    weights = torch.cat([p.detach().reshape(-1) for p in made.network.parameters()]).numpy()
    residual = (target - design @ weights)[start:]
    variance = residual @ residual / (len(residual) - leverage.sum())
    assert posterior.variance == pytest.approx(variance, rel=1e-9)
    at = np.random.default_rng(1).uniform(size=(7, 2))
    expected = np.sqrt(np.einsum("ni,ij,nj->n", features(at), variance * inverse, features(at)))
    found = posterior.std(made.network, torch.as_tensor(at))[:, 0].numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-7)
    # Adam's last iterate is the minimiser but for the ridge, which the data choose tiny here
    minimiser = np.linalg.solve(design.T @ design, design.T @ target)
    np.testing.assert_allclose(weights, minimiser, atol=0.02)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    at = np.random.default_rng(2).uniform(size=(5, 2))
    covered = []
    for seed in range(150):
        made = stepper(seed, num_observations=20)
        design, target, _ = rows(made)
        minimiser = np.linalg.solve(design.T @ design, design.T @ target)
        with torch.no_grad():  # where Adam ends
            made.network.linears[0].weight.copy_(torch.as_tensor(minimiser[None, :2]))
            made.network.linears[0].bias.copy_(torch.as_tensor(minimiser[2:]))
        posterior = made.posterior()
        assert posterior is not None
        std = posterior.std(made.network, torch.as_tensor(at))[:, 0].numpy()
        error = features(at) @ minimiser - truth(at)
        covered.append(np.mean(np.abs(error) <= posterior.quantile * std))
    # 150 independent fits whose points agree almost: a standard error of 0.018
    assert np.mean(covered) == pytest.approx(0.95, abs=0.05)
