"""Coefficients that a problem knows only together, read off its equations.

If every equation and condition keeps its solutions when some coefficients are multiplied by one
number s, R(s c) = s^d R(c), and no sensor sees them, data tell ratios of these coefficients and
never their size: ρ u_t = μ u_xx knows μ/ρ. The same is asked of other ways to move: c_k s^(p_k)
keeps products of powers, c_k + p_k s keeps sums. Beside the statement's other checks; what a run
reports.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pinngate.expression import Expression, Name, differentiate, evaluate, names
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
            if keeps_solutions(problem, dict.fromkeys(subset, 1.0), is_scaling=True):
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


def keeps_solutions(problem: Problem, rates: Mapping[str, float], *, is_scaling: bool) -> bool:
    """Whether equations and conditions keep their solutions, unseen, as coefficients move.

    Args:
        problem: whose equations, conditions and sensors are asked.
        rates: p_k of each coefficient or function that moves.
        is_scaling: whether it moves as c s^p, else as c + p s.
    """
    stated = [e.residual for e in problem.solved_equations]
    stated += [c.residual for c in problem.conditions]
    found = [_keeps(problem, residual, rates, is_scaling=is_scaling) for residual in stated]
    seen = _seen(problem)
    return all(found) and not any(_moved_names(problem, s, rates) for s in seen)


def _seen(problem: Problem) -> list[Expression]:
    """Return what does not scale: what sensors see, events add, or is known beforehand."""
    quantities = [o.quantity for o in problem.observations if o.quantity is not None]
    quantities += [Name(c.name) for c in problem.coefficients if c.prior is not None]
    quantities += [Name(spread.name) for spread in problem.spreads]
    return quantities + [
        amount for event in problem.events for amount in (*event.add.values(), *event.set.values())
    ]


def _moved_names(
    problem: Problem, expression: Expression, rates: Mapping[str, float]
) -> dict[str, float]:
    """Return the names in an expression that move, derivatives included, and how fast."""
    functions = tuple(f.name for f in problem.coefficient_fields if f.name in rates)
    moved = {}
    for name in set(names(expression)):
        of = name if name in rates else name.rpartition("_")[0]
        if name in rates or of in functions:
            moved[name] = rates[of]
    return moved


def _keeps(
    problem: Problem, residual: Expression, rates: Mapping[str, float], *, is_scaling: bool
) -> bool:
    """Whether Σ ċ ∂R/∂c = d R with one d (Euler) at places drawn at random, where c is seen."""
    moved = _moved_names(problem, residual, rates)
    if not moved:
        return True
    rng = np.random.default_rng(0)
    values = {n: rng.uniform(0.5, 2.0, NUM_PLACES) for n in names(residual)}
    values |= {a: rng.uniform(low, high, NUM_PLACES) for a, (low, high) in problem.domain.items()}
    values |= {n: np.full(NUM_PLACES, float(v)) for n, v in problem.constants.items()}

    def at(expression: Expression) -> Array:
        found = np.asarray(evaluate(expression, values, np), dtype=float)
        return np.broadcast_to(found, NUM_PLACES)

    with np.errstate(all="ignore"):
        moves = [
            (rate * values[name] if is_scaling else rate) * at(differentiate(residual, name))
            for name, rate in moved.items()
        ]
        total, size = sum(moves), at(residual)
        degree = np.asarray(total / size)
        scale = np.max(np.abs(moves), axis=0) / np.abs(size)
        spread = np.abs(degree - degree[0]) <= SAME * np.maximum(np.abs(degree[0]), scale)
    is_seen = all(move.any() for move in moves)
    return bool(is_seen and np.isfinite(degree).all() and spread.all())
