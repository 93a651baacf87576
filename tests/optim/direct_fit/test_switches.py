"""Steps whose times depend on states or coefficients: tangents, fits, and what slides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import least_squares

import pinngate
from pinngate.optim.direct_fit.marched_states import MarchFailed, Symbol
from pinngate.statement.linearity import is_linear
from tests.optim.direct_fit.problems import fitted, model_of

Array = NDArray[np.float64]
TIMES = np.array([0.4, 0.9, 1.3, 1.9])


def problem(**stated: Any) -> pinngate.Problem:
    seen = [pinngate.Observations(stated["unknowns"][0], {"t": [1.0]}, [0.5])]
    return pinngate.Problem(**{"domain": {"t": [0, 2]}, "observations": seen, **stated})


def friction(**changes: Any) -> pinngate.Problem:
    """Return a sled between springs with dry friction."""
    stated: dict[str, Any] = {
        "unknowns": ["x1"],
        "equations": ["x1_tt + w2*x1 + f*sign(x1_t) = 0"],
        "conditions": ["x1 = 1 at t = 0", "x1_t = 0 at t = 0"],
        "estimate": {"w2": {"initial": 56.0}, "f": {"initial": 3.0}},
    }
    return problem(**{**stated, **changes})


def harvest() -> pinngate.Problem:
    return problem(
        unknowns=["N"],
        equations=["N_t = r*N - H*heaviside(N - S)"],
        conditions=["N = 2 at t = 0"],
        estimate={"r": {"initial": 0.9}, "H": {"initial": 1.5}, "S": {"initial": 3.0}},
    )


def late(**changes: Any) -> pinngate.Problem:
    """Return what is taken up from an unknown time on."""
    stated: dict[str, Any] = {
        "unknowns": ["c"],
        "equations": ["c_t = -k*c + A*heaviside(t - t0)"],
        "conditions": ["c = 0.3 at t = 0"],
        "estimate": {"k": {"initial": 1.0}, "A": {"initial": 2.0}, "t0": {"initial": 0.7}},
    }
    return problem(**{**stated, **changes})


def uptake(t: Array, k: float, size: float, t0: float) -> Array:
    return 0.3 * np.exp(-k * t) + size / k * (1 - np.exp(-k * np.maximum(t - t0, 0)))


def read(stated: pinngate.Problem, change: Array | float = 0.0) -> tuple[Array, Array]:
    """Return the first state at some times, and its tangents, at the initial values or beside."""
    model = model_of(stated)
    theta = model.unknowns.start(None) + change
    solution = model.solve(theta, model.first_resolution(1, 1e-9))
    return solution.read(Symbol(0, 0, False), TIMES[:, None])


@pytest.mark.parametrize("make", [friction, harvest, late])
def test_tangents_are_those_of_differences(make: Callable[[], pinngate.Problem]) -> None:
    stated = make()
    _, tangents = read(stated)
    for k in range(tangents.shape[1]):
        step = 1e-4 * np.eye(tangents.shape[1])[k]
        differences = (read(stated, step)[0] - read(stated, -step)[0]) / 2e-4
        np.testing.assert_allclose(tangents[:, k], differences, rtol=2e-3, atol=1e-5)


def test_turning_points_of_dry_friction() -> None:
    """Between them it swings about ∓ f/w², and every half period loses 2 f/w²."""
    values, _ = read(friction())
    w, shift = np.sqrt(56.0), 3 / 56
    half = np.floor(TIMES * w / np.pi)
    exact = (1 - shift - 2 * shift * half) * np.cos(w * TIMES) + shift * (-1) ** half
    np.testing.assert_allclose(values, exact, atol=2e-7)


def test_a_time_that_is_searched_for() -> None:
    times = np.linspace(0.05, 2, 60)
    truth = (0.8, 2.0, 0.9)
    values = uptake(times, *truth) + 0.02 * np.random.default_rng(1).standard_normal(60)
    found = fitted(late(observations=[pinngate.Observations("c", {"t": times}, values)]))
    direct = least_squares(lambda p: uptake(times, *p) - values, truth, x_scale="jac")
    spread = np.sqrt(np.diag(np.linalg.inv(direct.jac.T @ direct.jac)) * 2 * direct.cost / 57)
    for name, value, std in zip(("k", "A", "t0"), direct.x, spread, strict=True):
        estimate, deviation = found.coefficients[name]
        assert abs(estimate - value) < 0.1 * std
        assert deviation == pytest.approx(std, rel=0.15)


def test_what_sticks_is_no_solution_of_the_march() -> None:
    with pytest.raises(MarchFailed, match="slides"):
        read(friction(estimate={"w2": {"initial": 56.0}, "f": {"initial": 40.0}}))


def test_a_step_of_a_field_is_not_linear() -> None:
    assert not is_linear(friction(estimate={}, constants={"w2": 56.0, "f": 3.0}))
    assert is_linear(late(estimate={}, constants={"k": 1.0, "A": 2.0, "t0": 0.5}))
