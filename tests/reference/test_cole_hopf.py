from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.io import loadmat

from pinngate.errors import InputError
from pinngate.expression import parse
from pinngate.reference import cole_hopf, truth
from pinngate.statement.problem import Coefficient, Truth
from tests.reference.stated import initial, scattered, state

PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "burgers_shock.mat"
LINE = {"x": (-1.0, 1.0), "t": (0.0, 1.0)}
ZERO_ENDS = (("x", -1.0, "u = 0"), ("x", 1.0, "u = 0"))


def burgers(equation: str, **options: Any) -> Any:
    return state(equation, **({"domain": LINE, "conditions": ZERO_ENDS} | options))


def direct(x: float, t: float, nu: float) -> float:
    """Return the textbook quotient for u₀ = −sin πx by adaptive quadrature, for moderate ν."""

    def weight(y: float) -> float:
        # ∫₀^y u₀ = (cos πy − 1)/π; its largest possible exponent is taken out
        return float(np.exp(-((np.cos(np.pi * y) - 1) / np.pi + (x - y) ** 2 / (2 * t)) / (2 * nu)))

    low, high = x - 12 * np.sqrt(2 * nu * t) - 1, x + 12 * np.sqrt(2 * nu * t) + 1
    options = {"epsabs": 0, "epsrel": 1e-12, "limit": 400}
    above = quad(lambda y: (x - y) / t * weight(y), low, high, **options)[0]
    return float(above / quad(weight, low, high, **options)[0])


@pytest.mark.parametrize("x", [-0.9, -0.3, 0.05, 0.6])
@pytest.mark.parametrize("t", [0.1, 0.4, 1.0])
def test_agrees_with_adaptive_quadrature(x: float, t: float) -> None:
    reference = cole_hopf.solve(burgers("u_t + u*u_x = 0.1*u_xx"), initial(u="-sin(pi*x)"))
    found = reference(np.array([[x, t]]))["u"].item()
    assert found == pytest.approx(direct(x, t, 0.1), abs=1e-10)


def test_agrees_with_the_published_field() -> None:
    if not PUBLISHED.exists():
        pytest.skip(f"the published field is not at {PUBLISHED}")
    data = loadmat(PUBLISHED)
    x, t = np.meshgrid(data["x"].ravel(), data["t"].ravel(), indexing="ij")
    points = np.column_stack([x.ravel(), t.ravel()])
    reference = cole_hopf.solve(burgers("u_t + u*u_x = 0.01/pi*u_xx"), initial(u="-sin(pi*x)"))
    assert abs(reference(points)["u"] - data["usol"].ravel()).max() < 1e-9


def test_is_the_initial_data_at_the_initial_time() -> None:
    reference = cole_hopf.solve(burgers("u_t + u*u_x = 0.01/pi*u_xx"), initial(u="-sin(pi*x)"))
    x = np.linspace(-1, 1, 301)
    for t in (0.0, 1e-14, 1e-9):
        found = reference(np.column_stack([x, np.full_like(x, t)]))["u"]
        np.testing.assert_allclose(found, -np.sin(np.pi * x), atol=1e-11 + 10 * t)


@pytest.mark.parametrize("nu", [0.01 / np.pi, 0.001 / np.pi])
def test_satisfies_the_equation_at_small_viscosity(nu: float) -> None:
    """Differences of the reference about points outside the front, where it is smooth."""
    reference = cole_hopf.solve(burgers(f"u_t + u*u_x = {nu!r}*u_xx"), initial(u="-sin(pi*x)"))
    rng = np.random.default_rng(0)
    x, t = rng.uniform(0.1, 0.8, 200), rng.uniform(0.1, 0.9, 200)
    h = 1e-3

    def u(dx: float, dt: float) -> np.ndarray:
        return np.asarray(reference(np.column_stack([x + dx, t + dt]))["u"])

    def slope(values: list[np.ndarray]) -> np.ndarray:  # fourth order
        return (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * h)

    steps = (-2 * h, -h, h, 2 * h)
    u_t, u_x = slope([u(0, s) for s in steps]), slope([u(s, 0) for s in steps])
    u_xx = (-u(-2 * h, 0) + 16 * u(-h, 0) - 30 * u(0, 0) + 16 * u(h, 0) - u(2 * h, 0)) / (12 * h**2)
    # the differences' own error, h⁴ times a fifth derivative of up to 1e4
    np.testing.assert_allclose(u_t + u(0, 0) * u_x - nu * u_xx, 0, atol=1e-7)


