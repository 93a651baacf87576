"""A problem without some of its coefficients: what remains of the equations where they are zero."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from pinngate.expression import ZERO, Binary, Expression, substitute
from pinngate.expression.printing import to_text
from pinngate.statement.equations import Condition, Equation
from pinngate.statement.problem import Problem, changed


def without(problem: Problem, dropped: Collection[str]) -> Problem:
    """Return the problem in which coefficients are zero and nothing is estimated of them.

    Args:
        problem: some of whose coefficients are optional.
        dropped: names of coefficients.
    """
    nothing: dict[str, Expression] = dict.fromkeys(dropped, ZERO)
    return changed(
        problem,
        equations=tuple(_equation(e, nothing) for e in problem.equations),
        conditions=tuple(_condition(c, nothing) for c in problem.conditions),
        coefficients=tuple(c for c in problem.coefficients if c.name not in nothing),
        optional=tuple(name for name in problem.optional if name not in nothing),
        derived=tuple(
            replace(d, expression=substitute(d.expression, nothing)) for d in problem.derived
        ),
    )


def _equation(stated: Equation, nothing: dict[str, Expression]) -> Equation:
    text, residual = _left_over(stated.text, stated.residual, nothing)
    return Equation(text, residual)


def _condition(stated: Condition, nothing: dict[str, Expression]) -> Condition:
    text, residual = _left_over(stated.text, stated.residual, nothing)
    return replace(stated, text=text, residual=residual)


def _left_over(
    text: str, residual: Expression, nothing: dict[str, Expression]
) -> tuple[str, Expression]:
    """Return a text and its residual with zeros carried out; as stated where none of it is zero."""
    left_over = substitute(residual, nothing)
    if left_over == residual:
        return text, residual
    if "=" in text and isinstance(residual, Binary) and residual.operator == "-":
        sides = (to_text(substitute(side, nothing)) for side in (residual.left, residual.right))
        return " = ".join(sides), left_over
    return to_text(left_over), left_over


__all__ = ["without"]
