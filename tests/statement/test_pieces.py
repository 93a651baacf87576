"""Coefficients that are constant on pieces: how they are stated, refused and written out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import pinngate
from pinngate.errors import InputError
from pinngate.statement.components import single_coefficients
from pinngate.statement.kinks import kink_places
from pinngate.statement.piece_values import on_pieces
from tests.statement.test_messages import check_message

LAYERS: dict[str, Any] = {
    "domain": {"x": [0, 1], "t": [0, 1]},
    "unknowns": ["u"],
    "equations": ["u_t = (k*u_x)_x - r*u"],
    "estimate": {
        "k": pinngate.Unknown(0.5, positive=True, pieces={"x": [0.25, 0.5]}),
        "r": 1.0,
    },
    "conditions": ["u = 0 at x = 0", "u = 1 at x = 1"],
    "observations": [pinngate.Observations("u", [[0.5, 0.5]], [0.1])],
}


def stated(**changes: object) -> pinngate.Problem:
    return pinngate.Problem(**{**LAYERS, **changes})


def with_pieces(**keys: object) -> pinngate.Problem:
    own = {"initial": 0.5, "positive": True, "pieces": {"x": 3}, **keys}
    return stated(estimate={"k": own, "r": 1.0})


def test_each_piece_is_a_coefficient() -> None:
    problem = with_pieces(prior={"median": 0.5, "factor": 3})
    names = [c.name for c in problem.coefficients]
    assert names == ["r", "k[1]", "k[2]", "k[3]"]
    assert [c.name for c in single_coefficients(problem)] == ["r"]
    assert all(c.is_positive and c.initial == 0.5 for c in problem.coefficients[1:])
    assert problem.coefficients[1].prior == problem.pieces[0].prior
    assert problem.pieces[0].prior is not None
    assert problem.pieces[0].prior.std == pytest.approx(math.log(3))
    assert "k(x)" in repr(problem)


def test_a_number_of_cells_is_as_many_equal_ones() -> None:
    assert with_pieces(pieces={"x": 4}).pieces[0].breaks == ((0.25, 0.5, 0.75),)
    both = with_pieces(pieces={"t": 2, "x": 2}).pieces[0]
    assert both.over == ("x", "t")  # the order of the domain
    assert both.members == ("k[1][1]", "k[1][2]", "k[2][1]", "k[2][2]")
    logarithmic = stated(
        domain={"x": {"bounds": [0.01, 100], "log": True}, "t": [0, 1]},
        conditions=["u = 0 at x = 0.01", "u = 1 at x = 100"],
        estimate={"k": {"initial": 1, "pieces": {"x": 2}}, "r": 1},
    )
    assert logarithmic.pieces[0].breaks[0] == pytest.approx((1.0,))


def test_a_break_is_a_kink_and_the_bracket_goes_through_a_flux() -> None:
    problem = stated()
    assert kink_places(problem)["x"] == (0.25, 0.5)
    assert problem.hidden == ("q1",)


def test_a_file_says_the_same_again() -> None:
    problem = stated(
        estimate={
            "k": {
                "initial": 0.5,
                "pieces": {"x": [0.25, 0.5]},
                "prior": {"mean": 1, "std": 0.5},
                "truth": "1 + x",
            },
            "r": {"initial": 1, "truth": 1},
        },
        observations=[pinngate.Observations.synthetic("u", count=9, noise={"std": 0.1})],
        truth={"u": "x"},
    )
    text = pinngate.dumps(problem)
    assert "k[1]" not in text
    assert "pieces: {x: [0.25, 0.5]}" in text
    assert pinngate.loads(text) == problem


def test_the_truth_is_that_at_the_centres() -> None:
    problem = with_pieces(truth="1 + x", pieces={"x": [0.25, 0.5]})
    assert problem.true_coefficients() == {"k[1]": 1.125, "k[2]": 1.375, "k[3]": 1.75}


def test_numbers_of_pieces_become_a_function() -> None:
    points = np.array([[0.1, 0.0], [0.3, 0.0], [0.9, 0.5]])
    numbers = {"k[1]": 1.0, "k[2]": 2.0, "k[3]": 3.0}
    np.testing.assert_allclose(on_pieces(stated(), numbers, points)["k"], [1, 2, 3])


FILE = """\
pinngate: 1
name: rod
domain: {{x: [0, 1], t: [0, 1]}}
unknowns: [u]
estimate:
  k: {estimate}
