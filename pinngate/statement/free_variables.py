"""In what a coefficient that varies is searched for: a variable that is free where it has bounds.

With b the variable, a = initial·exp(b) where the coefficient a is positive, a logistic map of b
between two bounds, a = initial + size·b where it has none, so that b = 0 is the initial value.
"""

from __future__ import annotations

import math

from pinngate.expression import (
    ONE,
    Call,
    Expression,
    Name,
    Number,
    add,
    divide,
    multiply,
    negate,
    subtract,
)
from pinngate.statement.components import CoefficientField


def value_of(field: CoefficientField) -> Expression:
    """Return the field's value as an expression in its own name, which stands for the output b."""
    b: Expression = Name(field.name)
    lower, upper = field.lower, field.upper
    if lower is not None and upper is not None:
        start = math.log((field.initial - lower) / (upper - field.initial))
        logistic = divide(ONE, add(ONE, Call("exp", negate(add(b, Number(start))))))
        return add(Number(lower), multiply(Number(upper - lower), logistic))
    if lower is not None:
        return add(Number(lower), multiply(Number(field.initial - lower), Call("exp", b)))
    if upper is not None:
        return subtract(Number(upper), multiply(Number(upper - field.initial), Call("exp", b)))
    return add(Number(field.initial), multiply(Number(abs(field.initial) or 1.0), b))


def free_variable(function: CoefficientField, value: Expression) -> Expression:
    """Return b of a value a: the inverse of `coefficient_fields.value_of`."""
    lower, upper, start = function.lower, function.upper, Number(function.initial)
    if lower is None and upper is None:
        return divide(subtract(value, start), Number(abs(function.initial) or 1.0))
    above = [] if lower is None else [_share(value, start, Number(lower))]
    below = [] if upper is None else [_share(value, start, Number(upper))]
    if not above:
        return below[0]
    return subtract(above[0], below[0]) if below else above[0]


def _share(value: Expression, start: Expression, bound: Expression) -> Expression:
    """Return log((value − bound)/(start − bound))."""
    return Call("log", divide(subtract(value, bound), subtract(start, bound)))


__all__ = ["free_variable", "value_of"]
