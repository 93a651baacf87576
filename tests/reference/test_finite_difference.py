from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import erfc, erfcx

from pinngate.errors import InputError, SolveError
from pinngate.reference import Reference, cole_hopf, finite_difference
from pinngate.reference.boundary import uniform_grid
from pinngate.reference.evolution import evolution
from pinngate.statement.problem import Coefficient, Truth
from tests.reference.stated import AT_REST, FIXED_ENDS, UNIT, error, initial, scattered, state

TWO_PI = 2 * np.pi
SQUARE = {"x": (0.0, 1.0), "y": (0.0, 1.0), "t": (0.0, 0.5)}
WALLS = (*FIXED_ENDS, ("y", 0.0, "u = 0"), ("y", 1.0, "u = 0"))

# problem, initial data, exact solution
EXACT: dict[str, tuple[Any, dict[str, str], dict[str, str]]] = {
    "heat": (
        state("u_t = 0.05*u_xx", conditions=FIXED_ENDS),
        {"u": "sin(pi*x) + 0.5*sin(3*pi*x)"},
        {"u": "exp(-0.05*pi**2*t)*sin(pi*x) + 0.5*exp(-0.45*pi**2*t)*sin(3*pi*x)"},
    ),
    "wave": (
        state("u_tt = 4*u_xx", conditions=(*FIXED_ENDS, AT_REST)),
        {"u": "sin(pi*x) + 0.5*sin(4*pi*x)"},
        {"u": "cos(2*pi*t)*sin(pi*x) + 0.5*cos(8*pi*t)*sin(4*pi*x)"},
    ),
    "wave, moving end": (
        state(
            "u_tt = u_xx",
            conditions=(("x", 0.0, "u = sin(-2*t)"), ("x", 1.0, "u_x = 2*cos(2-2*t)")),
            domain={"x": (0.0, 1.0), "t": (0.0, 0.5)},
        ),
        {"u": "sin(2*x)", "u_t": "-2*cos(2*x)"},
        {"u": "sin(2*(x - t))"},
    ),
    "wave, absorbing ends": (
        state("u_tt = u_xx", conditions=(("x", 0.0, "u_t - u_x = 0"), ("x", 1.0, "u_t + u_x = 0"))),
        {"u": "exp(-200*(x-0.4)**2)", "u_t": "400*(x-0.4)*exp(-200*(x-0.4)**2)"},
        {"u": "exp(-200*(x-t-0.4)**2)"},
    ),
    "damped wave": (
        state("u_tt + 2*u_t + u = u_xx", conditions=FIXED_ENDS),
        {"u": "sin(pi*x)", "u_t": "-sin(pi*x)"},
        {"u": "exp(-t)*cos(pi*t)*sin(pi*x)"},
    ),
    "advection, periodic": (
        state("u_t + 5*u_x = 0", domain={"x": (0.0, TWO_PI), "t": (0.0, 1.0)}, periodic=("x",)),
        {"u": "sin(x) + 0.5*cos(3*x)"},
        {"u": "sin(x - 5*t) + 0.5*cos(3*(x - 5*t))"},
    ),
    "advection, inflow": (
        state("u_t + u_x = 0", conditions=(("x", 0.0, "u = sin(-3*t)"),)),
        {"u": "sin(3*x)"},
        {"u": "sin(3*(x - t))"},
    ),
    "Neumann": (
        state("u_t = 0.1*u_xx", conditions=(("x", 0.0, "u_x = 0"), ("x", 1.0, "u_x = 0"))),
        {"u": "1 + cos(2*pi*x)"},
        {"u": "1 + exp(-0.4*pi**2*t)*cos(2*pi*x)"},
    ),
    "Robin, changing in time": (
        state(
            "u_t = u_xx",
            conditions=(
                ("x", 0.0, "(1+t)*u - u_x = t*exp(t)"),
                ("x", 1.0, "u + 2*u_x = 3*exp(1+t)"),
            ),
            domain={"x": (0.0, 1.0), "t": (0.0, 0.2)},
        ),
        {"u": "exp(x)"},
        {"u": "exp(x + t)"},
    ),
    "variable coefficients, time first": (
        state(
            "u_t = (1 + x**2)*u_xx + sin(t) - 2*(1 + x**2)",
            conditions=(("x", 0.0, "u = 1 - cos(t)"), ("x", 1.0, "u = 2 - cos(t)")),
            domain={"t": (0.0, 1.0), "x": (0.0, 1.0)},
        ),
        {"u": "x**2"},
        {"u": "x**2 + 1 - cos(t)"},
    ),
    "coupled": (
        state(
            "u_t = -v_xx",
            "2*v_t - u_xx = u_xx",
            conditions=(*FIXED_ENDS, ("x", 0.0, "v = 0"), ("x", 1.0, "v = 0")),
            unknowns=("u", "v"),
            domain={"x": (0.0, 1.0), "t": (0.0, 0.1)},
        ),
        {"u": "sin(pi*x)", "v": "0"},
        {"u": "cos(pi**2*t)*sin(pi*x)", "v": "-sin(pi**2*t)*sin(pi*x)"},
    ),
    "first-order system": (
        state(
            "p_t + v_x = 0",
            "v_t + p_x = 0",
            conditions=(("x", 0.0, "v = 0"), ("x", 1.0, "v = 0")),
            unknowns=("p", "v"),
        ),
        {"p": "cos(pi*x)", "v": "0"},
        {"p": "cos(pi*t)*cos(pi*x)", "v": "sin(pi*t)*sin(pi*x)"},
    ),
    "beam": (
        state(
            "u_tt = -u_xxxx",
            conditions=(*FIXED_ENDS, ("x", 0.0, "u_xx = 0"), ("x", 1.0, "u_xx = 0"), AT_REST),
            domain={"x": (0.0, 1.0), "t": (0.0, 0.1)},
        ),
        {"u": "sin(pi*x)"},
        {"u": "cos(pi**2*t)*sin(pi*x)"},
    ),
    "heat in a square": (
        state("u_t = 0.05*(u_xx + u_yy)", conditions=WALLS, domain=SQUARE),
        {"u": "sin(pi*x)*sin(pi*y)"},
        {"u": "exp(-0.1*pi**2*t)*sin(pi*x)*sin(pi*y)"},
    ),
    "wave in a square": (
        state("u_tt = u_xx + u_yy", conditions=(*WALLS, AT_REST), domain=SQUARE),
        {"u": "sin(pi*x)*sin(2*pi*y)"},
        {"u": "cos(sqrt(5)*pi*t)*sin(pi*x)*sin(2*pi*y)"},
    ),
    "insulated walls": (
        state(
            "u_t = 0.05*(u_xx + u_yy)",
            conditions=(
                ("x", 0.0, "u_x = 0"),
                ("x", 1.0, "u_x = 0"),
                ("y", 0.0, "u_y = 0"),
                ("y", 1.0, "u = 0"),
            ),
            domain=SQUARE,
        ),
        {"u": "cos(pi*x)*cos(pi*y/2)"},
        {"u": "exp(-0.0625*pi**2*t)*cos(pi*x)*cos(pi*y/2)"},
    ),
}


