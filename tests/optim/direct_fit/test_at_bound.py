"""A coefficient at its bound does not stop the others, nor end their intervals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import brentq, least_squares
from scipy.special import stdtrit

import pinngate
from pinngate.optim.direct_fit.beside_bounds import least_change

Array = np.ndarray
UPTAKE_TIMES = np.array([0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0])
DECAY_TIMES = np.linspace(0.2, 6.0, 12)


def uptake(p: Array) -> Array:
    """Amount of a drug of which the share F ≤ 1 is taken up."""
    share, into, out = p
    decays = np.exp(-out * UPTAKE_TIMES) - np.exp(-into * UPTAKE_TIMES)
    return 10 * share * into / (into - out) * decays


def decay(p: Array) -> Array:
    """Decay to a level c ≥ 0 from u = 2."""
    level, rate = p
    return level + (2 - level) * np.exp(-rate * DECAY_TIMES)


def of_uptake(values: Array) -> pinngate.Problem:
    return pinngate.Problem(
        domain={"t": [0, 12]},
        unknowns=["A", "C"],
        equations=["A_t = -a*A", "C_t = a*A - e*C"],
        conditions=["A = 10*F at t = 0", "C = 0 at t = 0"],
        estimate={
            "F": pinngate.Unknown(0.5, lower=0, upper=1),
            "a": pinngate.Unknown(0.5, positive=True),
            "e": pinngate.Unknown(0.1, positive=True),
        },
        observations=[pinngate.Observations("C", {"t": UPTAKE_TIMES}, values)],
    )


def of_decay(values: Array) -> pinngate.Problem:
    return pinngate.Problem(
        domain={"t": [0, 6]},
        unknowns=["u"],
        equations=["u_t = -k*(u - c)"],
        conditions=["u = 2 at t = 0"],
        estimate={
            "c": pinngate.Unknown(0.3, positive=True),
            "k": pinngate.Unknown(1, positive=True),
        },
        observations=[pinngate.Observations("u", {"t": DECAY_TIMES}, values)],
    )


def profile_of(
    curve: Callable[[Array], Array], values: Array, truth: Array, high: Array
) -> tuple[Array, list[tuple[float, float]]]:
    """Return the least squares within bounds and the ends of its profile likelihood."""
    low = np.zeros(len(truth))

    def fitted(k: int | None, value: float) -> tuple[float, Array]:
        own = np.arange(len(truth)) != (len(truth) if k is None else k)

        def whole(some: Array) -> Array:
            p = np.full(len(truth), value)
            p[own] = some
            return p

        start = np.clip(truth, low + 1e-3, np.minimum(high - 1e-3, 5.0))[own]
        found = least_squares(
            lambda some: curve(whole(some)) - values, start, bounds=(low[own], high[own])
        )
        return 2 * found.cost, whole(found.x)

    least, best = fitted(None, 0.0)
    free = len(values) - len(truth)
    allowed = least * (1 + stdtrit(free, 0.975) ** 2 / free)
    ends = []
    for k in range(len(truth)):
        reached = []
        for beyond in (max(low[k] + 1e-9, 0.3 * best[k]), min(high[k], 3 * best[k] + 0.5)):
            is_inside = fitted(k, beyond)[0] < allowed
            crossed = lambda v, k=k: fitted(k, v)[0] - allowed  # noqa: E731
            reached.append(beyond if is_inside else brentq(crossed, best[k], beyond))
        ends.append((reached[0], reached[1]))
    return best, ends


@pytest.mark.parametrize("seed", [0, 2])
def test_intervals_beside_an_upper_bound_are_those_of_the_bounded_profile(seed: int) -> None:
    noise = 0.25 * np.random.default_rng(seed).standard_normal(len(UPTAKE_TIMES))
    truth = np.array([1.0, 1.2, 0.25])
    values = uptake(np.array([1.06, 1.2, 0.25])) + noise
    best, ends = profile_of(uptake, values, truth, np.array([1.0, 20.0, 5.0]))
    assert best[0] == pytest.approx(1.0, abs=1e-6)
    agree(pinngate.solve(of_uptake(values)), ("F", "a", "e"), best, ends)


def test_intervals_beside_zero_are_those_of_the_bounded_profile() -> None:
    noise = 0.05 * np.random.default_rng(2).standard_normal(len(DECAY_TIMES))
    values = decay(np.array([-0.06, 0.7])) + noise
    high = np.full(2, 10.0)
    best, ends = profile_of(decay, values, np.array([0.0, 0.7]), high)
    assert best[0] == pytest.approx(0.0, abs=1e-6)
    agree(pinngate.solve(of_decay(values)), ("c", "k"), best, ends)


def agree(
    solution: pinngate.Solution,
    names: tuple[str, ...],
    best: Array,
    ends: list[tuple[float, float]],
) -> None:
    """Compare estimates and intervals, each end within a twentieth of the interval."""
    for name, value, (low, high) in zip(names, best, ends, strict=True):
        found, near = solution.coefficients[name], 0.05 * (high - low)
        assert found.estimate == pytest.approx(value, abs=0.2 * near), name
        assert found.interval == (pytest.approx(low, abs=near), pytest.approx(high, abs=near)), name


def test_what_would_leave_its_bounds_is_held() -> None:
    gram = np.array([[2.0, 1.0], [1.0, 2.0]])
    room = np.array([[-np.inf, -0.1], [np.inf, 0.1]])
    change = least_change(gram, np.array([1.0, 5.0]), room, np.linalg.solve)
    assert change == pytest.approx([-0.45, -0.1])
    assert gram[0] @ change == pytest.approx(-1.0)
