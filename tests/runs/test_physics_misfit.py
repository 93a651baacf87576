"""What share of the physics is unmet, of equations written in any way."""

from __future__ import annotations

import numpy as np

import pinngate


def test_a_product_with_a_bracket_is_judged_by_what_is_in_it() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(size=(60, 2))
    values = points[:, 0] * points[:, 1] + 0.01 * rng.standard_normal(60)
    shares = []
    for equation in ("k*(u_xx + u_yy) = 0", "k*u_xx + k*u_yy = 0"):
        problem = pinngate.Problem(
            domain={"x": [0, 1], "y": [0, 1]},
            unknowns=["u"],
            equations=[equation],
            conditions=["u = 0 at x = 0", "u = 0 at y = 0", "k*u_x = 2*y at x = 1"],
            estimate={"k": pinngate.Unknown(1, positive=True)},
            observations=[pinngate.Observations("u", points, values)],
        )
        solution = pinngate.solve(problem)
        shares.append(solution.metrics["physics_misfit"]["equation_1"])
        assert solution.metrics["verdict"] == "solved"
    assert max(shares) < 0.1


def test_layers_with_an_insulated_end_are_judged() -> None:
    x = np.linspace(0.05, 1, 40)
    points = np.column_stack([np.tile(x, 2), np.repeat([0.1, 0.3], 40)])
    values = np.sin(np.pi * points[:, 0] / 2) * np.exp(-2.5 * points[:, 1])
    problem = pinngate.Problem(
        domain={"x": [0, 1], "t": [0, 0.4]},
        unknowns=["u"],
        equations=["u_t = ((1 + k*heaviside(x - 0.5))*u_x)_x"],
        conditions=["u = sin(pi*x/2) at t = 0", "u = 0 at x = 0", "u_x = 0 at x = 1"],
        estimate={"k": pinngate.Unknown(1, positive=True)},
        observations=[pinngate.Observations("u", points, values)],
    )
    found = pinngate.solve(problem).metrics["physics_misfit"]
    assert found["condition_3"] < 1e-3
