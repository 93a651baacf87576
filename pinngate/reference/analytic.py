"""A truth that is stated as formulas of the axes: evaluated, nothing more."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pinngate.errors import InputError
from pinngate.expression import Expression, names
from pinngate.reference.evolution import evaluated, known_values
from pinngate.reference.known import Array, Reference
from pinngate.statement.problem import Problem, changed


def solve(problem: Problem, fields: Mapping[str, Expression]) -> Reference:
    """Return the reference of one formula for each unknown.

    Args:
        problem: gives the domain, the constants and the true coefficients.
        fields: expressions in axes, constants and coefficients.

    Raises:
        InputError: a coefficient that a formula uses has no true value; and, when the reference
            is called, a formula has no finite value at one of the points.
    """
    named = {name for formula in fields.values() for name in names(formula)}
    used = tuple(c for c in problem.coefficients if c.name in named)
    constants = known_values(changed(problem, coefficients=used), None)

    def evaluate_at(points: Array) -> dict[str, Array]:
        axes = dict(zip(problem.axes, points.T, strict=True))
        values = {
            f: np.array(evaluated(expression, constants | axes, (len(points),)))
            for f, expression in fields.items()
        }
        for f, field in values.items():
            if not np.isfinite(field).all():
                row = int(np.argmin(np.isfinite(field)))
                place = ", ".join(f"{a} = {x[row]:g}" for a, x in axes.items())
                raise InputError(f"the stated truth of '{f}' is not finite at {place}")
        return values

    return Reference(problem.axes, dict(problem.domain), evaluate_at, "analytic")
