"""Steps inside brackets that are differentiated: through a flux, or refused with advice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pinngate import config
from pinngate.errors import InputError
from pinngate.expression import Expression, evaluate, parse_equation, substitute
from pinngate.expression.printing import to_text
from pinngate.report.inspection import describe
from pinngate.report.truth_check import verify_truth
from pinngate.statement.brackets import Brackets
from pinngate.statement.linearity import is_linear
from pinngate.statement.problem import Problem
from tests.statement.test_messages import check_message

LAYERS = "((1 + 9*heaviside(x - 0.5))*u_x)_x = -1"
# the flux of that with u = 0 at both ends: c − x with c = ∫x/a / ∫1/a
C = (0.125 + 0.0375) / (0.5 + 0.05)
EXACT = (
    "heaviside(0.5 - x)*(c*x - x**2/2) + heaviside(x - 0.5)*(c*(x - 1) - (x**2 - 1)/2)/10".replace(
        "c", repr(C)
    )
)


def problem_of(equation: str = LAYERS, **parts: Any) -> Problem:
    stated: dict[str, Any] = {
        "domain": {"x": (0, 1)},
        "unknowns": ["u"],
        "equations": [equation],
        "conditions": ["u = 0 at x = 0", "u = 0 at x = 1"],
    }
    return Problem(**(stated | parts))


def in_time(equation: str, **parts: Any) -> Problem:
    conditions = ["u = 0 at x = 0", "u = 0 at x = 1", "u = 0 at t = 0", "u_t = 0 at t = 0"]
    conditions += ["u_x = 0 at x = 0", "u_x = 0 at x = 1"]
    return problem_of(
        equation, **({"domain": {"x": (0, 1), "t": (0, 2)}, "conditions": conditions} | parts)
    )


def solved(problem: Problem) -> list[str]:
    """The lines of `check` that say what is solved in place of the equations."""
    lines = [line for heading, line in describe(problem) if heading == "equations"]
    return lines[len(problem.equations) :]


def test_the_inside_becomes_a_field_and_an_equation() -> None:
    problem = problem_of()
    assert problem.unknowns == problem.shown_outputs == ("u",)
    assert problem.hidden == ("q1",)
    assert problem.outputs == problem.solved_fields == ("u", "q1")
    assert [e.text for e in problem.equations] == [LAYERS]
    assert to_text(problem.equations[0].residual) == "q1_x - -1"
    definition = problem.solved_equations[1]
    assert definition.text == "q1 = (1 + 9*heaviside(x - 0.5))*u_x"
    assert definition.residual == parse_equation(definition.text)
    assert is_linear(problem)


@pytest.mark.parametrize(
    ("equation", "lines"),
    [
        (
            "u_t = ((1 + heaviside(x - 0.5))*u_x)_x",
            ["u_t = q1_x", "q1 = (1 + heaviside(x - 0.5))*u_x"],
        ),
        ("u_t = (u_x + heaviside(x - 0.5))_x", ["u_t = q1_x", "q1 = u_x + heaviside(x - 0.5)"]),
        ("u_t = (sign(x - 0.5)*u)_xx", ["u_t = q1_xx", "q1 = sign(x - 0.5)*u"]),
        # the second derivative of abs is a step
        (
            "u_t = (abs(x - 0.5)*u)_xx",
            ["u_t = q1_x", "q1 = sign(x - 0.5)*u + abs(x - 0.5)*u_x"],
        ),
        ("u_t = abs(u)_xx", ["u_t = q1_x", "q1 = sign(u)*u_x"]),
        ("u_t = (heaviside(u - 1)*u_x)_x", ["u_t = q1_x", "q1 = heaviside(u - 1)*u_x"]),
        # in time as well, and in two directions after each other
        ("((1 + heaviside(t - 1))*u)_t = u_xx", ["q1_t = u_xx", "q1 = (1 + heaviside(t - 1))*u"]),
        ("u_t = ((1 + heaviside(x - t))*u)_xt", ["u_t = q1_xt", "q1 = (1 + heaviside(x - t))*u"]),
        # nested brackets, the inner one first
        (
            "u_t = (heaviside(x - 0.5)*(heaviside(x - 0.2)*u_x)_x)_x",
            [
                "u_t = q2_x",
                "q1 = heaviside(x - 0.2)*u_x",
                "q2 = heaviside(x - 0.5)*q1_x",
            ],
        ),
        (
            "u_t = (x*(heaviside(x - 0.2)*u_x)_x)_x",
            ["u_t = q1_x + x*q1_xx", "q1 = heaviside(x - 0.2)*u_x"],
        ),
        # one flux for one inside
        (
            "u_t = (heaviside(x - 0.5)*u_x)_xx + 2*(heaviside(x - 0.5)*u_x)_x",
            ["u_t = q1_xx + 2*q1_x", "q1 = heaviside(x - 0.5)*u_x"],
        ),
        # the inside has a derivative along t too, which is one of the flux
        ("u_t = (heaviside(x - 0.5)*u_tx)_x", ["u_t = q1_x", "q1 = heaviside(x - 0.5)*u_xt"]),
    ],
)
def test_what_is_solved_in_its_place(equation: str, lines: list[str]) -> None:
    problem = in_time(equation)
    found = [line.removeprefix("solved as ").removeprefix("with ") for line in solved(problem)]
    assert found == lines
    assert problem.equations[0].text == equation


@pytest.mark.parametrize(
    "equation",
    [
        "u_t = (heaviside(t - 1)*u_x)_x",
        "u_t = (heaviside(x - 0.5)*u)_t + u_xx",
        "u_t = abs(x - 0.5)_x*u + u_xx",
        "u_t = (abs(x - 0.5)*u_x)_x",
        "u_t = heaviside(x - 0.5)*(x*u_x)_x",
        "u_t = (heaviside(2 - 1)*u_x)_x",
    ],
)
def test_no_flux_where_no_step_is_differentiated(equation: str) -> None:
    assert in_time(equation).fluxes == ()


def test_coefficients_that_are_estimated_stay_what_they_are() -> None:
    observations = [{"of": "u", "count": 5, "noise": {"std": 0.1}}]
    smooth = problem_of(
        "(a*u_x)_x = -1",
        estimate={"a": {"over": "x", "initial": 1}},
        observations=observations,
        truth={"u": "x*(1 - x)", "a": "1 + heaviside(x - 0.5)"},
    )
    assert smooth.fluxes == ()
    assert smooth.outputs == ("u", "a")
    stepped = problem_of(
        "((a + k*heaviside(x - 0.5))*u_x)_x = -1",
        estimate={"a": {"over": "x", "initial": 1}, "k": 2},
        observations=observations,
        truth={"u": "x*(1 - x)", "a": "1"},
    )
    assert stepped.outputs == ("u", "q1", "a")
    assert stepped.shown_outputs == ("u", "a")


@pytest.mark.parametrize(
    ("taken", "name"),
    [
        ({"constants": {"q1": 2}}, "q2"),
        ({"constants": {"q1_x": 2, "q2_xx": 3}}, "q3"),
        ({"constants": {"q1_y": 2}}, "q1"),
        ({"functions": {"q1": lambda u: u}}, "q2"),
        ({"unknowns": ["u", "q1"], "equations": [LAYERS, "q1 = u"]}, "q2"),
    ],
)
def test_the_name_of_a_flux_is_free(taken: dict[str, Any], name: str) -> None:
    assert problem_of(**taken).hidden == (name,)


def test_nobody_can_name_a_flux() -> None:
    with pytest.raises(InputError, match="unknown name 'q1' in an equation"):
        problem_of(f"{LAYERS} + q1")
    with pytest.raises(InputError, match="unknown name 'q1_x' in a condition"):
        problem_of(conditions=["u = 0 at x = 0", "q1_x = 0 at x = 1"])
    with pytest.raises(InputError, match="unknown field 'q1' in an observation"):
        problem_of(observations=[{"of": "q1", "count": 5, "noise": {"std": 0.1}}])
    with pytest.raises(InputError, match="unknown key 'q1'"):
        problem_of(truth={"u": "x", "q1": "x"})
    with pytest.raises(InputError, match="a unit of 'q1'"):
        problem_of(units={"q1": "m"})


def test_conditions_may_hold_such_brackets() -> None:
    flux = "(1 + 9*heaviside(x - 0.5))*u_x"
    conditions = ["u = 0 at x = 0", f"({flux})_x = -1 at x = 1"]
    problem = problem_of(conditions=conditions)
    assert solved(problem) == ["solved as q1_x = -1", "solved as q1_x = -1", f"with q1 = {flux}"]
    assert len(problem.fluxes) == 1


def test_a_coefficient_that_does_not_vary_across_the_step_carries_no_flux() -> None:
    parts: dict[str, Any] = {
        "estimate": {"k": {"over": "t", "initial": 1}},
        "observations": [{"of": "u", "count": 5, "noise": {"std": 0.1}}],
        "truth": {"u": "x*t", "k": "1"},
    }
    with pytest.raises(InputError, match="pulse of no width"):
        in_time("u_t = u_xx + (k*heaviside(x - 0.5))_x", **parts)
    assert in_time("u_t = u_xx + (k*heaviside(t - 1))_t", **parts).hidden == ("q1",)


def test_a_flux_cannot_depend_on_the_normal_of_a_boundary() -> None:
    parts: dict[str, Any] = {
        "domain": {"x": (0, 1), "y": (0, 1)},
        "geometry": {"shapes": {"disk": {"disk": {"center": [0.5, 0.5], "radius": 0.4}}}},
        "observations": [{"of": "u", "count": 5, "noise": {"std": 0.1}}],
        "truth": {"u": "x*y"},
    }
    inside = "heaviside(x - 0.5)*u_x"
    named = problem_of("u_xx + u_yy = 0", **parts, conditions=[f"n_x*({inside})_x = 0 on disk"])
    assert [to_text(flux.inside) for flux in named.fluxes] == [inside]
    with pytest.raises(InputError, match="has no value at a point"):
        problem_of("u_xx + u_yy = 0", **parts, conditions=[f"(n_x*{inside})_x = 0 on disk"])


def test_a_problem_file_says_what_its_author_wrote() -> None:
    problem = problem_of()
    text = config.dumps(problem)
    assert "q1" not in text
    assert config.loads(text) == problem
    assert "q1" not in repr(problem)


def test_conditions_are_counted_over_fields_and_fluxes() -> None:
    with pytest.raises(InputError) as caught:
        problem_of(conditions=["u = 0 at x = 0"])
    assert "1 condition along x" in str(caught.value)
    assert "q1" not in str(caught.value)
    with pytest.raises(InputError, match=r"1 equation\(s\) for 2 unknowns"):
        problem_of(unknowns=["u", "v"], equations=["((1 + heaviside(x - 0.5))*u_x + v)_x = 0"])


def test_a_coefficient_inside_a_bracket_is_used() -> None:
    observations = [{"of": "u", "count": 5, "noise": {"std": 0.1}}]
    problem = problem_of(
        "((1 + k*heaviside(x - 0.5))*u_x)_x = -1",
        estimate={"k": 9},
        observations=observations,
        truth={"u": "x"},
    )
    assert [c.name for c in problem.coefficients] == ["k"]
    assert not is_linear(problem)


def test_the_exact_solution_satisfies_both_equations_on_both_sides() -> None:
    problem = problem_of(truth={"u": EXACT})
    findings = verify_truth(problem)
    assert [f.statement for f in findings] == [
        LAYERS,
        CONTINUOUS,
        "u = 0 at x = 0",
        "u = 0 at x = 1",
    ]
    assert all(finding.residual < 1e-7 for finding in findings)
    x = np.array([0.1, 0.3, 0.499, 0.501, 0.7, 0.9])
    a = np.where(x < 0.5, 1.0, 10.0)
    known = {"x": x, "u_x": (C - x) / a, "q1": C - x, "q1_x": -np.ones_like(x)}
    for equation in problem.solved_equations:
        np.testing.assert_allclose(evaluate(equation.residual, known, np), 0.0, atol=1e-15)


CONTINUOUS = "(1 + 9*heaviside(x - 0.5))*u_x continuous at x = 0.5"
LEFT, RIGHT_SIDE = EXACT.split(" + heaviside(x - 0.5)*")


@pytest.mark.parametrize(
    ("wrong", "statements"),
    [
        (f"{LEFT} + 1.2*heaviside(x - 0.5)*{RIGHT_SIDE}", [LAYERS, CONTINUOUS]),
        # right on both sides of the step, with a flux that jumps there
        (f"{LEFT} + heaviside(x - 0.5)*(0.5*(x - 1) - (x**2 - 1)/2)/10", [CONTINUOUS]),
    ],
)
def test_a_wrong_truth_is_found(wrong: str, statements: list[str]) -> None:
    findings = verify_truth(problem_of(truth={"u": wrong}))
    assert [f.statement for f in findings if not f.is_satisfied] == statements


def test_an_exact_solution_in_time() -> None:
    # u = e^{−t}·w with a piecewise linear w, which a step in time does not hurt
    kink = "heaviside(0.5 - x)*10*x + heaviside(x - 0.5)*(x + 4.5)"
    problem = in_time(
        "u_t = ((1 + 9*heaviside(x - 0.5))*u_x)_x - u",
        conditions=["u = 0 at x = 0"],
        observations=[{"of": "u", "count": 5, "noise": {"std": 0.1}}],
        truth={"u": f"exp(-t)*({kink})"},
    )
    findings = verify_truth(problem)
    assert len(findings) == 3
    assert all(finding.is_satisfied for finding in findings)


def test_a_pulse_becomes_the_jump_of_a_flux() -> None:
    # u_xx = δ(x − 1/2): the flux u_x − H is constant
    pulse = "(u_x - heaviside(x - 0.5))_x = 0"
    exact = "-x/2 + heaviside(x - 0.5)*(x - 0.5)"
    findings = verify_truth(problem_of(pulse, truth={"u": exact}))
    assert len(findings) == 4
    assert all(finding.is_satisfied for finding in findings)
    straight = verify_truth(problem_of(pulse, truth={"u": "0*x"}))
    assert [f.is_satisfied for f in straight] == [True, False, True, True]


def test_computed_truths_know_no_fluxes() -> None:
    with pytest.raises(InputError, match="know no steps inside brackets") as caught:
        in_time(
            "u_t = ((1 + heaviside(x - 0.5))*u_x)_x",
            truth={"solver": "finite-difference", "clean": {"u": "sin(pi*x)"}},
        )
    assert "a formula for each unknown" in str(caught.value)


FILE = """\
pinngate: 1
name: layers
domain: {{x: [0, 1], t: [0, 1]}}
unknowns: [u]
equations:
  - {equation}
