"""Whether a problem is linear in its fields, so that weighted means of solutions are solutions."""

from __future__ import annotations

from collections.abc import Iterable

from pinngate.expression import Expression, coefficients_of, names
from pinngate.statement.problem import Problem
from pinngate.statement.steps import has_step_of


def has_linear_equations(problem: Problem) -> bool:
    """Whether every equation is linear in the fields and their derivatives."""
    return _are_linear(problem, (equation.residual for equation in problem.solved_equations))


def is_linear(problem: Problem) -> bool:
    """Whether equations, conditions and what is observed are linear and nothing else is unknown."""
    if problem.coefficients or problem.coefficient_fields or problem.positive:
        return False
    quantities = (o.quantity for o in problem.observations if o.quantity is not None)
    conditions = [condition.residual for condition in problem.conditions]
    conditions += [conserved.residual for conserved in problem.conserved]
    return has_linear_equations(problem) and _are_linear(problem, [*conditions, *quantities])


def _are_linear(problem: Problem, expressions: Iterable[Expression]) -> bool:
    for expression in expressions:
        symbols = set(problem.derivatives(expression))
        _, rest = coefficients_of(expression, symbols)
        if symbols & set(names(rest)) or has_step_of(expression, symbols):
            return False
    return True
