"""Solutions and tangents of the solver against closed forms, differences and known orders."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import exp1

import pinngate
from pinngate.optim.direct_fit.exact_model import ExactModel, Resolution, Solution
from pinngate.optim.direct_fit.marching_form import MarchingForm
from pinngate.optim.direct_fit.radau_march import MarchFailed
from pinngate.reference.stencils import Line
from tests.optim.direct_fit.problems import breakthrough, column, model_of

POINT = [pinngate.Observations("u", [[0.5, 0.5]], [1.0])]


def problem(**stated: object) -> pinngate.Problem:
    axes = {"domain": {"x": [0, 1], "t": [0, 1]}, "unknowns": ["u"], "observations": POINT}
    return pinngate.Problem(**{**axes, **stated})


def solved(model: ExactModel, count: int, tolerance: float = 1e-6) -> tuple[np.ndarray, Solution]:
    theta = model.unknowns.start(None)
    first = model.solve(theta, model.first_resolution(count, tolerance))
    return theta, model.solve(theta, model.adapted_resolution(first, count, tolerance))


def even(model: ExactModel, count: int, tolerance: float) -> Solution:
    nodes = Line(np.linspace(0, 1, count))
    return model.solve(model.unknowns.start(None), Resolution(nodes, tolerance))


HEAT = {
    "equations": ["u_t = 0.1*u_xx"],
    "conditions": ["u = sin(pi*x) at t = 0", "u = 0 at x = 0", "u = 0 at x = 1"],
}
PLACES = np.column_stack([np.linspace(0.05, 0.95, 9), np.linspace(0.1, 1, 9)])


def test_order_in_space() -> None:
    exact = np.exp(-0.1 * np.pi**2 * PLACES[:, 1]) * np.sin(np.pi * PLACES[:, 0])
    errors = []
    for count in (11, 21):
        model = model_of(problem(**HEAT))
        solution = even(model, count, 1e-9)
        ends = solution.march.states[-1]  # at the nodes: reading between them is of fourth order
        x = solution.system.line.nodes
        errors.append(np.abs(ends - np.exp(-0.1 * np.pi**2) * np.sin(np.pi * x)).max())
        found = model.fields(solution, model.unknowns.start(None), PLACES)[0][:, 0]
        assert np.abs(found - exact).max() < 2e-4
    assert errors[0] / errors[1] > 2**3.2


def test_order_in_time_and_steps() -> None:
    oscillator = pinngate.Problem(
        domain={"t": [0, 10]},
        unknowns=["u"],
        equations=["u_tt + u = 0"],
        conditions=["u = 1 at t = 0", "u_t = 0 at t = 0"],
        observations=[pinngate.Observations("u", [1.0], [1.0])],
    )
    errors, steps = [], []
    for tolerance in (1e-3, 1e-6):
        model = model_of(oscillator)
        solution = model.solve(np.zeros(0), model.first_resolution(1, tolerance))
        errors.append(abs(solution.march.states[-1, 0] - np.cos(10.0)))
        steps.append(solution.march.num_steps)
    assert errors[1] < 1e-6
    assert np.log(errors[0] / errors[1]) / np.log(steps[1] / steps[0]) > 4


def test_a_step_that_enters_at_a_corner() -> None:
    model = model_of(column())
    theta, solution = solved(model, 160)
    points = np.column_stack([np.linspace(0.01, 1, 40), np.tile(np.linspace(0.05, 4, 20), 2)])
    found = model.fields(solution, theta, points)[0][:, 0]
    assert np.abs(found - breakthrough(*points.T, 0.3, 0.2)).max() < 1e-3


def test_four_decades_of_a_radius_and_a_flux_with_a_coefficient() -> None:
    radial = pinngate.Problem(
        domain={"x": [0.01, 1000], "t": [0, 1]},
        unknowns=["s"],
        equations=["0.001*s_t = T*(s_xx + s_x/x)"],
        conditions=["s = 0 at t = 0", "2*pi*T*x*s_x = -50 at x = 0.01", "s = 0 at x = 1000"],
        estimate={"T": pinngate.Unknown(10.0, positive=True)},
        observations=[pinngate.Observations("s", [[1.0, 0.5]], [1.0])],
    )
    model = model_of(radial)
    theta, solution = solved(model, 160)
    points = np.column_stack([np.geomspace(0.1, 50, 20), np.linspace(0.2, 1, 20)])
    u = 0.001 * points[:, 0] ** 2 / (4 * 10 * points[:, 1])
    exact = 50 / (4 * np.pi * 10) * exp1(u)
    values, slopes = model.fields(solution, theta, points)
    assert np.abs(values[:, 0] - exact).max() < 2e-3 * exact.max()
    by_logarithm = 50 / (4 * np.pi * 10) * (np.exp(-u) - exp1(u))  # T ∂s/∂T, for u ∝ 1/T
    np.testing.assert_allclose(slopes[:, 0, 0], by_logarithm, atol=4e-3 * exact.max())


def test_a_switch_in_time_and_a_step_in_space() -> None:
    layered = problem(
        domain={"x": [0, 1], "t": [0, 40]},
        equations=["u_t = ((1 + 9*heaviside(x - 0.4))*u_x)_x"],
        conditions=["u = 0 at t = 0", "u = heaviside(20.3 - t) at x = 0", "u = 0 at x = 1"],
    )
    model = model_of(layered)
    theta, solution = solved(model, 60)
    assert 20.3 in solution.march.ends
    x = np.linspace(0, 1, 31)
    drop = 0.4 + 0.6 / 10  # in units of the flux
    steady = np.where(x < 0.4, 1 - x / drop, (1 - x) / 10 / drop)
    before, after = (np.column_stack([x, np.full(31, t)]) for t in (20.2, 40.0))
    found = model.fields(solution, theta, before)[0][:, 0]
    assert np.abs(found - steady).max() < 5e-4
    assert np.abs(model.fields(solution, theta, after)[0]).max() < 1e-4


def test_a_front_where_diffusion_ends_keeps_what_there_is() -> None:
    front = "sqrt(0.5*(1 - x**2/12 + abs(1 - x**2/12)))"
    porous = problem(
        domain={"x": [-6, 6], "t": [1, 4]},
        equations=["u_t = (u**m)_xx"],
        conditions=[f"u = {front} at t = 1", "u = 0 at x = -6", "u = 0 at x = 6"],
        estimate={"m": pinngate.Unknown(3.0, positive=True)},
        observations=[pinngate.Observations("u", [[0.5, 2.0]], [1.0])],
    )
    model = model_of(porous)
    theta, solution = solved(model, 200, 1e-4)
    x = np.linspace(-5.9, 5.9, 60)
    points = np.column_stack([x, np.full(60, 4.0)])
    found = model.fields(solution, theta, points)[0][:, 0]
    barenblatt = 4**-0.25 * np.sqrt(np.maximum(1 - x**2 / 24, 0))
    assert np.linalg.norm(found - barenblatt) < 0.02 * np.linalg.norm(barenblatt)
    assert found.min() > -0.01


NONLINEAR = {
    "conductivity": {
        "equations": ["u_t = ((k + u**2)*u_x)_x - r*u"],
        "conditions": [
            "u = a*x*(1 - x) at t = 0",
            "u_x = k*u at x = 0",
            "u = 0.2*sin(t) at x = 1",
        ],
        "estimate": {"k": 0.2, "r": 0.5, "a": 1.0},
    },
    "periodic": {
        "equations": ["u_t = -c*(u**2/2)_x + k*u_xx"],
        "conditions": ["periodic in x", "u = sin(2*pi*x) at t = 0"],
        "estimate": {"c": 0.5, "k": 0.05},
    },
    "coupled": {
        "unknowns": ["u", "w"],
        "equations": ["u_t = k*u_xx - u*w", "w_t = 0.5*k*w_xx + u*w - r*w"],
        "conditions": [
            "u = 1 + 0.2*cos(pi*x) at t = 0",
            "w = 0.5 at t = 0",
            "u_x = 0 at x = 0",
            "w_x = 0 at x = 0",
            "u_x = 0 at x = 1",
            "w_x = r at x = 1",
        ],
        "estimate": {"k": 0.1, "r": 0.3},
    },
    "wave": {
        "equations": ["u_tt = c**2*u_xx - d*u_t"],
        "conditions": [
            "u = 0 at t = 0",
            "u_t = sin(pi*x) at t = 0",
            "u_x = d*sin(t) at x = 0",
            "u_t + c*u_x = 0 at x = 1",
        ],
        "estimate": {"c": 0.8, "d": 0.3},
    },
    "function": {
        "equations": ["u_t = (q*u_x)_x"],
        "conditions": ["u = x at t = 0", "u = 0 at x = 0", "u_x = exp(-t) at x = 1"],
        "estimate": {"q": pinngate.Unknown(0.3, positive=True, over="x")},
    },
    "law of a field and a place": {
        "equations": ["u_t = (q(u, x)*u_x)_x + g(u)"],
        "conditions": ["u = x at t = 0", "u = 0 at x = 0", "u_x = exp(-t) at x = 1"],
        "estimate": {
            "q": pinngate.Unknown(
                0.3, positive=True, over=["u", "x"], range={"u": [-1, 2]}, knots=[5, 4]
            ),
            "g": pinngate.Unknown(0.1, over="u", range=[-1, 2], knots=5),
        },
    },
    "law of two fields": {
        "unknowns": ["u", "w"],
        "equations": ["u_t = k*u_xx - f(u, w)", "w_t = 0.5*u_xx + f(u, w)"],
        "conditions": [
            "u = 1 + 0.2*cos(pi*x) at t = 0",
            "w = 0.5 at t = 0",
            "u_x = 0 at x = 0",
            "u_x = 0 at x = 1",
        ],
        "estimate": {
            "k": 0.1,
            "f": pinngate.Unknown(
                0.2, lower=-1, upper=2, over=["u", "w"], range={"u": [0, 2], "w": [0, 2]}, knots=5
            ),
        },
    },
}


@pytest.mark.parametrize("name", NONLINEAR)
def test_tangents_are_derivatives(name: str) -> None:
    model = model_of(problem(**NONLINEAR[name]))
    resolution = model.first_resolution(24, 1e-7)
    theta = model.unknowns.start(None)
    theta += 0.1 * np.random.default_rng(0).standard_normal(len(theta))
    slopes = model.fields(model.solve(theta, resolution), theta, PLACES)[1]
    direction = np.random.default_rng(1).standard_normal(len(theta))
    ends = [
        model.fields(model.solve(at, resolution), at, PLACES)[0]
        for at in (theta - 1e-4 * direction, theta + 1e-4 * direction)
    ]
    expected = (ends[1] - ends[0]) / 2e-4
    size = np.abs(expected).max()
    np.testing.assert_allclose(slopes @ direction, expected, atol=2e-4 * size)


def test_a_solution_that_runs_away_is_none() -> None:
    explosive = pinngate.Problem(
        domain={"t": [0, 2]},
        unknowns=["u"],
        equations=["u_t = u**2"],
        conditions=["u = 1 at t = 0"],
        observations=[pinngate.Observations("u", [0.5], [2.0])],
    )
    model = model_of(explosive)
    with pytest.raises(MarchFailed):
        model.solve(np.zeros(0), model.first_resolution(1, 1e-4))


def test_open_ends_and_orders() -> None:
    form = MarchingForm(column())
    assert form.open_ends == (False, True)
    assert form.is_linear
    assert not form.is_quasilinear


def test_steps_end_at_the_knots_of_a_table() -> None:
    # u' = f - u with f held between knots: u goes to each value exponentially
    knots, values = np.arange(11.0), np.array([1, 3, 3, 0, 2, 5, 5, 5, 1, 0, 4.0])
    room = pinngate.Problem(
        domain={"t": [0, 11]},
        unknowns=["u"],
        inputs={"f": pinngate.Input(t=knots, values=values, interpolation="step")},
        equations=["u_t = f - u"],
        conditions=["u = 0 at t = 0"],
        observations=[pinngate.Observations("u", [[0.5]], [1.0])],
    )
    model = model_of(room)
    theta, solution = solved(model, 11, 1e-8)
    ends = solution.march.ends
    jumps = knots[1:][np.diff(values) != 0]
    assert all(np.abs(ends - knot).min() < 1e-9 for knot in jumps)
    assert solution.march.num_steps < 40 * len(knots)
    exact, places, at = 0.0, np.arange(1.0, 12.0), []
    for value in values:
        exact = value + (exact - value) * np.exp(-1)
        at.append(exact)
    found = model.fields(solution, theta, places[:, None])[0][:, 0]
    assert found == pytest.approx(at, abs=1e-7)


def test_conditions_in_windows_change_what_holds_at_an_end() -> None:
    rod = problem(
        equations=["u_t = u_xx"],
        conditions=[
            "u = 0 at t = 0",
            "u = 1 at x = 0 and t < 0.5",
            "u_x = 0 at x = 0 and t > 0.5",
            "u_x = 0 at x = 1",
        ],
    )
    model = model_of(rod)
    theta, solution = solved(model, 81)
    at = np.array([[0.0, 0.25], [0.0, 0.75], [1.0, 0.99], [0.0, 0.99]])
    found = model.fields(solution, theta, at)[0][:, 0]
    assert found[0] == pytest.approx(1)
    assert found[1] < 1  # closed on both sides, the rod keeps its heat and evens it out
    assert found[3] == pytest.approx(found[2], abs=0.02)
