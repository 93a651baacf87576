from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from pinngate.errors import InputError, SolveError
from pinngate.reference import cole_hopf, finite_difference, spectral
from pinngate.reference.exponential import advance, coefficients, phi_functions
from tests.reference.stated import AT_REST, FIXED_ENDS, error, initial, scattered, state

TWO_PI = 2 * np.pi
RING = {"x": (0.0, TWO_PI), "t": (0.0, 1.0)}
INSULATED = (("x", 0.0, "u_x = 0"), ("x", 1.0, "u_x = 0"))


def ring(*equations: str, **options: Any) -> Any:
    return state(*equations, **({"domain": RING, "periodic": ("x",)} | options))


EXACT: dict[str, tuple[Any, dict[str, str], dict[str, str]]] = {
    "advection": (
        ring("u_t + 5*u_x = 0"),
        {"u": "sin(x) + 0.5*cos(3*x)"},
        {"u": "sin(x - 5*t) + 0.5*cos(3*(x - 5*t))"},
    ),
    "heat, zero ends": (
        state("u_t = 0.05*u_xx", conditions=FIXED_ENDS),
        {"u": "sin(pi*x) + 0.5*sin(3*pi*x)"},
        {"u": "exp(-0.05*pi**2*t)*sin(pi*x) + 0.5*exp(-0.45*pi**2*t)*sin(3*pi*x)"},
    ),
    "heat, insulated ends": (
        state("u_t = 0.1*u_xx", conditions=INSULATED),
        {"u": "1 + cos(2*pi*x)"},
        {"u": "1 + exp(-0.4*pi**2*t)*cos(2*pi*x)"},
    ),
    "wave, zero ends": (
        state("u_tt = u_xx", conditions=(*FIXED_ENDS, AT_REST)),
        {"u": "sin(pi*x) + 0.5*sin(3*pi*x)"},
        {"u": "cos(pi*t)*sin(pi*x) + 0.5*cos(3*pi*t)*sin(3*pi*x)"},
    ),
    "forced, variable coefficients": (
        ring("u_t = 0.1*u_xx + sin(x)*u_x + 0.1*sin(x - t) - (1 + sin(x))*cos(x - t)"),
        {"u": "sin(x)"},
        {"u": "sin(x - t)"},
    ),
    "Korteweg-de Vries soliton": (
        ring("u_t + 6*u*u_x + u_xxx = 0", domain={"x": (-20.0, 20.0), "t": (0.0, 0.5)}),
        {"u": "2/cosh(x + 2)**2"},
        {"u": "2/cosh(x + 2 - 4*t)**2"},
    ),
    "nonlinear Schroedinger soliton": (
        ring(
            "u_t = -v_xx - 2*(u**2 + v**2)*v",
            "v_t = u_xx + 2*(u**2 + v**2)*u",
            unknowns=("u", "v"),
            domain={"t": (0.0, 1.0), "x": (-25.0, 25.0)},
        ),
        {"u": "1/cosh(x)", "v": "0"},
        {"u": "cos(t)/cosh(x)", "v": "sin(t)/cosh(x)"},
    ),
    "Klein-Gordon wave": (
        ring("u_tt = u_xx - u", domain={"x": (0.0, TWO_PI), "t": (0.0, 3.0)}),
        {"u": "cos(x)", "u_t": "0"},
        {"u": "cos(sqrt(2)*t)*cos(x)"},
    ),
}


@pytest.mark.parametrize("name", EXACT)
def test_agrees_with_the_exact_solution_to_eight_digits(name: str) -> None:
    problem, start, exact = EXACT[name]
    reference = spectral.solve(problem, initial(**start))
    assert reference.error_estimate is not None
    found = error(problem, reference, exact)
    assert found < 1e-8  # the target of the refinement
    assert found < 4 * reference.error_estimate


def test_agrees_with_cole_hopf_between_zero_ends() -> None:
    problem = state(
        "u_t + u*u_x = 0.05/pi*u_xx",
        conditions=(("x", -1.0, "u = 0"), ("x", 1.0, "u = 0")),
        domain={"x": (-1.0, 1.0), "t": (0.0, 1.0)},
    )
    start, places = initial(u="-sin(pi*x)"), scattered(problem)
    exact = cole_hopf.solve(problem, start)(places)["u"]
    reference = spectral.solve(problem, start)
    assert np.linalg.norm(reference(places)["u"] - exact) < 1e-8 * np.linalg.norm(exact)


def test_agrees_with_finite_differences_where_neither_is_exact() -> None:
    problem = ring("u_t = 0.02*u_xx + u - u**3 + 0.1*cos(t)*sin(x)")
    start = initial(u="0.3*cos(x) + 0.2*sin(2*x)")
    points = scattered(problem)
    ours, others = (
        solver.solve(problem, start)(points)["u"] for solver in (spectral, finite_difference)
    )
    assert np.linalg.norm(ours - others) < 1e-6 * np.linalg.norm(ours)