@pytest.mark.parametrize("name", EXACT)
def test_agrees_with_the_exact_solution_as_well_as_it_says(name: str) -> None:
    problem, start, exact = EXACT[name]
    reference = finite_difference.solve(problem, initial(**start))
    assert reference.error_estimate is not None
    found = error(problem, reference, exact)
    assert found < 2e-6  # twice the target of the refinement
    # the estimate is of the right size: no more than four times too small
    assert found < 4 * reference.error_estimate
    assert f"{reference.error_estimate:.0e}" in reference.method


@pytest.mark.parametrize(
    "name", ["heat", "wave", "Neumann", "advection, inflow", "first-order system"]
)
def test_converges_with_fourth_order(name: str) -> None:
    problem, start, exact = EXACT[name]
    errors = [
        error(
            problem,
            finite_difference.solve(problem, initial(**start), num_points=n, rtol=1e-10),
            exact,
        )
        for n in (49, 97)
    ]
    # on a coarse grid the one-sided closures, of a higher power of h, weigh in
    assert 3.5 < np.log2(errors[0] / errors[1]) < 5


def test_converges_with_sixth_order_on_a_ring() -> None:
    problem, start, exact = EXACT["advection, periodic"]
    errors = [
        error(
            problem,
            finite_difference.solve(problem, initial(**start), num_points=n, rtol=1e-11),
            exact,
        )
        for n in (33, 65)
    ]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(6, abs=0.4)


