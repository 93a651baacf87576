"""Errors that remember: whitening beside the dense covariance, and generalised least squares."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

import pinngate
from pinngate.data.observations import collect
from pinngate.data.whitening import Whitening
from pinngate.errors import InputError
from pinngate.model.coefficients import Coefficients
from pinngate.optim.direct_fit.through_solver import direct_fit
from pinngate.points.batches import BatchSource
from pinngate.reference import truth

RATE, STD, LENGTH = 0.8, 0.05, 0.5
NOISE = {"std": STD, "correlated": {"over": "t", "length": LENGTH}}


def covariance(points: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Return the covariance of errors at (x, t): exponential in t at one x, none between."""
    is_one = points[:, None, 0] == points[None, :, 0]
    gap = np.abs(points[:, None, 1] - points[None, :, 1])
    return is_one * np.exp(-gap / LENGTH) * std[:, None] * std


def scattered() -> tuple[np.ndarray, np.ndarray]:
    """Return places of two series in no order, and a standard deviation of each."""
    random = np.random.default_rng(4)
    points = np.column_stack([np.repeat([0.2, 0.7], [12, 9]), random.uniform(0, 4, 21)])
    order = random.permutation(21)
    return points[order], random.uniform(0.5, 2.0, 21)


def test_whitened_errors_are_independent_and_of_their_size() -> None:
    points, std = scattered()
    whiten = Whitening(1, LENGTH).predecessors(points, std).whiten(np.eye(21))
    found = whiten @ covariance(points, std) @ whiten.T
    np.testing.assert_allclose(found, np.diag(std**2), atol=1e-12)


def test_rows_of_tangents_are_whitened_as_errors_are() -> None:
    points, std = scattered()
    made = Whitening(1, LENGTH).predecessors(points, std)
    rows = np.random.default_rng(0).standard_normal((21, 3))
    np.testing.assert_allclose(made.whiten(rows), made.whiten(np.eye(21)) @ rows, atol=1e-12)


def test_drawn_errors_have_their_covariance() -> None:
    points, _ = scattered()
    memory, random = Whitening(1, LENGTH), np.random.default_rng(1)
    draws = np.array([memory.drawn(points, random) for _ in range(4000)])
    found = draws.T @ draws / len(draws)
    # six standard errors of a product of two normal numbers
    np.testing.assert_allclose(found, covariance(points, np.ones(21)), atol=6 * 1.5 / np.sqrt(4000))


def decay(noise: dict, axis: str = "t", **more: object) -> pinngate.Problem:
    return pinngate.Problem(
        domain={axis: [0, 5]},
        unknowns=["u"],
        equations=[f"u_{axis} = -a*u"],
        estimate={"a": pinngate.Unknown(0.5, positive=True, truth=RATE)},
        observations=[pinngate.Observations.synthetic("u", count=50, layout="grid", noise=noise)],
        truth={"u": f"exp(-{RATE}*{axis})"},
        **more,
    )