def test_a_convection_coefficient_scales_the_field() -> None:
    plain = cole_hopf.solve(burgers("u_t + u*u_x = 0.02*u_xx"), initial(u="-3*sin(pi*x)"))
    scaled = cole_hopf.solve(burgers("2*u_t + 6*u*u_x = 0.04*u_xx"), initial(u="-sin(pi*x)"))
    points = scattered(burgers("u_t = 0"))
    np.testing.assert_allclose(3 * scaled(points)["u"], plain(points)["u"], atol=1e-12)


def test_a_mean_flow_carries_the_field_around_a_ring() -> None:
    options: dict[str, Any] = {"conditions": (), "periodic": ("x",)}
    problem = burgers("u_t + u*u_x = 0.02*u_xx", **options)
    still = cole_hopf.solve(problem, initial(u="sin(pi*x) + 0.2*cos(2*pi*x)"))
    moving = cole_hopf.solve(problem, initial(u="0.7 + sin(pi*x) + 0.2*cos(2*pi*x)"))
    x, t = scattered(problem).T
    behind = (x - 0.7 * t + 1) % 2 - 1
    expected = 0.7 + still(np.column_stack([behind, t]))["u"]
    np.testing.assert_allclose(moving(np.column_stack([x, t]))["u"], expected, atol=1e-12)


def test_data_on_the_line_may_have_twice_the_length_of_the_domain() -> None:
    problem = burgers(
        "u_t + u*u_x = 0.05*u_xx", conditions=(), domain={"x": (0.0, 1.0), "t": (0.0, 1.0)}
    )
    half = cole_hopf.solve(problem, initial(u="-sin(pi*x)"))
    whole = cole_hopf.solve(burgers("u_t + u*u_x = 0.05*u_xx"), initial(u="-sin(pi*x)"))
    points = scattered(problem)
    np.testing.assert_allclose(half(points)["u"], whole(points)["u"], atol=1e-12)
    with pytest.raises(InputError, match="not periodic"):
        cole_hopf.solve(problem, initial(u="exp(-x)"))


def test_a_travelling_front_is_refused_rather_than_bent() -> None:
    with pytest.raises(InputError, match="do not vanish"):
        cole_hopf.solve(burgers("u_t + u*u_x = 0.05*u_xx"), initial(u="-tanh(x)"))


OTHERS = {
    "heat": "u_t = 0.1*u_xx",
    "another power": "u_t + u**2*u_x = 0.1*u_xx",
    "a source": "u_t + u*u_x = 0.1*u_xx + 1",
    "a source in places": "u_t + u*u_x = 0.1*u_xx + sin(pi*x)*x*(x-1)*0.001",
    "negative viscosity": "u_t + u*u_x = -0.1*u_xx",
    "viscosity that changes": "u_t + u*u_x = (0.1 + 0.01*t)*u_xx",
    "a linear term": "u_t + u*u_x + 0.3*u_x = 0.1*u_xx",
    "wave": "u_tt + u*u_x = 0.1*u_xx",
    "dispersion": "u_t + u*u_x = 0.1*u_xx + u_xxx",
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_equations_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="not Burgers' equation"):
        cole_hopf.solve(burgers(OTHERS[name]), initial(u="-sin(pi*x)"))


def test_true_coefficients_are_taken_from_the_truth() -> None:
    known = cole_hopf.solve(burgers("u_t + u*u_x = 0.02*u_xx"), initial(u="-sin(pi*x)"))
    problem = burgers(
        "u_t + speed*u*u_x - nu*u_xx",
        conditions=(),
        coefficients=(Coefficient("speed", 0.5), Coefficient("nu", 0.1, lower=0.0)),
        truth=Truth(
            solver="cole-hopf",
            clean={"u": parse("-sin(pi*x)")},
            constants={"speed": 1.0, "nu": 0.02},
        ),
    )
    reference = truth(problem)
    assert reference is not None
    points = scattered(problem)
    np.testing.assert_allclose(reference(points)["u"], known(points)["u"], atol=1e-13)
    assert "Cole–Hopf" in reference.method
    assert reference.error_estimate is not None
    assert reference.error_estimate < 1e-10