def burgers(nu: str) -> Any:
    return state(
        f"u_t + u*u_x = {nu}*u_xx",
        conditions=(("x", -1.0, "u = 0"), ("x", 1.0, "u = 0")),
        domain={"x": (-1.0, 1.0), "t": (0.0, 1.0)},
    )


@pytest.mark.parametrize(("nu", "tolerance"), [("0.05/pi", 2e-6), ("0.01/pi", 5e-5)])
def test_agrees_with_cole_hopf(nu: str, tolerance: float) -> None:
    problem, start = burgers(nu), initial(u="-sin(pi*x)")
    points = scattered(problem)
    reference = finite_difference.solve(problem, start)
    exact = cole_hopf.solve(problem, start)(points)["u"]
    found = np.linalg.norm(reference(points)["u"] - exact) / np.linalg.norm(exact)
    assert found < tolerance
    assert found < 4 * (reference.error_estimate or 0)


def test_a_flux_inlet_agrees_with_its_closed_form() -> None:
    """Lindstrom et al. (1967): v c − D c_x = v at x = 0, into a column free of tracer."""
    v, d = 2.5, 0.13
    column = state(
        f"c_t + {v}*c_x = {d}*c_xx",
        conditions=(("x", 0.0, f"{v}*c - {d}*c_x = {v}"), ("x", 12.0, "c_x = 0")),
        domain={"x": (0.0, 12.0), "t": (0.0, 3.0)},
        unknowns=("c",),
    )
    reference = finite_difference.solve(column, initial(c="0"), num_points=601)
    points = scattered(column)
    # later than t = 0.1: at t = 0 the condition contradicts the data; and before the outlet matters
    x, t = points[(points[:, 1] > 0.1)].T
    a, b = ((x + s * v * t) / (2 * np.sqrt(d * t)) for s in (-1, 1))
    exact = (
        0.5 * erfc(a)
        + np.sqrt(v**2 * t / (np.pi * d)) * np.exp(-(a**2))
        - 0.5 * (1 + v * x / d + v**2 * t / d) * np.exp(-(a**2)) * erfcx(b)
    )
    found = reference(np.column_stack([x, t]))["c"]
    assert np.linalg.norm(found - exact) / np.linalg.norm(exact) < 5e-5


def test_conditions_hold_at_the_ends() -> None:
    problem, start, _ = EXACT["Robin, changing in time"]
    reference = finite_difference.solve(problem, initial(**start))
    t, h = np.linspace(0, 0.2, 41), 1e-4

    def at(x: float) -> np.ndarray:
        return np.asarray(reference(np.column_stack([np.full_like(t, x), t]))["u"])

    slope = (at(1) - at(1 - h)) / h + 0.5 * h * np.exp(1 + t)  # second order in h
    np.testing.assert_allclose(at(1) + 2 * slope, 3 * np.exp(1 + t), rtol=1e-6)


def test_coefficients_take_the_stated_values() -> None:
    problem = state(
        "u_t = kappa*u_xx",
        conditions=FIXED_ENDS,
        coefficients=(Coefficient("kappa", 1.0),),
        truth=Truth(constants={"kappa": 0.05}),
    )
    start = initial(u="sin(pi*x)")
    true = finite_difference.solve(problem, start, num_points=65)
    assert error(problem, true, {"u": "exp(-0.05*pi**2*t)*sin(pi*x)"}) < 1e-5
    other = finite_difference.solve(problem, start, coefficients={"kappa": 0.1}, num_points=65)
    assert error(problem, other, {"u": "exp(-0.1*pi**2*t)*sin(pi*x)"}) < 1e-5
    with pytest.raises(InputError, match="'kappa'"):
        finite_difference.solve(problem, start, coefficients={})


def test_initial_data_may_be_any_function() -> None:
    problem, start, exact = EXACT["heat"]
    function = initial(**start)["u"]
    seen: list[set[str]] = []

    def sampled(axes: dict[str, np.ndarray]) -> np.ndarray:
        seen.append(set(axes))
        return function(axes)

    reference = finite_difference.solve(problem, {"u": sampled}, num_points=65)
    assert error(problem, reference, exact) < 1e-5
    assert seen[0] == {"x"}


