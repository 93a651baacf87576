"""Residuals where a field leaves the domain of a root, a logarithm or a power.

A network dips below zero on its way, and noise takes it there at the end, while √a, log a and a^p
with p not whole have real values for a ≥ 0 alone. Every such argument that holds a field is
replaced by

    max(a, ε s),   s the characteristic size of a,

before residuals are planned: their values, and the exact derivatives taken from them, are finite
everywhere and the same as stated wherever a ≥ ε s. Between the terms' scales and their channels.
"""

from __future__ import annotations

from pinngate.errors import ExpressionError
from pinngate.expression import (
    ONE,
    Binary,
    Call,
    Expression,
    Number,
    add,
    constant_value,
    multiply,
    operands,
    power,
    subtract,
    transformed,
)
from pinngate.model.scales import Scales, characteristic_size
from pinngate.statement.problem import Problem

FLOOR = 1e-4  # ε: slopes of a root stay below 50, a logarithm's argument may span four decades


def kept_real(problem: Problem, residual: Expression, scales: Scales) -> Expression:
    """Return a residual (in fields, derivatives and coefficients) that is real everywhere.

    Args:
        problem: says what is a field.
        residual: as stated.
        scales: sizes of the fields.

    Cost: one walk over the tree; where nothing is restricted the tree is returned as it is.
    """
    return transformed(residual, lambda part: _part_kept_real(problem, part, scales))


def _part_kept_real(problem: Problem, changed: Expression, scales: Scales) -> Expression:
    argument = _restricted(problem, changed)
    if argument is None:
        return changed
    floor = Number(FLOOR * characteristic_size(problem, argument, scales))
    above = Call("heaviside", subtract(argument, floor))
    kept = add(multiply(argument, above), multiply(floor, subtract(ONE, above)))
    if isinstance(changed, Call):
        return Call(changed.function, kept)
    return power(kept, operands(changed)[1])


def _restricted(problem: Problem, part: Expression) -> Expression | None:
    """Return the argument of a part that is real only where that is positive and holds a field."""
    match part:
        case Call("sqrt" | "log", argument):
            pass
        case Binary("**", argument, exponent) if not _is_whole(problem, exponent):
            pass
        case _:
            return None
    fields = {d.field for d in problem.derivatives(argument).values()}
    return argument if fields & set(problem.solved_fields) else None


def _is_whole(problem: Problem, exponent: Expression) -> bool:
    try:
        return constant_value(exponent, problem.constants).is_integer()
    except ExpressionError:
        return False