equations: ['u_t = (k*u_x)_x']
conditions: ['u = 0 at x = 0', 'u = 1 at x = 1']
observations: [{{of: u, file: a.csv}}]
"""


@pytest.mark.parametrize(
    ("estimate", "said"),
    [
        ("{initial: 1, pieces: {x: [0.5, «0.2»]}}", "0.2 does not come after 0.5"),
        ("{initial: 1, pieces: {x: [0.5, «0.5»]}}", "0.5 does not come after 0.5"),
        ("{initial: 1, pieces: {x: [«0», 0.5]}}", "0 is not inside the domain"),
        ("{initial: 1, pieces: {x: [0.5, «2»]}}", "2 is not inside the domain"),
        ("{initial: 1, pieces: {«y»: 4}}", "the domain has no axis 'y'"),
        ("{initial: 1, pieces: {x: «1»}}", "one piece along x"),
        ("{initial: 1, pieces: {x: «0»}}", "one piece along x"),
        ("{initial: 1, pieces: {x: «-3»}}", "one piece along x"),
        ("{initial: 1, pieces: {x: «[]»}}", "one piece along x"),
        ("{initial: 1, «pieces»: {x: 100, t: 100}}", "10,000 pieces"),
        ("{initial: 1, pieces: {x: «100000»}}", "100,000 pieces along x"),
        ("{initial: 1, «over»: x, pieces: {x: 2}}", "both 'pieces' and 'over'"),
        ("{initial: 1, «range»: [0, 1], pieces: {x: 2}}", "is constant on pieces and has a range"),
        ("{initial: «-1», positive: true, pieces: {x: 2}}", "outside its bounds"),
        ("{initial: 1, pieces: {x: 2}, prior: {«median»: 1, factor: 2}}", "may be negative"),
    ],
)
def test_what_is_wrong_is_said(estimate: str, said: str) -> None:
    check_message(FILE.format(estimate=estimate), said)


def test_names_of_pieces_are_no_names_of_formulas() -> None:
    with pytest.raises(InputError, match="k"):
        stated(equations=["u_t = (k[1]*u_x)_x - r*u"])


def test_pieces_that_nothing_mentions_are_refused() -> None:
    with pytest.raises(InputError, match="mentions the coefficient 'k'"):
        stated(equations=["u_t = u_xx - r*u"])


def test_a_derivative_of_a_step_is_refused() -> None:
    with pytest.raises(InputError, match="a pulse of no width"):
        stated(equations=["u_t = (k)_x*u_x - r*u"])
    with pytest.raises(InputError, match="unknown name 'k_x'"):
        stated(equations=["u_t = k_x*u_x - r*u"])


def test_a_computed_truth_needs_the_values_of_all_pieces() -> None:
    with pytest.raises(InputError, match="the true field 'k' is not stated"):
        pinngate.Problem(
            domain={"t": [0, 1]},
            unknowns=["u"],
            equations=["u_t = -k*u"],
            estimate={"k": {"initial": 1, "pieces": {"t": 2}}},
            observations=[pinngate.Observations.synthetic("u", count=9, noise={"std": 0.1})],
            truth={"solver": "runge-kutta", "clean": {"u": 1}},
        )


def experiments(end: float = 1, **keys: object) -> pinngate.Problem:
    runs = [
        {
            "name": name,
            "domain": {"t": [0, end if name == "second" else 1]},
            "conditions": [f"u = {start} at t = 0"],
            "observations": [pinngate.Observations("u", {"t": [0.4, 0.9]}, [0.7, 0.5])],
        }
        for name, start in (("first", 1), ("second", 2))
    ]
    return pinngate.Problem(
        domain={"t": [0, 1]},
        unknowns=["u"],
        equations=["u_t = -k*u"],
        estimate={"k": {"initial": 1, "pieces": {"t": 2}, **keys}},
        experiments=runs,
    )


def test_experiments_have_their_pieces_in_common() -> None:
    problem = experiments()
    assert [c.name for c in problem.coefficients] == ["k[1]", "k[2]"]
    assert problem.unknowns == ("u__first", "u__second")
    with pytest.raises(InputError, match="both 'pieces' and 'each'"):
        experiments(each=True)
    with pytest.raises(InputError, match="both 'pieces' and 'each'"):
        experiments(each={"spread": True})


def test_equal_cells_of_different_durations_are_refused() -> None:
    with pytest.raises(InputError, match="are others in the experiment 'second'"):
        experiments(end=2)
    assert experiments(end=2, pieces={"t": [0.5]}).pieces[0].breaks == ((0.5,),)
