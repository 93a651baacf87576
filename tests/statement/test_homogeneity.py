"""Which coefficients only scale together, read off the equations."""

from __future__ import annotations

import numpy as np
import pytest

import pinngate
from pinngate.report.terminal import verdict_lines
from pinngate.statement.homogeneity import scaled_together, words


def problem(
    equation: str, names: str = "rho mu", conditions: list[str] | None = None, of: str = "u"
) -> pinngate.Problem:
    places = np.linspace(0.1, 0.9, 12)
    values = np.sin(places) + 0.02 * np.random.default_rng(0).standard_normal(12)
    return pinngate.Problem(
        name="scaled",
        domain={"x": [0, 1], "t": [0, 1]},
        unknowns=["u"],
        equations=[equation],
        conditions=conditions or ["u = 0 at x = 0"],
        estimate={name: pinngate.Unknown(1.0, positive=True) for name in names.split()},
        observations=[pinngate.Observations(of, {"x": places, "t": places}, values)],
    )


@pytest.mark.parametrize(
    ("equation", "names", "expected"),
    [
        ("rho*u_t = mu*u_xx", "rho mu", ("rho", "mu")),
        ("rho*u_t = mu*u_xx - k*u", "rho mu k", ("rho", "mu", "k")),
        ("u_t = mu/rho*u_xx", "rho mu", ("rho", "mu")),
        ("u_t = mu*rho*u_xx", "rho mu", ()),
        ("rho*u_t = mu*u_xx - u", "rho mu", ()),
        ("k*(u_t - u_xx) = 0", "k", ("k",)),
        ("rho**2*u_t = mu**2*u_xx", "rho mu", ("rho", "mu")),
        ("rho**2*u_t = mu*u_xx", "rho mu", ()),
        ("u_t = 1e-20*mu*u_xx", "mu", ()),
        ("u_t = mu*heaviside(x - 0.9)", "mu", ()),
    ],
)
def test_only_ratios(equation: str, names: str, expected: tuple[str, ...]) -> None:
    assert scaled_together(problem(equation, names)) == expected


def test_products_are_told_and_factors_are_not_yet() -> None:
    """A product of two is a power law of another kind: their sizes trade, none is common."""
    assert scaled_together(problem("u_t = mu*rho*u_xx")) == ()


def test_a_flux_or_a_sensor_tells_the_size() -> None:
    conditions = ["u = 0 at x = 0", "mu*u_x = 1 at x = 1"]
    assert scaled_together(problem("rho*u_t = mu*u_xx", conditions=conditions)) == ()
    assert scaled_together(problem("rho*u_t = mu*u_xx", of="mu*u_x")) == ()


def test_functions_scale_with_their_derivatives() -> None:
    function = pinngate.Unknown(0.3, over="x", positive=True)
    places = np.linspace(0.1, 0.9, 12)
    made = pinngate.Problem(
        name="two",
        domain={"x": [0, 1], "t": [0, 1]},
        unknowns=["u"],
        equations=["nu*u_t = -(f*u)_x"],
        estimate={"nu": function, "f": function},
        observations=[pinngate.Observations("u", {"x": places, "t": places}, np.sin(places))],
    )
    assert scaled_together(made) == ("nu", "f")
    assert "nu and f up to a common factor" in words(("nu", "f"))


def test_a_run_says_so() -> None:
    solution = pinngate.solve(problem("rho*u_t = mu*u_xx"), callback=lambda p: True)
    assert solution.metrics["determined"] is False
    assert any(
        "rho and mu up to a common factor" in line for line in verdict_lines(solution.metrics)
    )
