"""Delayed values: how they are read, refused and written, the past, and where kinks are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pinngate import Problem
from pinngate.config import dumps, loads
from pinngate.errors import InputError
from pinngate.expression import constant_value, differentiate, evaluate, names
from pinngate.expression.printing import to_text
from pinngate.report.inspection import describe
from pinngate.statement.delay_kinks import delay_kinks
from pinngate.statement.delays import delayed_values, past_formulas, with_past

HUTCHINSON = "u_t = r*u*(1 - u(t - tau)/K)"


def stated(equation: str = HUTCHINSON, **changes: Any) -> Problem:
    """Return a delay equation from Python arguments."""
    parts: dict[str, Any] = {
        "domain": {"t": (0, 9)},
        "unknowns": ["u"],
        "constants": {"tau": 2, "r": 1, "K": 3, "nothing": 0},
        "equations": [equation],
        "conditions": ["u = 0.5 at t = 0"],
        "observations": [{"of": "u", "count": 9, "noise": {"std": 0.1}}],
        "truth": {"solver": "runge-kutta", "clean": {"u": 0.5}},
    }
    return Problem(**{**parts, **changes})


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("u(t - 2)", "u(t - 2)"),
        ("u(t-tau)", "u(t - 2)"),
        ("u( t - tau/3 )", f"u(t - {2 / 3!r})"),
        ("u(-0.1 + t)", "u(t - 0.1)"),
        ("u(t - 1e-9)", "u(t - 1e-09)"),
    ],
)
def test_a_delayed_value_is_a_name_with_a_number(typed: str, name: str) -> None:
    problem = stated(f"u_t = -{typed}*u")
    residual = problem.equations[0].residual
    assert set(names(residual)) == {"u_t", name, "u"}
    assert stated(f"u_t = -{name}*u").equations[0].residual == residual
    assert to_text(residual) == f"u_t - (-{name})*u" or name in to_text(residual)
    assert to_text(differentiate(residual, name)).endswith("u")
    (value,) = delayed_values(problem).values()
    assert constant_value(residual, {"u_t": 0.0, name: 3.0, "u": 2.0}) == 6.0
    assert value.field == "u"
    assert name == f"u(t - {value.delay!r})" or value.delay == 2.0


def test_files_and_arguments_state_the_same() -> None:
    problem = stated(conditions=["u = 0.5 + 0.1*t at t <= 0"])
    again = loads(dumps(problem))
    assert again.equations == problem.equations
    assert again.conditions == problem.conditions
    assert again.conditions[0].where.is_past  # type: ignore[union-attr]
    assert dumps(again) == dumps(problem)


@pytest.mark.parametrize(
    ("equation", "said"),
    [
        ("u_t = -u(t + 1)", "that is in the future"),
        ("u_t = -u(2*t)", "it is not at t less a number"),
        ("u_t = -u(t**2)", "it is not at t less a number"),
        ("u_t = -u(1)", "it is not at t less a number"),
        ("u_t = -u(x - 1)", "'x' is no constant"),
        ("u_t = -u(u(t - 1))", "'u(t - 1)' is no constant"),
        ("u_t = -u(t - nothing)", "that is now"),
        ("u_t = -u(t - 1/nothing)", "no finite real value"),
        ("u_t = -u(t - k)", "the delay 'k' is estimated"),
        ("u_t = -u(t, 1)", "takes 1 argument"),
        ("u_t = -u_t(t - 1)", "not of derivatives"),
        ("u_t = (u(t - 1)*u)_t", "the derivative of u(t - 1) is not followed"),
    ],
)
def test_what_is_no_delay_is_refused_at_its_place(equation: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        stated(equation, estimate={"k": 1.0})
    assert said in str(caught.value)
    assert caught.value.span is not None
    line = str(caught.value).splitlines()[2]
    assert line.index("^") - 4 == equation.index("u", equation.index("="))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"equation": "u_t = -u", "conditions": ["u = u(t - 1) at t = 0"]}, "in equations alone"),
        ({"equation": "u_t = -u", "derived": {"w": "u(t - 1) at t = 2"}}, "in equations alone"),
        ({"equation": "u_t = -u", "conditions": ["u = 1 at t <= 0"]}, "no equation looks at it"),
        ({"conditions": ["u = 1 at t <= 1"]}, "'t <= 1' is no past"),
        ({"conditions": ["u_t = 1 at t <= 0"]}, "the past is that of one unknown"),
        ({"conditions": ["u**2 = 1 at t <= 0"]}, "the past is that of one unknown"),
        ({"conditions": ["periodic in t"]}, "a period has no past"),
        (
            {"events": [{"at": {"t": 1}, "add": {"u": 1}}], "truth": {"u": "exp(-t)"}},
            "fields jump at events",
        ),
        (
            {"domain": {"x": (0, 1), "t": (0, 1)}, "equation": "u_t = u_xx + u(t - 1)"},
            "only axis is t",
        ),
    ],
)
def test_where_delays_and_pasts_cannot_stand(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        stated(**changes)


def test_the_past_is_its_formula_before_the_start() -> None:
    problem = stated("u_t = -u(t - 2)", conditions=["2*u = 1 + sqrt(-t) at t <= 0"])
    residual = with_past(problem, problem.equations[0].residual)
    t = np.array([0.0, 1.0, 2.0, 5.0])
    found = evaluate(residual, {"t": t, "u_t": 0.0, "u(t - 2)": 10.0}, np)
    past = (1 + np.sqrt(2 - t[:2])) / 2
    np.testing.assert_allclose(found, [*past, (0.5 + 10) / 2, 10.0])
    assert set(past_formulas(problem)) == {"u"}
    plain = stated()
    assert with_past(plain, plain.equations[0].residual) is plain.equations[0].residual


def test_kinks_come_again_smoother() -> None:
    assert delay_kinks(stated("u_t = -u"), 6) == {}
    assert delay_kinks(stated("u_t = -u(t - 2)"), 6) == {2: 1, 4: 2, 6: 3, 8: 4}
    second = stated("u_tt = -u(t - 2)", truth={"u": "cos(t)"})
    assert delay_kinks(second, 6) == {2: 2, 4: 4}
    two = delay_kinks(stated("u_t = -u(t - 2) - u(t - 3)"), 3)
    assert two == {2: 1, 3: 1, 4: 2, 5: 2, 6: 2}
    source = delay_kinks(stated("u_t = -u(t - 2) + heaviside(t - 1)"), 2)
    assert source == {2: 1, 3: 1}
    past = stated("u_t = -u(t - 2)", conditions=["u = heaviside(t + 1.5) at t <= 0"])
    assert delay_kinks(past, 2) == {0.5: 0, 2: 1, 2.5: 1}


def test_check_tells_delays_and_pasts() -> None:
    told = dict(describe(stated()))
    assert told["delays"] == "u by 2; before t = 0 it is what it is at t = 0"
    assert "note" not in dict(describe(stated(constants={"tau": 2, "r": 1, "K": 3})))
    past = dict(describe(stated(conditions=["u = 0.5 + 0.1*t at t <= 0"])))
    assert past["delays"].endswith("it is 0.5 + 0.1*t")
    assert past["conditions"] == "u = 0.5 + 0.1*t at t <= 0"
    assert "delays" not in dict(describe(stated("u_t = -u")))


def test_experiments_have_delays_of_their_own() -> None:
    problem = stated(
        observations=[],
        constants={"r": 1, "K": 3},
        experiments=[
            {
                "name": name,
                "constants": {"tau": tau},
                "observations": [{"of": "u", "count": 9, "noise": {"std": 0.1}}],
            }
            for name, tau in (("a", 1), ("b", 2.5))
        ],
    )
    assert set(delayed_values(problem)) == {"u__a(t - 1)", "u__b(t - 2.5)"}
