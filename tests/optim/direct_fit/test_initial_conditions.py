"""Conditions at the initial time that name several states, or rates."""

from __future__ import annotations

import math

import numpy as np
import pytest

import pinngate
from pinngate.expression import evaluate
from pinngate.optim.direct_fit.marched_states import CannotMarch
from pinngate.optim.direct_fit.marching_form import MarchingForm
from tests.optim.direct_fit.problems import fitted, model_of


def epidemic(*conditions: str) -> pinngate.Problem:
    return pinngate.Problem(
        domain={"t": [0, 10]},
        unknowns=["S", "I"],
        constants={"N": 100.0},
        equations=["S_t = -b*S*I/N", "I_t = b*S*I/N - c*I"],
        conditions=list(conditions),
        estimate={
            "b": pinngate.Unknown(1, positive=True),
            "c": pinngate.Unknown(0.5, positive=True),
        },
        observations=[
            pinngate.Observations("I", np.linspace(0, 10, 11), np.linspace(1, 9, 11)),
        ],
    )


def stated(problem: pinngate.Problem, **known: float) -> dict[int, float]:
    """Return what conditions say of states where free ones have the given values."""
    form = MarchingForm(problem)
    found = {k: form.stated_initial(k) for k in range(len(form.marched))}
    known = {**problem.constants, **known}
    return {k: evaluate(e, known, math) for k, e in found.items() if e is not None}


def test_a_sum_leaves_one_state_free() -> None:
    assert stated(epidemic("S + I = N at t = 0"), I=30.0) == {0: 70.0}


def test_two_conditions_are_solved_together() -> None:
    problem = epidemic("S + I = N at t = 0", "S = 9*I at t = 0")
    model = model_of(problem)
    values, slopes = model.unknowns.initial_state(np.zeros(model.unknowns.count), np.zeros(1))
    np.testing.assert_allclose(values[:, 0], [90, 10])
    assert not slopes.any()


def test_a_rate_is_what_the_equation_gives() -> None:
    problem = pinngate.Problem(
        domain={"t": [0, 1]},
        unknowns=["T"],
        equations=["C*T_t = (5 - T)/R + 6"],
        conditions=["T_t = 0 at t = 0"],
        estimate={"C": pinngate.Unknown(2, positive=True), "R": pinngate.Unknown(3, positive=True)},
        observations=[pinngate.Observations("T", [0.5, 1], [20, 21])],
    )
    model = model_of(problem)
    theta = np.array([0.1, -0.2])
    values, slopes = model.unknowns.initial_state(theta, np.zeros(1))
    resistance = 3 * np.exp(-0.2)
    np.testing.assert_allclose(values[0, 0], 5 + 6 * resistance)
    np.testing.assert_allclose(slopes[0, 0], [0, 6 * resistance], atol=1e-12)


def test_the_state_of_highest_order_is_given() -> None:
    problem = pinngate.Problem(
        domain={"t": [0, 1]},
        unknowns=["u"],
        equations=["u_tt + k*u = 0"],
        conditions=["u_t + 0.5*u = 0 at t = 0"],
        estimate={"k": pinngate.Unknown(4, positive=True)},
        observations=[pinngate.Observations("u", [0.5, 1], [1, 0])],
    )
    assert stated(problem, u=3.0) == {1: -1.5}


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        (("S*I = 9 at t = 0",), "gives no state by itself"),
        (("S = 90 at t = 0", "S = 80 at t = 0"), "one too many"),
        (("S**2 = 9 at t = 0",), "gives no state by itself"),
    ],
)
def test_what_cannot_be_read_off_is_left_to_others(conditions: tuple[str, ...], words: str) -> None:
    with pytest.raises(CannotMarch, match=words):
        MarchingForm(epidemic(*conditions))


def test_a_condition_that_follows_from_others_says_nothing_more() -> None:
    problem = epidemic("S = 90 at t = 0", "I = 10 at t = 0", "S + I = N at t = 0")
    assert stated(problem) == {0: 90.0, 1: 10.0}


def test_the_fit_holds_the_sum() -> None:
    times = np.linspace(0.5, 10, 30)
    values = 5 * np.exp(0.2 * times) / (1 + 0.01 * np.exp(0.3 * times))
    problem = pinngate.Problem(
        domain={"t": [0, 10]},
        unknowns=["S", "I"],
        constants={"N": 100.0},
        equations=["S_t = -b*S*I/N", "I_t = b*S*I/N - c*I"],
        conditions=["S + I = N at t = 0"],
        estimate={
            "b": pinngate.Unknown(1, positive=True),
            "c": pinngate.Unknown(0.5, positive=True),
        },
        observations=[pinngate.Observations("I", times, values)],
    )
    found = fitted(problem)
    np.testing.assert_allclose(found.fields(np.zeros((1, 1))).sum(), 100.0, rtol=1e-9)
