"""Intervals end where the profile of the loss does."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar
from scipy.special import stdtrit

import pinngate

T = np.array([0.5, 1.0, 1.5, 2.0, 3.0, 4.0])


def saturating(seed: int, noise: float) -> tuple[np.ndarray, pinngate.Solution]:
    """Values of y = A (1 − exp(−k t)), A = 5 and k = 1/4, of which the last is far from A."""
    generator = np.random.default_rng(seed)
    values = 5 * (1 - np.exp(-0.25 * T)) + noise * generator.standard_normal(len(T))
    problem = pinngate.Problem(
        domain={"t": [0, 4]},
        unknowns=["y"],
        equations=["y_t = k*(A - y)"],
        conditions=["y = 0 at t = 0"],
        estimate={name: pinngate.Unknown(1, positive=True) for name in ("k", "A")},
        observations=[pinngate.Observations("y", {"t": T}, values)],
    )
    return values, pinngate.solve(problem)


@pytest.mark.parametrize(("seed", "noise"), [(0, 0.1), (1, 0.1), (5, 0.1)])
def test_ends_are_those_of_the_profile_on_the_closed_form(seed: int, noise: float) -> None:
    """The amplitude is linear: for each rate its best value is known."""
    values, solution = saturating(seed, noise)

    def left(rate: float) -> float:
        shape = 1 - np.exp(-rate * T)
        return float(np.square(values - shape * (shape @ values) / (shape @ shape)).sum())

    best = minimize_scalar(left, bounds=(0.05, 1.0), method="bounded", options={"xatol": 1e-10})
    allowed = best.fun * (1 + stdtrit(4, 0.975) ** 2 / 4)
    ends = [brentq(lambda k: left(k) - allowed, *b) for b in ((1e-3, best.x), (best.x, 3.0))]
    found = solution.coefficients["k"]
    assert found.estimate == pytest.approx(best.x, rel=1e-3)
    for got, wanted in zip(found.interval, ends, strict=True):
        assert abs(np.log(got / wanted)) < 0.05 * np.log(ends[1] / ends[0])


def test_small_deviations_keep_the_linear_interval() -> None:
    _, solution = saturating(0, 1e-3)
    found = solution.coefficients["k"]
    low, high = np.log(np.array(found.interval) / found.estimate)
    assert -low == pytest.approx(high, rel=1e-6)
