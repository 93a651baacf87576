"""Which terms of an equation the data ask for: optional coefficients are left out one by one.

Backward elimination. At a fit the coefficients are jointly Gaussian; to hold one at zero moves the
others by what their covariance says, so that a whole course of eliminations costs no solve. The
equation that is left is then fitted anew, until a fit leaves all of its terms in. A term stays
where its coefficient is off zero by more than the quantile at which, over all terms that were
asked about, one interval in twenty would leave zero out by chance (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinngate.inference.posterior import student_quantile
from pinngate.solution.solved import Solution
from pinngate.statement.dropped_terms import without
from pinngate.statement.problem import Problem

Array = NDArray[np.float64]
Solve = Callable[[Problem], Solution]

CONFIDENCE = 0.95  # that no term stays by chance


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

    In one course no more than half of the optional terms are left out, because the first fits
    stand far from the last one.

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
        found = _course(solution, optional, level)[: -(-len(optional) // 2)]
        if not found:
            return Selected(solution, tuple(dropped), count)
        dropped += found
        solution, count = solve(without(problem, dropped)), count + 1


def _course(solution: Solution, optional: Sequence[str], level: float) -> list[str]:
    """Return the optional coefficients that an elimination leaves out, in their order."""
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
    """Return which of jointly Gaussian coefficients an elimination holds at zero, in its order.

    Args:
        names: of all.
        value: their estimates, (K,).
        covariance: (K, K).
        optional: those that may be zero.
        quantile: standard deviations off zero from which a coefficient stays.
    """
    value, covariance = value.copy(), covariance.copy()
    kept, dropped = [names.index(name) for name in optional], []
    while kept:
        std = np.sqrt(np.maximum(covariance[kept, kept], 1e-300))
        sizes = np.abs(value[kept]) / std
        weakest = kept[int(sizes.argmin())]
        if sizes.min() >= quantile:
            break
        column = covariance[:, weakest] / covariance[weakest, weakest]
        value = value - column * value[weakest]
        covariance = covariance - np.outer(column, covariance[weakest])
        kept.remove(weakest)
        dropped.append(names[weakest])
    return dropped


__all__ = ["Selected", "left_out", "select_terms"]
