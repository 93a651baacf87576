"""The verdict as a function of what a run measured of itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pinngate
from pinngate.runs.doubts import is_vague, verdict

PROBLEM = pinngate.Problem(
    domain={"x": (0, 1), "t": (0, 1)},
    unknowns=["u"],
    equations=["u_t = k*u_xx"],
    estimate={"k": pinngate.Unknown(initial=0.1, positive=True)},
    conditions=["u = 0 at x = 0", "u = 0 at x = 1"],
    observations=[pinngate.Observations("u", [[0.5, 0.5]], [1.0], std=0.1)],
)
SOUND: dict[str, Any] = {
    "status": "converged",
    "reason": "the leave-one-out risk stopped falling",
    "physics_misfit": {"equation_1": 0.02, "condition_1": 0.001, "condition_2": 0.0},
    "solver_check": 0.1,
    "misfit": {"is_clear": False, "words": None},
    "determined": True,
    "determined_words": None,
    "coefficients": {"k": {"estimate": 0.2, "std": 0.01, "interval_95": [0.18, 0.22]}},
}


def test_what_nothing_speaks_against_is_solved() -> None:
    assert verdict(PROBLEM, SOUND) == ("solved", [])


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (
            {"physics_misfit": {"condition_2": 0.28}},
            "condition_2 (u = 0 at x = 1) is unmet by 28 %",
        ),
        ({"physics_misfit": {"equation_1": 0.5}}, "equation_1 (u_t = k*u_xx) is unmet by 50 %"),
        ({"solver_check": 4.0}, "ends 4.0 standard deviations from its fields"),
        ({"misfit": {"is_clear": True, "words": "twice the noise"}}, "twice the noise"),
        (
            {"misfit": {"is_clear": False, "is_overstated": True, "ratio": 0.2}},
            "scatter 0.20 times the noise that is stated",
        ),
        ({"determined": False, "determined_words": "only rho/mu"}, "only rho/mu: fix some"),
    ],
)
def test_every_doubt_is_told_with_what_to_try(entries: dict[str, Any], said: str) -> None:
    word, reasons = verdict(PROBLEM, SOUND | entries)
    assert word == "doubtful"
    (reason,) = reasons
    assert said in reason
    assert ": " in reason


def test_without_a_stop_by_itself_it_failed() -> None:
    word, reasons = verdict(PROBLEM, SOUND | {"status": "not converged", "solver_check": 4.0})
    assert word == "failed"
    assert len(reasons) == 2


def test_a_search_that_stood_still_is_told() -> None:
    found = {"estimate": 0.1, "std": 1.0, "interval_95": None}
    entries = {"coefficients": {"k": found}, "determined": False, "determined_words": "not k"}
    _, reasons = verdict(PROBLEM, SOUND | entries)
    assert any("never left its start" in reason for reason in reasons)


@pytest.mark.parametrize(
    ("ends", "is_open"),
    [
        ([0.18, 0.22], False),
        ([0.05, 1.0], False),
        ([0.01, 1.0], True),
        ([1e-6, 1e3], True),
        ([0.0, 1.0], True),
        (None, True),
    ],
)
def test_intervals_over_decades_tell_nothing(ends: list[float] | None, is_open: bool) -> None:
    found = {"estimate": 0.1, "std": 0.1, "interval_95": ends}
    assert is_vague(PROBLEM.coefficients[0], found) == is_open


def test_the_solver_and_the_physics_are_asked_of_an_answer() -> None:
    solution = pinngate.solve(pinngate.load("heat-noisy-ic"))
    metrics = solution.metrics
    assert set(metrics["physics_misfit"]) == {"equation_1", "condition_1", "condition_2"}
    assert max(metrics["physics_misfit"].values()) < 0.1
    assert metrics["solver_check"] < 0.5
    assert (metrics["verdict"], metrics["reasons"]) == ("solved", [])


def test_a_field_that_obeys_other_physics_is_caught() -> None:
    from pinngate.points.grid import evaluation_grid
    from pinngate.runs.judgement import deviations
    from pinngate.runs.physics_misfit import physics_misfit
    from pinngate.runs.solver_check import solver_check
    from pinngate.runs.training import begin, train
    from pinngate.statement.problem import changed

    problem = pinngate.load("heat-noisy-ic")
    session = begin(problem)
    train(session)
    grid = evaluation_grid(problem)
    values = session.evaluate(grid.points)
    values |= deviations(session, session.stepper.posterior(), grid.points)
    other = begin(changed(problem, constants={"kappa": 0.2}))
    other.stepper.answer.network = session.stepper.network
    assert physics_misfit(other)["equation_1"] > 0.3
    assert solver_check(other, grid, values) > 3.0


def decaying(equation: str, *rates: str, std: float | None = None) -> pinngate.Problem:
    """Data of u = 2 exp(−0.7 t) with noise of 0.02."""
    t = np.linspace(0, 5, 30)
    values = 2 * np.exp(-0.7 * t) + 0.02 * np.random.default_rng(0).standard_normal(30)
    return pinngate.Problem(
        domain={"t": [0, 5]},
        unknowns=["u"],
        equations=[equation],
        estimate={name: pinngate.Unknown(1.0, positive=True) for name in rates},
        observations=[pinngate.Observations("u", t, values, std=std)],
    )


@pytest.mark.parametrize(
    ("equation", "known"),
    [
        ("u_t = -a*b*u", ", only a*b = 0.7"),
        ("u_t = -(a + b)*u", ", only a + b = 0.7"),
        ("u_t = -a*sin(b)*u", ", or only together"),
    ],
)
def test_rates_that_are_told_only_together_have_no_interval(equation: str, known: str) -> None:
    metrics = pinngate.solve(decaying(equation, "a", "b")).metrics
    assert metrics["verdict"] == "doubtful"
    assert f"do not tell a and b{known}" in metrics["reasons"][0]
    for name in ("a", "b"):
        found = metrics["coefficients"][name]
        assert (found["std"], found["interval_95"]) == (None, None)


def test_a_rate_without_effect_has_no_interval() -> None:
    metrics = pinngate.solve(decaying("u_t = -0.7*u + a*(t - t)", "a")).metrics
    assert metrics["verdict"] == "doubtful"
    assert metrics["coefficients"]["a"]["interval_95"] is None


@pytest.mark.parametrize(("std", "is_told"), [(0.02, False), (0.1, True), (0.004, True)])
def test_noise_that_is_stated_wrong_is_told(std: float, is_told: bool) -> None:
    metrics = pinngate.solve(decaying("u_t = -a*u", "a", std=std)).metrics
    assert any("noise" in reason for reason in metrics["reasons"]) == is_told


def test_fewer_values_than_coefficients_tell_none_of_them() -> None:
    problem = pinngate.Problem(
        domain={"t": [0, 1]},
        unknowns=["u"],
        equations=["u_t = a - b*u"],
        conditions=["u = 0 at t = 0"],
        estimate={"a": pinngate.Unknown(1, positive=True), "b": pinngate.Unknown(1, positive=True)},
        observations=[pinngate.Observations("u", [1.0], [0.5], noise={"std": 0.01})],
    )
    metrics = pinngate.solve(problem).metrics
    assert metrics["determined"] is False
    assert "1 value cannot tell 2 coefficients" in metrics["determined_words"]
