"""Direct fits against closed forms, other solvers and other least squares."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import least_squares

import pinngate
from pinngate.optim.direct_fit.marched_states import CannotMarch
from tests.optim.direct_fit.problems import breakthrough, column, fitted, sets_of


def test_coefficients_and_intervals_are_those_of_the_closed_form() -> None:
    problem = column()
    (data,) = sets_of(problem)
    x, t = data.points.T
    exact = least_squares(lambda q: breakthrough(x, t, *q) - data.values, [0.6, 0.08])
    variance = 2 * exact.cost / (len(t) - 2)
    stds = np.sqrt(variance * np.linalg.inv(exact.jac.T @ exact.jac).diagonal())
    found = fitted(problem)
    assert found.is_converged
    values, deviations = zip(*found.coefficients.values(), strict=True)
    np.testing.assert_allclose(values, exact.x, atol=0.05 * stds.min())
    np.testing.assert_allclose(deviations, stds, rtol=0.03)
    assert found.solver_error.shift < 0.25
    points = np.column_stack([np.linspace(0.05, 1, 20), np.linspace(0.5, 4, 20)])
    error = found.fields(points)[:, 0] - breakthrough(*points.T, *values)
    assert np.abs(error).max() < 2e-3
    assert (found.std(points) > 0).all()


def test_predator_and_prey_from_far_rates() -> None:
    rates, times = (1.0, 0.4, 0.2, 0.5), np.linspace(0, 40, 81)

    def cycle(t: float, y: np.ndarray, a: float, b: float, c: float, d: float) -> list[float]:
        return [a * y[0] - b * y[0] * y[1], c * y[0] * y[1] - d * y[1]]

    def solved(q: np.ndarray) -> np.ndarray:
        return solve_ivp(cycle, (0, 40), q[4:], t_eval=times, args=q[:4], rtol=1e-9, atol=1e-9).y

    truth = np.array([*rates, 4.0, 1.5])
    values = solved(truth) + 0.1 * np.random.default_rng(0).standard_normal((2, 81))
    problem = pinngate.Problem(
        domain={"t": [0, 40]},
        unknowns=["u", "v"],
        equations=["u_t = a*u - b*u*v", "v_t = c*u*v - d*v"],
        estimate={
            name: pinngate.Unknown(1.3 * rate, positive=True)
            for name, rate in zip("abcd", rates, strict=True)
        },
        observations=[
            pinngate.Observations("u", times, values[0]),
            pinngate.Observations("v", times, values[1]),
        ],
    )
    exact = least_squares(lambda q: (solved(q) - values).ravel(), truth, diff_step=1e-6)
    found = fitted(problem)
    estimates = [value for value, _ in found.coefficients.values()]
    deviations = [std for _, std in found.coefficients.values()]
    np.testing.assert_allclose(estimates, exact.x[:4], atol=0.2 * min(deviations))
    for (value, std), rate in zip(found.coefficients.values(), rates, strict=True):
        assert abs(value - rate) < 4 * std
    assert all(0.08 < noise < 0.12 for noise in found.noise_std.values())


def test_a_rate_of_another_order_of_magnitude() -> None:
    times = np.linspace(0, 10, 40)
    values = 5 / (1 + 5 * 0.3 * times) + 0.02 * np.random.default_rng(2).standard_normal(40)
    problem = pinngate.Problem(
        domain={"t": [0, 10]},
        unknowns=["y"],
        equations=["y_t = -A*1e-8*y**2"],
        estimate={"A": pinngate.Unknown(1.0, positive=True)},
        observations=[pinngate.Observations("y", times, values)],
    )
    value, std = fitted(problem).coefficients["A"]
    assert abs(value - 3e7) < 4 * std


def test_an_unknown_initial_state_is_as_smooth_as_the_data_say() -> None:
    rng = np.random.default_rng(4)
    points = np.column_stack([rng.uniform(0, 1, 200), rng.uniform(0, 1, 200)])

    def truth(p: np.ndarray) -> np.ndarray:
        decay = np.exp(-0.05 * (np.pi * np.array([1, 3])) ** 2 * p[:, 1:])
        return (decay * np.sin(np.pi * p[:, :1] * [1, 3]) * [1, 0.5]).sum(axis=1)

    problem = pinngate.Problem(
        domain={"x": [0, 1], "t": [0, 1]},
        unknowns=["u"],
        equations=["u_t = k*u_xx"],
        conditions=["u = 0 at x = 0", "u = 0 at x = 1"],
        estimate={"k": pinngate.Unknown(0.02, positive=True)},
        observations=[
            pinngate.Observations("u", points, truth(points) + 0.02 * rng.standard_normal(200))
        ],
    )
    found = fitted(problem)
    value, std = found.coefficients["k"]
    assert abs(value - 0.05) < 4 * std < 0.01
    grid = np.stack(np.meshgrid(np.linspace(0, 1, 21), np.linspace(0, 1, 11)), -1).reshape(-1, 2)
    error, deviation = found.fields(grid)[:, 0] - truth(grid), found.std(grid)[:, 0]
    assert np.sqrt(np.mean(error**2)) < 0.01
    assert np.mean(np.abs(error) < 2 * deviation + 1e-3) > 0.8


def test_a_coefficient_function() -> None:
    places, times = np.linspace(0.05, 0.95, 19), np.linspace(0.05, 1, 10)
    points = np.stack(np.meshgrid(places, times), -1).reshape(-1, 2)
    values = (1 - points[:, 0] ** 2) * points[:, 1]
    values = values + 0.002 * np.random.default_rng(5).standard_normal(len(values))
    problem = pinngate.Problem(
        domain={"x": [0, 1], "t": [0, 1]},
        unknowns=["u"],
        equations=["u_t = (a*u_x)_x + 1 - x**2 + t*(1 + 2*x)"],  # where a = (1 + x)/2
        conditions=["u = 0 at t = 0", "u_x = 0 at x = 0", "u = 0 at x = 1"],
        estimate={"a": pinngate.Unknown(0.4, positive=True, over="x")},
        observations=[pinngate.Observations("u", points, values, std=0.002)],
    )
    found = fitted(problem)
    at = np.column_stack([np.linspace(0.2, 1, 17), np.ones(17)])
    error = found.fields(at)[:, 1] - (1 + at[:, 0]) / 2
    assert np.abs(error).max() < 0.05
    assert np.mean(np.abs(error) < 2.5 * found.std(at)[:, 1]) > 0.8
    assert found.noise_std["observation_1"] == 0.002


def test_an_unknown_value_at_an_end() -> None:
    points = np.stack(np.meshgrid([0.3, 0.6, 0.9], np.linspace(0.02, 1, 50)), -1).reshape(-1, 2)

    def truth(x: np.ndarray, t: np.ndarray) -> np.ndarray:  # heat below a surface that oscillates
        k = np.sqrt(2 * np.pi / 2 / 0.1)
        return np.exp(-k * (1 - x)) * np.sin(2 * np.pi * t - k * (1 - x))

    start = "exp(-sqrt(pi/0.1)*(1 - x))*sin(-sqrt(pi/0.1)*(1 - x))"
    noise = 0.01 * np.random.default_rng(6).standard_normal(len(points))
    problem = pinngate.Problem(
        domain={"x": [0, 1], "t": [0, 1]},
        unknowns=["u"],
        equations=["u_t = 0.1*u_xx"],
        conditions=[f"u = {start} at t = 0", "u = g at x = 1"],
        estimate={"g": pinngate.Unknown(0.0, over="t")},
        observations=[pinngate.Observations("u", points, truth(*points.T) + noise)],
    )
    found = fitted(problem)
    times = np.linspace(0.05, 0.9, 18)
    at = np.column_stack([np.ones(18), times])
    error = found.fields(at)[:, 0] - np.sin(2 * np.pi * times)
    assert np.abs(error).max() < 0.1
    np.testing.assert_allclose(found.fields(at)[:, 1], found.fields(at)[:, 0], atol=2e-3)
    assert "x = 0" in found.description


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"equations": ["k*u_xx = 1"]}, "no equation holds a time derivative"),
        ({"conditions": ["u = 0 at x = 0.5"]}, "not at an end"),
    ],
)
def test_what_is_refused_and_why(changes: dict, reason: str) -> None:
    stated = {
        "domain": {"x": [0, 1], "t": [0, 1]},
        "unknowns": ["u"],
        "equations": ["u_t = k*u_xx"],
        "estimate": {"k": pinngate.Unknown(1.0)},
        "observations": [pinngate.Observations("u", [[0.5, 0.5]], [1.0])],
    }
    with pytest.raises(CannotMarch, match=reason):
        fitted(pinngate.Problem(**{**stated, **changes}))


def test_noise_of_a_linear_system_is_no_bad_start() -> None:
    fields = [f"u{k}" for k in range(6)]
    rng = np.random.default_rng(3)
    t = np.linspace(0, 1, 5)
    data = [pinngate.Observations(f, t, np.exp(-t) + 0.2 * rng.standard_normal(5)) for f in fields]
    problem = pinngate.Problem(
        name="apart",
        domain={"t": [0, 1]},
        unknowns=fields,
        equations=[f"{f}_t = -{f}" for f in fields],
        observations=data,
    )
    fit = fitted(problem)
    assert fit.unexplained > 0.3
    assert not fit.is_poor
    assert fit.is_settled
    assert fit.explains