def test_invariants_of_korteweg_de_vries_are_kept() -> None:
    problem = ring("u_t + u*u_x + 0.05*u_xxx = 0")
    reference = spectral.solve(problem, initial(u="cos(x)"))
    x = TWO_PI * np.arange(512) / 512
    mass, energy = [], []
    for t in (0.0, 0.4, 1.0):
        u = reference(np.column_stack([x, np.full_like(x, t)]))["u"]
        mass.append(u.mean())
        energy.append((u**2).mean())
    np.testing.assert_allclose(mass, 0, atol=1e-9)
    np.testing.assert_allclose(energy, 0.5, rtol=1e-8)


def test_ends_are_kept_by_the_reflection() -> None:
    problem = state("u_t = 0.1*u_xx + u - u**3", conditions=FIXED_ENDS)
    reference = spectral.solve(problem, initial(u="sin(pi*x) + 0.3*sin(2*pi*x)"))
    for x in (0.0, 1.0):
        ends = reference(np.column_stack([np.full(9, x), np.linspace(0, 1, 9)]))["u"]
        np.testing.assert_allclose(ends, 0, atol=1e-12)


REFUSED = {
    "one end free": (
        state("u_t = u_xx", conditions=(FIXED_ENDS[0], ("x", 1.0, "u_x = 0"))),
        "neither held at zero",
    ),
    "not zero": (
        state("u_t = u_xx", conditions=(("x", 0.0, "u = 1"), ("x", 1.0, "u = 1"))),
        "neither held at zero",
    ),
    "no symmetry": (
        state("u_t + u_x = u_xx", conditions=FIXED_ENDS),
        "does not keep a field reflected",
    ),
    "two axes": (
        state("u_t = u_xx + u_yy", domain=dict.fromkeys(("x", "y", "t"), (0.0, 1.0))),
        "2 space axes",
    ),
    "steady": (state("u_xx = 1", conditions=FIXED_ENDS), "no equation holds a time derivative"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_continue_periodically_is_refused_in_words(name: str) -> None:
    problem, message = REFUSED[name]
    with pytest.raises(InputError, match=message):
        spectral.solve(problem, initial(u="sin(pi*x)"))


def test_data_that_contradict_the_ends_are_refused() -> None:
    with pytest.raises(InputError, match="do not vanish at the ends"):
        spectral.solve(state("u_t = u_xx", conditions=FIXED_ENDS), initial(u="cos(pi*x)"))


def test_data_with_jumps_fail_in_words() -> None:
    with pytest.raises(SolveError, match="not smooth enough"):
        spectral.solve(ring("u_t + u_x = 0"), initial(u="x"), num_points=128)


# The time stepping


@pytest.mark.parametrize("size", [1, 2])
def test_phi_functions_match_their_series(size: int) -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal((5, size, size)) * np.array([1e-9, 0.01, 0.3, 1, 3])[:, None, None]
    for k, found in enumerate(phi_functions(z.astype(complex))):
        term = np.broadcast_to(np.eye(size), z.shape) / np.prod(np.arange(1.0, k + 1))
        total = term.copy()
        for j in range(1, 60):
            term = term @ z / (k + j)
            total = total + term
        # φ₃ of 1e-9 computed as a quotient would keep no digit at all
        np.testing.assert_allclose(found, total, rtol=1e-12, atol=1e-13)


def test_phi_functions_of_stiff_values_are_their_asymptotes() -> None:
    z = np.array([-1e3, -1e5]).reshape(2, 1, 1).astype(complex)
    _, phi1, phi2, phi3 = phi_functions(z)
    np.testing.assert_allclose(phi1, -1 / z, rtol=1e-10)
    np.testing.assert_allclose(phi2, -(1 + 1 / z) / z, rtol=1e-10)
    np.testing.assert_allclose(phi3, -(0.5 + (1 + 1 / z) / z) / z, rtol=1e-10)


@pytest.mark.parametrize("size", [1, 2])
def test_the_time_step_has_fourth_order(size: int) -> None:
    linear = -np.array([[[3.0, 1.0], [-2.0, 5.0]]])[:, :size, :size].astype(complex)

    def rest(t: float, z: np.ndarray) -> np.ndarray:
        return np.cos(3 * t) * z**2 - 0.2 * z + np.sin(t)

    start = np.array([[1.0], [0.5]])[:size].astype(complex)

    def rate(t: float, z: np.ndarray) -> np.ndarray:
        return linear[0] @ z + rest(t, z)

    exact = solve_ivp(rate, (0, 2), start[:, 0], rtol=1e-13, atol=1e-15, method="DOP853").y[:, -1]
    errors = []
    for count in (80, 160):
        scheme, z = coefficients(linear, 2 / count), start
        for i in range(count):
            z = advance(z, i * scheme.step, scheme, rest)
        errors.append(abs(z[:, 0] - exact).max())
    assert np.log2(errors[0] / errors[1]) == pytest.approx(4, abs=0.3)
