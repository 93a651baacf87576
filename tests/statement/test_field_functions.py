"""Unknown functions of fields: how they are stated, refused, written out and made known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pinngate
from pinngate.errors import InputError
from pinngate.expression import evaluate, names
from pinngate.statement.coefficient_fields import with_true_fields
from pinngate.statement.field_functions import value_at
from pinngate.statement.placed_functions import placed, places_of

DIFFUSION: dict[str, Any] = {
    "domain": {"x": [0, 1], "t": [0, 1]},
    "unknowns": ["u"],
    "equations": ["u_t = (D(u)*u_x)_x"],
    "estimate": {"D": {"over": "u", "initial": 0.1, "positive": True}},
    "conditions": ["u = 0 at x = 0", "u = 1 at x = 1"],
    "observations": [{"of": "u", "count": 50, "noise": {"std": 0.01}}],
    "truth": {"u": "x", "D": "0.1*(1 + u**2)"},
}


def stated(**changes: object) -> pinngate.Problem:
    return pinngate.Problem(**{**DIFFUSION, **changes})


def test_weights_are_hidden() -> None:
    problem = stated()
    assert problem.shown_coefficients == ()
    assert len(problem.coefficients) == len(problem.field_functions[0].weights)
    assert "D(u)" in repr(problem)
    assert "D(0)" not in repr(problem)


def test_a_file_says_the_same_again() -> None:
    problem = stated()
    text = pinngate.dumps(problem)
    assert "over: [u]" in text
    assert "D(0)" not in text
    assert pinngate.loads(text) == problem


def test_the_starting_value_is_the_initial_one_everywhere() -> None:
    function = stated().field_functions[0]
    zeros = dict.fromkeys(function.weights, 0.0)
    tree = value_at(function, pinngate.expression.Name("u"))
    np.testing.assert_allclose(evaluate(tree, {**zeros, "u": np.linspace(-1, 2, 9)}, np), 0.1)


@pytest.mark.parametrize(
    "bounds",
    [{}, {"positive": True}, {"lower": -1, "upper": 3}, {"lower": -2}, {"upper": 4}],
    ids=str,
)
def test_the_truth_in_its_place_is_the_known_equation(bounds: dict[str, object]) -> None:
    own = {"D": {"over": "u", "initial": 0.3, **bounds}}
    known = with_true_fields(placed(stated(estimate=own), {"D": ((0.0, 1.0),)}))
    assert known.coefficients == ()
    assert known.field_functions == ()
    u, slope, bend = np.linspace(0.1, 0.9, 7), 1.3, -0.7
    values = {"u": u, "u_x": slope, "u_xx": bend, "u_t": 0.0}
    found = evaluate(known.equations[0].residual, values, np)
    expected = -(0.1 * (1 + u**2) * bend + 0.2 * u * slope**2)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_range_moves_the_spline() -> None:
    problem = placed(stated(), {"D": ((2.0, 5.0),)})
    assert problem.field_functions[0].ranges == ((2.0, 5.0),)
    assert places_of(problem, "D") == ((pinngate.expression.Name("u"),),)
    assert set(names(problem.equations[0].residual)) >= set(problem.field_functions[0].weights)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"equations": ["u_t = D*u_xx"]}, r"D is a function: D\(\.\.\.\)"),
        ({"equations": ["u_t = D(x)*u_xx"]}, "'D' is estimated as a function of u"),
        ({"equations": ["u_t = D(u, x)*u_xx"]}, r"D takes 1 argument"),
        ({"equations": ["u_t = u_xx"]}, "calls the function 'D'"),
        ({"estimate": {"D": {"over": ["u", "x"], "initial": 1}}}, r"D takes 2 argument"),
        ({"estimate": {"D": {"over": ["u", "x", "t"], "initial": 1}}}, "a function of 3 things"),
        ({"estimate": {"D": {"over": ["u", "u"], "initial": 1}}}, "'u' stands twice among"),
        ({"estimate": {"D": {"over": ["u", "w"], "initial": 1}}}, "'w' is no field and no axis"),
        (
            {"estimate": {"D": {"over": "u", "initial": 1, "knots": 3}}},
            "3 knots along an argument of 'D'",
        ),
        (
            {"estimate": {"D": {"over": ["u", "x"], "initial": 1, "knots": [30, 20]}}},
            "30 × 20 = 600 knots",
        ),
        (
            {"estimate": {"D": {"over": "u", "initial": 1, "knots": [8, 8]}}},
            "1 arguments and 2 numbers of knots",
        ),
        (
            {"estimate": {"D": {"over": ["u", "x"], "initial": 1, "range": [0, 1]}}},
            "has 2 arguments and one range",
        ),
        (
            {"estimate": {"D": {"over": ["u", "x"], "initial": 1, "range": {"v": [0, 1]}}}},
            "'D' has no argument 'v'",
        ),
        (
            {"estimate": {"D": {"over": ["u", "x"], "initial": 1, "range": {"x": [0, 0.5]}}}},
            "along x is less than the domain",
        ),
        ({"estimate": {"D": {"over": "x", "initial": 1, "knots": 9}}}, "alone and has knots"),
        ({"estimate": {"D": {"over": "v", "initial": 1}}}, "or one of the unknowns u"),
        (
            {"estimate": {"D": {"over": "u", "initial": 1, "prior": {"mean": 1, "std": 1}}}},
            "is a function and has a prior",
        ),
        ({"estimate": {"D": {"over": "u", "initial": 1, "range": [2, 1]}}}, "goes from 2 to 1"),
        ({"estimate": {"D": {"over": "x", "initial": 1, "range": [0, 1]}}}, "has a range"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        stated(**changes)


def test_a_network_cannot_follow_it() -> None:
    with pytest.raises(InputError, match="a function of a field is unknown"):
        pinngate.solve(stated(solve={"polish": "none"}), progress=False)


def test_a_range_that_no_data_tell_is_asked_for() -> None:
    problem = stated(observations=[{"of": "2*u", "count": 50, "noise": {"std": 0.01}}])
    with pytest.raises(InputError, match="no data tell the range of u"):
        pinngate.solve(problem, progress=False)


TWO = {
    "equations": ["u_t = (D(u, x)*u_x)_x"],
    "estimate": {"D": {"over": ["u", "x"], "initial": 0.1, "positive": True, "knots": [6, 5]}},
    "truth": {"u": "x", "D": "0.1*(1 + u**2)*exp(x)"},
}


def test_of_two_arguments_a_file_says_the_same_again() -> None:
    problem = stated(**TWO)
    (function,) = problem.field_functions
    assert function.call == "D(u, x)"
    assert len(function.weights) == len(set(function.weights)) == 30
    text = pinngate.dumps(problem)
    assert "over: [u, x]" in text
    assert "knots: [6, 5]" in text
    assert pinngate.loads(text) == problem
    on_ranges = placed(problem, {"D": ((0.0, 2.0), (0.0, 1.0))})
    assert "range: {u: [0, 2], x: [0, 1]}" in pinngate.dumps(on_ranges)
    assert pinngate.loads(pinngate.dumps(on_ranges)) == on_ranges


def test_the_truth_of_two_arguments_is_the_known_equation() -> None:
    """The derivative of the bracket goes through both arguments."""
    known = with_true_fields(placed(stated(**TWO), {"D": ((0.0, 1.0), (0.0, 1.0))}))
    u, x, slope, bend = np.linspace(0.1, 0.9, 7), np.linspace(0, 1, 7), 1.3, -0.7
    values = {"u": u, "x": x, "u_x": slope, "u_xx": bend, "u_t": 0.0}
    found = evaluate(known.equations[0].residual, values, np)
    law = 0.1 * (1 + u**2) * np.exp(x)
    expected = -(law * bend + (0.2 * u * np.exp(x) * slope + law) * slope)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("call", ["D(x, u)", "D(u, t)", "D(2*u, x)"])
def test_it_stands_at_its_arguments_in_their_order(call: str) -> None:
    with pytest.raises(InputError, match="a function of u and x") as caught:
        stated(**{**TWO, "equations": [f"u_t = {call}*u_xx"]})
    assert "D(u, x)" in str(caught.value)


def test_the_range_that_is_missing_is_named() -> None:
    own = {"D": {"over": ["u", "u_x"], "initial": 0.1, "range": {"u": [0, 1]}}}
    problem = stated(estimate=own, equations=["u_t = (D(u, u_x)*u_x)_x"], truth={"u": "x"})
    with pytest.raises(InputError, match="no data tell the range of u_x") as caught:
        pinngate.solve(problem, progress=False)
    assert "{D: {range: {u_x: [0, 1]}}}" in str(caught.value)