REFUSED = {
    "steady": (
        state("u_xx + u = 0", conditions=FIXED_ENDS, domain={"x": (0.0, 1.0)}),
        "no time axis",
    ),
    "no derivative in time": (state("u_xx = u", conditions=FIXED_ENDS), "no equation holds a time"),
    "nonlinear in u_t": (state("u_t**2 = u_xx", conditions=FIXED_ENDS), "not linear in 'u_t'"),
    "mixed": (state("u_t = u_xx + u_xxt", conditions=FIXED_ENDS), "mixes space with"),
    "too few conditions": (state("u_t = u_xx", conditions=FIXED_ENDS[:1]), "is 1, and .* take 2"),
    "too many conditions": (state("u_t + u_x = 0", conditions=FIXED_ENDS), "is 2, and .* take 1"),
    "inside": (state("u_t = u_xx", conditions=(FIXED_ENDS[0], ("x", 0.5, "u = 0"))), "inside"),
    "nonlinear condition": (
        state("u_t = u_xx", conditions=(FIXED_ENDS[0], ("x", 1.0, "u_x + u**4 = 0"))),
        "not linear in 'u'",
    ),
    "dynamic condition": (
        state("u_t = u_xx", conditions=(FIXED_ENDS[0], ("x", 1.0, "u_t + u_x = 0"))),
        "involves 'u_t'",
    ),
    "redundant": (state("u_t = u_xx", conditions=FIXED_ENDS, periodic=("x",)), "is periodic and"),
    "no data": (state("u_tt = u_xx", conditions=FIXED_ENDS), "no initial data for 'u_t'"),
    "singular": (
        state(
            "u_t + v_t = u_xx",
            "u_t + v_t = v_xx",
            unknowns=("u", "v"),
            conditions=(*FIXED_ENDS, ("x", 0.0, "v = 0"), ("x", 1.0, "v = 0")),
        ),
        "do not determine 'v_t'",
    ),
    "three axes": (
        state(
            "u_t = u_xx + u_yy + u_zz",
            domain=dict.fromkeys("xyzt", (0.0, 1.0)),
            periodic=("x", "y", "z"),
        ),
        "3 space axes",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_solved_is_refused_in_words(name: str) -> None:
    problem, message = REFUSED[name]
    with pytest.raises(InputError, match=message):
        finite_difference.solve(problem, initial(u="sin(pi*x)", v="0"))


def test_data_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InputError, match="not finite"):
        finite_difference.solve(EXACT["heat"][0], initial(u="1/x"))


def test_a_solution_that_blows_up_fails_in_words() -> None:
    problem = state("u_t = u_xx + 50*u**2", conditions=FIXED_ENDS)
    with pytest.raises(SolveError, match="finite differences fail"):
        finite_difference.solve(problem, initial(u="10*sin(pi*x)"), num_points=33)


def test_points_outside_the_domain_are_refused() -> None:
    reference: Reference = finite_difference.solve(
        EXACT["heat"][0], initial(u="sin(pi*x)"), num_points=33
    )
    with pytest.raises(InputError, match=r"point 1 has t = 1\.5, outside"):
        reference(np.array([[0.5, 0.5], [0.5, 1.5]]))
    with pytest.raises(InputError, match="shape"):
        reference(np.array([0.5, 0.5]))
    assert reference.domain == UNIT


@pytest.mark.parametrize("name", EXACT)
def test_what_is_assembled_once_is_what_is_evaluated_each_time(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = evolution(EXACT[name][0])
    grid = uniform_grid(system, 21)
    lines = finite_difference._Lines(system, grid)
    monkeypatch.setattr(finite_difference._Lines, "_is_affine", lambda self: False)
    evaluated = finite_difference._Lines(system, grid)
    rng = np.random.default_rng(0)
    for t in (0.1, 0.3):
        kept = rng.normal(size=len(lines.kept))
        expected = evaluated.rate(t, kept)
        size = np.abs(expected).max()
        np.testing.assert_allclose(lines.rate(t, kept), expected, rtol=0, atol=1e-12 * size)
        difference = lines.jacobian(t, kept) - evaluated.jacobian(t, kept)
        assert abs(difference).max() <= 1e-12 * abs(evaluated.jacobian(t, kept)).max()


@pytest.mark.parametrize(
    ("name", "is_affine"),
    [("heat", True), ("wave, absorbing ends", True), ("wave, moving end", False)],
)
def test_only_equations_that_are_linear_and_do_not_change_are_assembled(
    name: str, is_affine: bool
) -> None:
    system = evolution(EXACT[name][0])
    lines = finite_difference._Lines(system, uniform_grid(system, 21))
    assert (lines.affine is not None) is is_affine
