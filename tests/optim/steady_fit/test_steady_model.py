"""Elements against closed forms, and their derivatives against differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import pinngate
from pinngate.data.observations import ObservationSet
from pinngate.expression import Name
from pinngate.model.coefficients import Coefficients
from pinngate.optim.direct_fit.marched_states import CannotMarch
from pinngate.optim.direct_fit.unknowns import Unknowns
from pinngate.optim.steady_fit.banded import BandPattern
from pinngate.optim.steady_fit.element_grid import ElementGrid
from pinngate.optim.steady_fit.steady_model import SteadyModel
from pinngate.optim.steady_fit.through_elements import can_be_solved
from pinngate.optim.steady_fit.weak_form import SteadyForm

Array = NDArray[np.float64]
SIDES = [f"u = 0 at {axis} = {end}" for axis in "xy" for end in (0, 1)]


def problem(equations: Any, conditions: list[str], estimate: Any, axes: str = "x") -> Any:
    unknowns = ["u", "v"] if len(equations) > 1 else ["u"]
    return pinngate.Problem(
        domain=dict.fromkeys(axes, (0, 1)),
        unknowns=unknowns,
        equations=equations,
        conditions=conditions,
        estimate=estimate,
        observations=[pinngate.Observations("u", [[0.5] * len(axes)], [0.1])],
    )


def model(stated: pinngate.Problem) -> SteadyModel:
    form = SteadyForm(stated)
    coefficients = Coefficients(stated.coefficients, torch.float64)
    return SteadyModel(form, Unknowns(form, coefficients, np.zeros(0)))


def solved(stated: pinngate.Problem, points: Array, count: int = 32) -> Array:
    made = model(stated)
    theta = made.unknowns.start(None)
    return made.fields(made.solve(theta, count), theta, points)[0][:, 0]


def pieces(*values: float, **axes: Any) -> dict[str, Any]:
    """Return pieces that start at one value; `start_at` gives them others."""
    return {"k": {"initial": values[0], "positive": True, "pieces": axes}}


def test_layers_of_a_rod() -> None:
    stated = problem(["(k*u_x)_x = 0"], ["u = 0 at x = 0", "u = 1 at x = 1"], pieces(1.0, x=[0.25]))
    made = model(stated)
    theta = np.log([1.0, 3.0])
    x = np.linspace(0, 1, 9)[:, None]
    flux = 1 / (0.25 + 0.75 / 3)
    expected = np.where(x < 0.25, flux * x, 1 - flux * (1 - x) / 3)[:, 0]
    found, _ = made.fields(made.solve(theta, 4), theta, x)
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-12)


def test_a_patchwork_of_the_second_order() -> None:
    stated = pinngate.load("patchwork-plate")
    made = model(stated)
    theta = np.log([stated.true_coefficients()[c.name] for c in stated.coefficients])
    points = np.random.default_rng(0).random((200, 2))
    assert stated.truth is not None
    known = {"x": points[:, 0], "y": points[:, 1]}
    expected = pinngate.expression.evaluate(stated.truth.fields["u"], known, np)
    errors = [
        np.abs(made.fields(made.solve(theta, n), theta, points)[0][:, 0] - expected).max()
        for n in (24, 48)
    ]
    assert errors[1] < 0.03
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.2)


def test_slopes_and_mixed_conditions_at_ends() -> None:
    # u = x + x**2 with k = 2: flux 2(1 + 2x), at x = 0 it is 2, at x = 1 it is 6 = 12 - 3u
    stated = problem(
        ["(k*u_x)_x = 4"],
        ["k*u_x = 2 at x = 0", "k*u_x + 3*u = 12 at x = 1"],
        pieces(2.0, x=2),
    )
    x = np.linspace(0, 1, 5)[:, None]
    np.testing.assert_allclose(solved(stated, x, 64), (x + x**2)[:, 0], atol=1e-3)


def test_a_nonlinear_equation() -> None:
    stated = problem(
        ["(k*(1 + u)*u_x)_x = 0"], ["u = 0 at x = 0", "u = 1 at x = 1"], pieces(1.0, x=2)
    )
    x = np.linspace(0, 1, 9)[:, None]
    np.testing.assert_allclose(solved(stated, x, 64), np.sqrt(1 + 3 * x[:, 0]) - 1, atol=1e-3)


def test_two_fields() -> None:
    # u = sin(pi x), v = u/2
    stated = problem(
        ["(k*u_x)_x + pi**2*u = 0.5*u - v", "v_xx = -pi**2*u/2"],
        [f"{f} = 0 at x = {end}" for f in "uv" for end in (0, 1)],
        pieces(1.0, x=2),
    )
    made = model(stated)
    theta = made.unknowns.start(None)
    assert np.abs(made.solve(theta, 8).state).max() < 1e-12  # both are zero, and solve it
    loaded = problem(
        ["(k*u_x)_x + v = -pi**2*sin(pi*x) + sin(pi*x)/2", "v_xx = -pi**2*u/2"],
        [f"{f} = 0 at x = {end}" for f in "uv" for end in (0, 1)],
        pieces(1.0, x=2),
    )
    x = np.linspace(0, 1, 9)[:, None]
    np.testing.assert_allclose(solved(loaded, x, 64), np.sin(np.pi * x[:, 0]), atol=2e-3)


CASES = {
    "plane": problem(["(k*u_x)_x + (k*u_y)_y = -k - u"], SIDES, pieces(1.0, x=2, y=2), "xy"),
    "nonlinear": problem(
        ["(k*u_x)_x = r*u**3 - 1"],
        ["u = r at x = 0", "k*u_x = r - u at x = 1"],
        {**pieces(1.0, x=3), "r": 0.5},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_tangents_and_gradients_are_those_of_differences(name: str) -> None:
    made = model(CASES[name])
    random = np.random.default_rng(1)
    theta = made.unknowns.start(None) + 0.3 * random.standard_normal(made.unknowns.count)
    points = random.random((7, len(CASES[name].axes)))
    data = ObservationSet("flux", "k*u", points, np.zeros(7), quantity=_quantity(CASES[name]))
    values, slopes = made.readings(made.solve(theta, 6), theta, data)
    assert np.abs(values).max() > 1e-3
    for k in range(made.unknowns.count):
        step = np.eye(made.unknowns.count)[k] * 1e-6
        above, below = (
            made.readings(made.solve(t, 6), t, data)[0] for t in (theta + step, theta - step)
        )
        np.testing.assert_allclose(slopes[:, k], (above - below) / 2e-6, atol=1e-7)
    solution, weights = made.solve(theta, 6), random.standard_normal(7)
    found = made.reading(solution, data)
    pulled = solution.pulled_back(found.by_state.T @ weights) + found.by_parameter.T @ weights
    np.testing.assert_allclose(pulled, slopes.T @ weights, atol=1e-10)


def _quantity(stated: pinngate.Problem) -> Any:
    return pinngate.expression.multiply(stated.pieces[0].expression, Name("u_x"))


def test_what_elements_do_not_take() -> None:
    own = pieces(1.0, x=2)
    ends = ["u = 0 at x = 0", "u = 0 at x = 1"]
    assert can_be_solved(problem(["(k*u_x)_x = 1"], ends, own))
    assert not can_be_solved(problem(["u_xx = c"], ends, {"c": 1}))  # networks and bases do
    refused = {
        "0 conditions": problem(["(k*u_x)_x = 1"], ends[:1], own),
        "no equation of second order": problem(["k*u_x = 1"], ends, own),
        "order 3 is no flux's": problem(["(k*u_x)_x = u_xxx"], ends, own),
        "not linear in its highest": problem(["(k*u_x)_x = u_xx**2"], ends, own),
    }
    for said, stated in refused.items():
        assert not can_be_solved(stated)
        with pytest.raises(CannotMarch, match=said):
            SteadyForm(stated)


def test_an_equation_without_solution_is_told() -> None:
    made = model(
        problem(["(k*u_x)_x = 1"], ["u_x = 0 at x = 0", "u_x = 0 at x = 1"], pieces(1.0, x=2))
    )
    with pytest.raises(Exception, match=r"singular|comes? to rest|derivative"):
        made.solve(made.unknowns.start(None), 8)


def test_factors_of_a_band() -> None:
    random = np.random.default_rng(2)
    matrix = np.triu(np.tril(random.standard_normal((9, 9)), 2), -2)
    rows, columns = np.nonzero(matrix)
    values = np.concatenate([matrix[rows, columns] / 2, matrix[rows, columns] / 2, [5.0]])
    pattern = BandPattern(np.append(np.tile(rows, 2), 9), np.append(np.tile(columns, 2), 0), 9)
    factors, right = pattern.factored(values), random.standard_normal(9)
    assert factors is not None
    np.testing.assert_allclose(factors.solve(right), np.linalg.solve(matrix, right))
    transposed = np.linalg.solve(matrix.T, right)
    np.testing.assert_allclose(factors.solve(right, is_transposed=True), transposed)
    assert pattern.factored(0 * values) is None


def test_shape_functions_integrate_and_interpolate() -> None:
    grid = ElementGrid([np.array([0.0, 0.2, 1.0]), np.array([0.0, 0.5, 0.6, 2.0])])
    assert grid.inside.weights.sum() == pytest.approx(2.0)
    assert grid.side(0, 1).weights.sum() == pytest.approx(2.0)
    assert grid.side(1, 0).weights.sum() == pytest.approx(1.0)
    assert np.unique(grid.side(1, 1).points[:, :, 1]) == pytest.approx([2.0])
    values = 1 + 2 * grid.points[:, 0] - grid.points[:, 1]
    points = np.random.default_rng(3).random((20, 2)) * [1, 2]
    np.testing.assert_allclose(grid.sampler(points) @ values, 1 + 2 * points[:, 0] - points[:, 1])
    np.testing.assert_allclose(grid.sampler(points, 1) @ values, -1)
