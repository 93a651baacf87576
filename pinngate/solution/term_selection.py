"""Which terms of an equation the data ask for: optional coefficients that may be zero are left out.

At a fit the coefficients β are jointly Gaussian with covariance C. To hold those of a set D at zero
raises the misfit by β_Dᵀ C_DD⁻¹ β_D, in units of the noise's variance, exactly where the fit is
linear. Of all sets the one is left out for which this is least with q² for each term that stays: no
term stays that the misfit could spare, and of terms that stand in for one another the fewest do.
The equation that is left is then fitted anew, until a fit leaves all of its terms in. q is the
quantile at which, over all terms that were asked about, one interval in twenty would leave zero out
by chance (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pinngate.inference.posterior import student_quantile
from pinngate.solution.solved import Solution
from pinngate.statement.dropped_terms import without
from pinngate.statement.problem import Problem

Array = NDArray[np.float64]
Solve = Callable[[Problem], Solution]

CONFIDENCE = 0.95  # that no term stays by chance
MOST_TOGETHER = 12  # terms of which all sets are looked at


@dataclass(frozen=True)
class Selected:
    """What remains of an equation.

    Attributes:
        solution: of the equation that remains.
        dropped: coefficients that were left out, in their order.
        num_solves: how often was solved.
    """

    solution: Solution
    dropped: tuple[str, ...]
    num_solves: int


def select_terms(problem: Problem, solve: Solve) -> Selected:
    """Return the solution of a problem without the optional terms that the data do not ask for.

    At one fit no more than half of the optional terms are left out, because the first fits stand
    far from the last one.

    Args:
        problem: some of whose coefficients are `optional`.
        solve: what solves a problem.
    """
    asked = len(problem.optional)
    level = 1 - (1 - CONFIDENCE) / max(1, asked)
    dropped: list[str] = []
    solution, count = solve(problem), 1
    while True:
        optional = [name for name in problem.optional if name not in dropped]
        found = _spared(solution, optional, level)[: -(-len(optional) // 2)]
        if not found:
            return Selected(solution, tuple(dropped), count)
        dropped += found
        solution, count = solve(without(problem, dropped)), count + 1


def _spared(solution: Solution, optional: Sequence[str], level: float) -> list[str]:
    """Return the optional coefficients that may be left out, the least missed first."""
    estimates = solution.coefficients
    if estimates.covariance is None or not np.isfinite(estimates.covariance).all():
        return []
    names = list(estimates)
    value = np.array([float(estimates[name]) for name in names])
    quantile = student_quantile(solution.uncertainty().degrees_of_freedom, level)
    return left_out(names, value, estimates.covariance, optional, quantile)


def left_out(
    names: Sequence[str], value: Array, covariance: Array, optional: Sequence[str], quantile: float
) -> list[str]:
    """Return which of jointly Gaussian coefficients may be held at zero, the least missed first.

    Args:
        names: of all.
        value: their estimates, (K,).
        covariance: (K, K).
        optional: those that may be zero.
        quantile: standard deviations off zero from which a coefficient alone stays.

    Cost: 2ⁿ small solves for the last n = `MOST_TOGETHER` of them; more are left out one by one.
    """
    at = [names.index(name) for name in optional]
    value, covariance = value[at], covariance[np.ix_(at, at)]
    kept, dropped = list(range(len(at))), list[int]()
    while len(kept) > MOST_TOGETHER:
        weakest = min(kept, key=lambda k: _rise([*dropped, k], value, covariance))
        kept.remove(weakest)
        dropped.append(weakest)
    sets = (
        [*dropped, *more] for count in range(len(kept) + 1) for more in combinations(kept, count)
    )
    best = min(sets, key=lambda s: _rise(s, value, covariance) - quantile**2 * len(s))
    return [optional[k] for k in sorted(best, key=lambda k: value[k] ** 2 / covariance[k, k])]


def _rise(dropped: Sequence[int], value: Array, covariance: Array) -> float:
    """Return the misfit that it costs to hold coefficients at zero."""
    own = value[list(dropped)]
    return float(own @ np.linalg.lstsq(covariance[np.ix_(dropped, dropped)], own, rcond=None)[0])


__all__ = ["Selected", "left_out", "select_terms"]
