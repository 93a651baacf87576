"""Ends of the domain where an equation grows without bound, as u_xx + u_x/x does towards x = 0.

Such an equation is no fault: on a disk, r = 0 is one. But a condition there may contradict it, and
whoever reads that it is unmet is told where to look. Below what tells of a problem and its run.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pinngate.errors import ExpressionError
from pinngate.expression import evaluate, names
from pinngate.expression.calculus import gradient
from pinngate.statement.problem import Equation, Problem

SHARES = np.array([0.23, 0.41, 0.67, 0.83])  # of the other axes: places inside


def singular_ends(problem: Problem) -> Iterator[tuple[str, str]]:
    """Yield the name of an equation and an end, ``x = 0``, where a factor of a field is not finite.

    Cost: each factor is evaluated once for each end.
    """
    for number, equation in enumerate(problem.equations, 1):
        for axis, ends in problem.domain.items():
            for end in ends[axis in problem.coordinates :]:  # at a centre fields are smooth
                if _is_singular(problem, equation, axis, end):
                    yield f"equation_{number}", f"{axis} = {end:g}"


def _is_singular(problem: Problem, equation: Equation, axis: str, end: float) -> bool:
    places = {a: low + SHARES * (high - low) for a, (low, high) in problem.domain.items()}
    places[axis] = np.full(SHARES.size, end)
    derivatives = problem.derivatives(equation.residual)
    known = {c.name: c.initial or 1.0 for c in problem.coefficients}
    values = {**problem.constants, **known, **places, **dict.fromkeys(derivatives, 1.0)}
    for factor in gradient(equation.residual, set(derivatives)).values():
        if axis not in names(factor):
            continue
        try:
            found = np.asarray(evaluate(factor, values, np), dtype=float)
        except (ArithmeticError, ExpressionError, TypeError, ValueError):
            continue  # a function of one's own, or numbers alone: the checks have looked at them
        if not np.isfinite(found).any():
            return True
    return False
