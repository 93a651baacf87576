"""Places of kinks and jumps that a problem writes."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pinngate.errors import InputError
from pinngate.expression import parse
from pinngate.expression.printing import to_text
from pinngate.statement.kinks import kink_places, oblique_kinks, sign_changes
from pinngate.statement.problem import Problem


def problem_of(source: str = "0", **parts: Any) -> Problem:
    stated: dict[str, Any] = {
        "domain": {"x": (0, 1), "t": (0, 2)},
        "unknowns": ["u"],
        "constants": {"a": 0.3, "w": "2*pi"},
        "equations": [f"u_t = u_xx + {source}"],
        "conditions": ["u = 0 at x = 0", "u = 0 at x = 1", "u = 0 at t = 0"],
    }
    return Problem(**(stated | parts))


@pytest.mark.parametrize(
    ("source", "places"),
    [
        ("u", []),
        ("heaviside(x - 0.5)", [0.5]),
        ("heaviside(0.5 - x)", [0.5]),
        ("sign(x - a)", [0.3]),
        ("abs(2*x - 1)", [0.5]),
        ("heaviside((x - a)/7)*u", [0.3]),
        ("heaviside(x - 0.2)*heaviside(0.4 - x)*heaviside(x - a)", [0.2, 0.3, 0.4]),
        ("heaviside(x - 0.2) + sign(x - 0.2) + abs(5*x - 1)", [0.2]),
        ("exp(-heaviside(x - 0.2))*sin(abs(x - 0.7))", [0.2, 0.7]),
        ("heaviside(x)", []),
        ("heaviside(1 - x)", []),
        ("heaviside(x - 2)", []),
        ("heaviside(a - 1)", []),
        ("sign(sin(pi*x))", []),
        ("heaviside(sin(w*x))", [0.5]),
        ("heaviside(exp(x) - 2)", [math.log(2)]),
        ("heaviside(log(x) + 1)", [math.exp(-1)]),
        ("heaviside(1/(x - 0.5))", [0.5]),
        ("heaviside((x - 0.25)*(x - 0.5)*(x - 0.75))", [0.25, 0.5, 0.75]),
        ("heaviside(x**2 - 0.25)", [0.5]),
        ("sign(0*x)", []),
    ],
)
def test_places_along_one_axis(source: str, places: list[float]) -> None:
    found = kink_places(problem_of(source))
    assert found == {"x": pytest.approx(places, rel=1e-14), "t": ()}
    assert oblique_kinks(problem_of(source)) == ()


@pytest.mark.parametrize(
    "touching",
    ["(x - 0.5)**2", "x**2 - x + 0.25", "-(x - 0.3)**4", "1 - cos(2*pi*(x - 0.4))", "x - x + 1"],
)
def test_an_argument_that_only_touches_zero_changes_nothing(touching: str) -> None:
    assert kink_places(problem_of(f"heaviside({touching})"))["x"] == ()


def test_the_ends_of_an_interval_where_the_argument_is_zero() -> None:
    # heaviside(0) is 1/2: the function changes where max(t - 1, 0) leaves zero
    source = "heaviside(abs(t - 1) + t - 1)"
    assert kink_places(problem_of(source))["t"] == pytest.approx([1.0], abs=1e-9)


def test_a_linear_argument_has_its_root_to_the_last_digit() -> None:
    assert kink_places(problem_of("heaviside(x - a)"))["x"] == (0.3,)
    wide = problem_of("heaviside(x)", domain={"x": (-1, 1), "t": (0, 2)})
    assert str(kink_places(wide)["x"]) == "(0.0,)"


@pytest.mark.parametrize("rate", [1, 10, 250, 2000])
def test_a_train_of_pulses_loses_none(rate: int) -> None:
    found = kink_places(problem_of(f"heaviside(sin(2*pi*{rate}*t))"))["t"]
    assert found == pytest.approx([k / (2 * rate) for k in range(1, 4 * rate)], abs=1e-12)


def test_short_pulses_are_found() -> None:
    found = kink_places(problem_of("heaviside(cos(40*pi*t) - 0.9999)"))["t"]
    half = math.acos(0.9999) / (40 * math.pi)
    centres = [k / 20 for k in range(41)]
    ends = [c + s * half for c in centres for s in (-1, 1)]
    assert found == pytest.approx([e for e in ends if 0 < e < 2], abs=1e-12)


def test_doses_in_time() -> None:
    doses = "heaviside(1 - t) + heaviside(t - 1.2)*heaviside(1.3 - t) + heaviside(t - 1.8)"
    assert kink_places(problem_of(doses)) == {"x": (), "t": (1.0, 1.2, 1.3, 1.8)}


def test_conditions_count_and_so_does_the_plane_they_hold_on() -> None:
    problem = problem_of(
        conditions=[
            "u = heaviside(0.6 - t) at x = 0",
            "u = heaviside(x - t) at x = 1",
            "u = heaviside(x - 0.5 + t) at t = 0",
            "u_x = heaviside(x - 0.25) at x = 0",
        ]
    )
    assert kink_places(problem) == {"x": (0.5,), "t": (0.6, 1.0)}
    assert oblique_kinks(problem) == ()


def test_observed_formulas_count() -> None:
    seen = {"of": "heaviside(x - 0.25)*u", "count": 5, "noise": {"std": 0.1}}
    problem = problem_of(observations=[seen], truth={"u": "heaviside(x - 0.7)*t"})
    assert kink_places(problem)["x"] == (0.25,)  # the truth is never looked at


def test_insides_of_brackets_count() -> None:
    problem = problem_of(equations=["u_t = ((1 + 9*heaviside(x - 0.5))*u_x)_x"])
    assert kink_places(problem) == {"x": (0.5,), "t": ()}


def test_what_is_solved_for_has_no_place() -> None:
    problem = problem_of(
        "heaviside(u - 1) + abs(u_x) + heaviside(x - k) + sign(k) + abs(c)",
        estimate={"k": 0.5, "c": {"over": "x", "initial": 1}},
        observations=[{"of": "u", "count": 5, "noise": {"std": 0.1}}],
        truth={"u": "x", "c": "1"},
    )
    assert kink_places(problem) == {"x": (), "t": ()}
    assert list(map(to_text, oblique_kinks(problem))) == ["x - k"]


def test_oblique_kinks_are_told_once() -> None:
    problem = problem_of("heaviside(x - t)*u + sign(x - t) + abs(x + t - 1) + heaviside(t - 1)")
    assert list(map(to_text, oblique_kinks(problem))) == ["x - t", "x + t - 1"]
    assert kink_places(problem) == {"x": (), "t": (1.0,)}


def test_an_argument_without_values_has_no_sign_changes() -> None:
    problem = problem_of("heaviside(sqrt(-1 - x))*u")
    assert kink_places(problem)["x"] == ()


def test_sign_changes_of_one_formula() -> None:
    assert sign_changes(problem_of(), parse("x**3 - a**3"), "x") == [pytest.approx(0.3)]


@pytest.mark.parametrize(
    ("source", "places"),
    [
        ("min(x, a)", [0.3]),
        ("max(x, 1 - x, 0.6)", [0.4, 0.5, 0.6]),
        ("floor(4*x)", [0.25, 0.5, 0.75]),
        ("mod(x, 0.4)", [0.4, 0.8]),
        ("floor(x/3)", []),
        ("min(u, 1)", []),
    ],
)
def test_places_where_functions_switch(source: str, places: list[float]) -> None:
    found = kink_places(problem_of(source))
    assert found == {"x": pytest.approx(places, rel=1e-12), "t": ()}


def test_steps_of_floor_and_mod_go_through_a_flux() -> None:
    for step in ("floor(4*x)", "mod(x, 0.4)"):
        problem = problem_of("0", equations=[f"u_t = ((1 + {step})*u_x)_x"])
        assert len(problem.fluxes) == 1
    assert problem_of("0", equations=["u_t = (max(x, a)*u_x)_x"]).fluxes == ()
    with pytest.raises(InputError, match="a pulse of no width"):
        problem_of("(mod(x, 0.4))_x")
    with pytest.raises(InputError, match="a pulse of no width"):
        problem_of("(min(x, a))_xx")


def test_constants_may_still_be_called_like_the_newer_functions() -> None:
    problem = problem_of("floor*u", constants={"a": 1, "w": 1, "floor": 0.5})
    assert problem.constants["floor"] == 0.5
    with pytest.raises(InputError, match="'sin' cannot name a constant: it is a function"):
        problem_of("0", constants={"a": 1, "w": 1, "sin": 0.5})