def generalised(t: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Return a by generalised least squares, its deviation at unit noise, and the noise."""
    inverse = np.linalg.inv(np.exp(-np.abs(t[:, None] - t) / LENGTH))

    def loss(q: np.ndarray) -> float:
        r = y - q[0] * np.exp(-q[1] * t)
        return float(r @ inverse @ r)

    close = {"xatol": 1e-9, "fatol": 1e-12}
    best = minimize(loss, [1.0, RATE], method="Nelder-Mead", options=close)
    first, rate = best.x
    f = np.exp(-rate * t)
    jacobian = np.stack([f, -first * t * f], axis=1)
    unit = np.linalg.inv(jacobian.T @ inverse @ jacobian)
    return float(rate), float(np.sqrt(unit[1, 1])), float(np.sqrt(best.fun / (len(t) - 2)))


@pytest.mark.parametrize("seed", [0, 1])
def test_a_fit_through_a_solver_is_generalised_least_squares(seed: int) -> None:
    problem = decay(NOISE)
    sets = collect(problem, truth(problem), seed)
    found = direct_fit(problem, sets, Coefficients(problem.coefficients, torch.float64))
    rate, unit, noise = generalised(sets[0].points[:, 0], sets[0].values)
    value, deviation = found.coefficients["a"]
    assert value == pytest.approx(rate, rel=1e-3)
    assert found.noise_std["observation_1"] == pytest.approx(noise, rel=1e-2)
    assert deviation == pytest.approx(unit * noise, rel=0.02)


@pytest.mark.parametrize("network", ["race", {"width": 16, "depth": 1}], ids=["basis", "network"])
def test_bases_and_networks_find_the_same(network: object) -> None:
    noise = {**NOISE, "correlated": {"over": "x", "length": LENGTH}}
    problem = decay(noise, "x", solve={"network": network})
    found = pinngate.solve(problem, seed=0)
    (made,) = collect(problem, truth(problem), 0)
    rate, unit, noise_std = generalised(made.points[:, 0], made.values)
    answer = found.coefficients["a"]
    assert abs(answer.estimate - rate) < 0.4 * unit * noise_std
    assert answer.std == pytest.approx(unit * noise_std, rel=0.15)
    assert found.metrics["noise_std"]["u"] == pytest.approx(noise_std, rel=0.05)
    # whitened residuals are judged: nothing widens intervals once more
    assert not found.metrics["misfit"]["is_in_intervals"]
    assert not found.metrics["misfit"]["is_clear"]


def test_rows_of_networks_are_those_of_the_solver() -> None:
    """Residuals of the field zero: minus the whitened values, also of means over an axis."""
    mean = {"over": "x", "width": 0.1}
    for more in ({}, {"mean": mean}):
        problem = pinngate.Problem(
            domain={"x": [0, 1], "t": [0, 2]},
            unknowns=["u"],
            equations=["u_t = 0.1*u_xx"],
            observations=[
                pinngate.Observations.synthetic(
                    "u", layout={"x": 3, "t": 8}, count=24, noise=NOISE, **more
                )
            ],
            truth={"u": "exp(-0.1*pi**2*t)*sin(pi*x)"},
        )
        sets = collect(problem, truth(problem), 0)
        source = BatchSource(
            problem,
            sets,
            num_collocation=16,
            num_condition=16,
            seed=0,
            dtype=torch.float64,
            device=torch.device("cpu"),
        )
        batch = source.observations["observation_1"]
        order = torch.randperm(len(batch))
        shuffled = batch.take(order)
        seen = (shuffled.node_weights * shuffled.columns["@value"]).sum(1).numpy()
        np.testing.assert_allclose(
            seen, sets[0].whitened(sets[0].values)[order.numpy()], atol=1e-12
        )


def near(points: np.ndarray) -> np.ndarray:
    """The solution: a search that starts there looks for no other minimum."""
    return np.exp(-RATE * points)


def test_intervals_hold_what_they_say_and_independent_noise_would_not() -> None:
    off, ignored = [], []
    for seed in range(24):
        problem = decay(NOISE)
        sets = collect(problem, truth(problem), seed)
        plain = [pinngate.data.observations.replace(made, memory=None) for made in sets]
        for data, found in ((sets, off), (plain, ignored)):
            coefficients = Coefficients(problem.coefficients, torch.float64)
            fit = direct_fit(problem, data, coefficients, near, is_polish=True)
            value, deviation = fit.coefficients["a"]
            found.append((value - RATE) / deviation)
    assert abs(np.mean(off)) < 4 / np.sqrt(24)
    assert 0.55 < np.std(off) < 1.5
    assert np.std(ignored) > 1.5


def test_values_at_one_time_are_refused() -> None:
    given = pinngate.Observations("u", [0.0, 1.0, 1.0], [0.9, 0.4, 0.5], noise=NOISE)
    problem = pinngate.Problem(
        domain={"t": [0, 5]},
        unknowns=["u"],
        equations=["u_t = -a*u"],
        estimate={"a": pinngate.Unknown(0.5, positive=True)},
        observations=[given],
    )
    with pytest.raises(InputError, match="two values of one series are at one t"):
        collect(problem, None, 0)
