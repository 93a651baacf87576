"""The method of steps against solutions in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from pinngate.errors import SolveError
from pinngate.reference import truth
from tests.statement.test_delays import stated


def test_a_linear_delay_with_a_constant_past() -> None:
    """u' = −u(t − 1), u = 1 before: 1 − t, then 1 − t + (t − 1)²/2, and so on."""
    problem = stated("u_t = -u(t - 1)", truth={"solver": "runge-kutta", "clean": {"u": 1}})
    t = np.linspace(0, 3, 61)
    u = 1 - t + np.clip(t - 1, 0, None) ** 2 / 2 - np.clip(t - 2, 0, None) ** 3 / 6
    found = truth(problem)
    assert found is not None
    np.testing.assert_allclose(found(t[:, None])["u"], u, atol=1e-10)


def test_a_past_that_varies() -> None:
    """u' = u(t − π/2)·(−1) has the solution cos t, where its past is cos t."""
    problem = stated(
        "u_t = -u(t - pi/2)",
        conditions=["u = cos(t) at t <= 0"],
        truth={"solver": "runge-kutta", "clean": {"u": 1}},
    )
    found = truth(problem)
    assert found is not None
    t = np.linspace(0, 9, 50)
    np.testing.assert_allclose(found(t[:, None])["u"], np.cos(t), atol=1e-9)


def test_two_delays_and_the_second_order() -> None:
    """u = cos t solves u″ = −u/2 + u(t − π)/2 + 0·u(t − 3)."""
    problem = stated(
        "u_tt = -0.5*u + 0.5*u(t - pi) + 0*u(t - 3)",
        conditions=["u = cos(t) at t <= 0", "u_t = 0 at t = 0"],
        truth={"solver": "runge-kutta", "clean": {"u": 1, "u_t": 0}},
    )
    found = truth(problem)
    assert found is not None
    t = np.linspace(0, 9, 50)
    np.testing.assert_allclose(found(t[:, None])["u"], np.cos(t), atol=1e-9)


def test_a_delay_that_takes_too_many_steps_is_told() -> None:
    problem = stated("u_t = -u(t - 1e-6)")
    with pytest.raises(SolveError, match="takes more than"):
        truth(problem)