conditions:
  - {{where: x = 0, equation: {condition}}}
observations:
  - {{of: ["{of}"], count: 20, noise: {{std: 0.1}}}}
truth:
  u: {truth}
"""
RIGHT = {"equation": "u_t = u_xx", "condition": "u = 0", "of": "u", "truth": "x*t"}
STEP = "the derivative of heaviside(x - 0.5) along x"
ADVICE = (
    "exp(-((x - a)/w)**2/2)/(w*sqrt(2*pi))",
    "tanh((x - 0.5)/w)",
    "(u_x + heaviside(x - 0.5))_x",
)


@pytest.mark.parametrize(
    ("where", "text", "said"),
    [
        ("equation", "u_t = u_xx + «heaviside»(x - 0.5)_x", (STEP, "pulse of no width", *ADVICE)),
        ("equation", "u_t = «heaviside»(x - 0.5)_x*u", (STEP, *ADVICE)),
        ("equation", "u_t = u_xx + (x*«heaviside»(x - 0.5))_x", (STEP, *ADVICE)),
        ("equation", "u_t = u_xx + «sign»(t - x)_t", ("of sign(t - x) along t", "(t - a)/w")),
        ("equation", "u_t = u_xx + abs(«x» - 0.5)_xx", ("of sign(x - 0.5) along x",)),
        ("equation", "u_t = «sign»(u)_x", ("of sign(u) along x", "tanh((u)/w)")),
        ("equation", "u_t = «(»heaviside(x - 0.5)*u)_xxxxx", ("5 times", "up to order 4")),
        ("condition", "u = «heaviside»(x - 0.5)_x", (STEP, *ADVICE)),
        (
            "of",
            "(«heaviside»(x - 0.5)*u_x)_x",
            (f"{STEP} has no value at a point", "q = heaviside(x - 0.5)*u_x", "and q_x here"),
        ),
        ("truth", "x*t + «heaviside»(x - 0.5)_x", (STEP,)),
    ],
)
def test_what_no_flux_can_carry_is_refused(where: str, text: str, said: tuple[str, ...]) -> None:
    check_message(FILE.format(**(RIGHT | {where: text})), *said)


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("(a*u_x)_x", "a_x*u_x + a*u_xx"),
        ("(heaviside(t)*u)_x", "heaviside(t)*u_x"),
        ("abs(u)_x", "sign(u)*u_x"),
    ],
)
def test_brackets_without_a_step_are_expanded(typed: str, written: str) -> None:
    brackets = Brackets(("u", "a"), ("x", "t"))
    values = {"u": 0.3, "a": 0.7, "u_x": -0.2, "a_x": 1.3, "u_xx": 0.9, "t": 0.4}
    found: Expression = substitute(brackets.expanded(parse_equation(typed)), {})
    expected = parse_equation(written)
    assert evaluate(found, values, np) == pytest.approx(evaluate(expected, values, np))
