"""Collocation on a spline basis: records, kinks, far starts, hidden fields, resumption."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import pinngate
from pinngate.optim.entrants import BASIS
from pinngate.runs.training import begin


def record(equation: Callable, start: list[float], times: np.ndarray) -> np.ndarray:
    found = solve_ivp(
        equation, (times[0], times[-1]), start, t_eval=times, rtol=1e-9, atol=1e-9, max_step=0.1
    )
    return found.y


def oscillator(periods: int = 15) -> pinngate.Problem:
    times = np.linspace(0, 2 * np.pi * periods, 12 * periods)
    noise = 0.05 * np.random.default_rng(3).standard_normal(len(times))
    return pinngate.Problem(
        name="long",
        domain={"t": [0, float(times[-1])]},
        unknowns=["u"],
        equations=["u_tt + k*u"],
        estimate={"k": pinngate.Unknown(0.8, positive=True)},
        observations=[pinngate.Observations("u", times, np.cos(times) + noise)],
    )


def test_a_record_of_many_periods() -> None:
    solution = pinngate.solve(oscillator())
    found = solution.coefficients["k"]
    assert solution.metrics["status"] == "converged"
    low, high = found.interval
    assert low < 1.0 < high
    assert high - low < 0.01
    times = np.linspace(0.0, 90.0, 300)
    assert np.sqrt(np.mean((solution(times)["u"] - np.cos(times)) ** 2)) < 0.05


def test_an_input_that_is_switched() -> None:
    times = np.linspace(0.5, 23.5, 24)
    (clean,) = record(lambda t, c: 0.5 * ((t > 8) & (t < 9)) - 0.25 * c, [0.0], np.r_[0.0, times])
    noise = 0.01 * np.random.default_rng(1).standard_normal(len(times))
    problem = pinngate.Problem(
        name="switched",
        domain={"t": [0, 24]},
        unknowns=["c"],
        equations=["c_t = heaviside(t - 8)*heaviside(9 - t)/V - 0.25*c"],
        conditions=[{"where": "t = 0", "equation": "c = 0"}],
        estimate={"V": pinngate.Unknown(1.0, positive=True)},
        observations=[pinngate.Observations("c", times, clean[1:] + noise)],
    )
    found = pinngate.solve(problem).coefficients["V"]
    low, high = found.interval
    assert low < 2.0 < high
    assert high - low < 0.4


def test_a_rate_is_found_nine_orders_of_magnitude_away() -> None:
    times = np.linspace(0, 10, 40)
    noise = 0.02 * np.random.default_rng(5).standard_normal(len(times))
    problem = pinngate.Problem(
        name="far",
        domain={"t": [0, 10]},
        unknowns=["u"],
        equations=["u_t = -1e-9*A*u**2"],
        estimate={"A": pinngate.Unknown(1.0, positive=True)},
        observations=[pinngate.Observations("u", times, 1 / (0.5 + 0.4 * times) + noise)],
    )
    found = pinngate.solve(problem).coefficients["A"]
    assert found.estimate == pytest.approx(4e8, rel=0.1)
    low, high = found.interval
    assert low < 4e8 < high


def test_a_run_is_resumed_bitwise() -> None:
    whole, parted = begin(oscillator(4)), begin(oscillator(4))
    for _ in range(12):
        whole.stepper.step()
        parted.stepper.step()
    state = parted.state_dict()
    resumed = begin(oscillator(4))
    resumed.load_state_dict(state)
    for _ in range(8):
        whole.stepper.step()
        resumed.stepper.step()
    assert whole.stepper.at_work == BASIS
    assert whole.stepper.log_row() == resumed.stepper.log_row()


def test_networks_alone_race_where_there_are_more_axes_or_a_network_is_named() -> None:
    named = oscillator(4)
    assert BASIS in begin(named).stepper.solvers
    options = {"network": {"width": 16, "depth": 1, "activation": "sin", "features": 3.0}}
    other = pinngate.solve(named, iterations=2, **options)
    assert other.metrics["network"]["width"] == 16
