"""Coefficients that a problem knows only up to a common factor, read off its equations.

If every equation and condition keeps its solutions when some coefficients are multiplied by one
number s, R(s c) = s^d R(c), and no sensor sees them, data tell ratios of these coefficients and
never their size: ρ u_t = μ u_xx knows μ/ρ. Beside the statement's other checks; what a run reports.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pinngate.expression import Expression, differentiate, evaluate, names
from pinngate.statement.problem import Problem

Array = NDArray[np.float64]

NUM_PLACES = 200  # values of all names at which a power law is tried
SAME = 1e-9  # relative, of two degrees
MOST_NAMES = 8  # of which all subsets are tried


def scaled_together(problem: Problem) -> tuple[str, ...]:
    """Return the fewest coefficients and functions of which only ratios are told, () for none.

    Cost: an evaluation of every equation and condition for each subset of the coefficients.
    """
    searched = [c.name for c in problem.coefficients]
    searched += [f.name for f in problem.coefficient_fields]
    if len(searched) > MOST_NAMES:
        return ()
    for size in range(1, len(searched) + 1):
        for subset in itertools.combinations(searched, size):
            if _is_free(problem, subset):
                return subset
    return ()


def words(together: tuple[str, ...]) -> str:
    """Return what is told of coefficients that scale together, a sentence without its stop."""
    if len(together) == 1:
        return f"every value of {together[0]} obeys the equations alike"
    return f"the equations know {listed(together)} up to a common factor: only ratios are told"


def listed(names: Sequence[str]) -> str:
    """Return names as a list in words, one at least."""
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def _is_free(problem: Problem, subset: tuple[str, ...]) -> bool:
    stated = [e.residual for e in problem.solved_equations]
    stated += [c.residual for c in problem.conditions]
    found = [_keeps_solutions(problem, residual, subset) for residual in stated]
    seen = [o.quantity for o in problem.observations if o.quantity is not None]
    return all(found) and not any(_scaled_names(problem, s, subset) for s in seen)


def _scaled_names(problem: Problem, expression: Expression, subset: tuple[str, ...]) -> set[str]:
    """Return the names in an expression that scale with a subset, derivatives included."""
    found = set(names(expression))
    functions = tuple(f.name for f in problem.coefficient_fields if f.name in subset)
    derived = {n for n in found if n.rpartition("_")[0] in functions}
    return (found & set(subset)) | derived


def _keeps_solutions(problem: Problem, residual: Expression, subset: tuple[str, ...]) -> bool:
    """Whether Σ c ∂R/∂c = d R with one d (Euler) at places drawn at random, where c is seen."""
    scaled = _scaled_names(problem, residual, subset)
    if not scaled:
        return True
    rng = np.random.default_rng(0)
    values = {n: rng.uniform(0.5, 2.0, NUM_PLACES) for n in names(residual)}
    values |= {a: rng.uniform(low, high, NUM_PLACES) for a, (low, high) in problem.domain.items()}
    values |= {n: np.full(NUM_PLACES, float(v)) for n, v in problem.constants.items()}

    def at(expression: Expression) -> Array:
        found = np.asarray(evaluate(expression, values, np), dtype=float)
        return np.broadcast_to(found, NUM_PLACES)

    with np.errstate(all="ignore"):
        moves = [values[name] * at(differentiate(residual, name)) for name in scaled]
        total, size = sum(moves), at(residual)
        degree = np.asarray(total / size)
        scale = np.max(np.abs(moves), axis=0) / np.abs(size)
        spread = np.abs(degree - degree[0]) <= SAME * np.maximum(np.abs(degree[0]), scale)
    is_seen = all(move.any() for move in moves)
    return bool(is_seen and np.isfinite(degree).all() and spread.all())
