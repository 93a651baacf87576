"""In what a coefficient that varies is searched for: a variable that is free where it has bounds.

With b the variable and i the initial value, which is that of b = 0, a coefficient a is

    i + size·b                            without bounds
    i·exp(b)                              positive, varying with the axes
    i·log(1 + (exp(k) − 1)·exp(k·b))/k    positive, a function of a field
    a logistic map of b                   between two bounds

Functions of fields such as growth laws vanish somewhere, where log a has no end. The softplus,
which is i·(1 + b) but near zero, lets them come there and stay smooth in b.
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
from pinngate.statement.unknown_quantities import CoefficientField, FieldFunction

SHARP = 10.0  # k: a positive function is bent below a tenth of its initial value
LEAST = 1e-6  # of the size of a positive state: what is told from zero
NOTHING = 1e-30  # so that what is truly zero has a derivative


def value_of(field: CoefficientField) -> Expression:
    """Return the field's value as an expression in its own name, which stands for the output b."""
    b: Expression = Name(field.name)
    lower, upper = field.lower, field.upper
    if lower is not None and upper is not None:
        start = math.log((field.initial - lower) / (upper - field.initial))
        logistic = divide(ONE, add(ONE, Call("exp", negate(add(b, Number(start))))))
        return add(Number(lower), multiply(Number(upper - lower), logistic))
    if lower is not None:
        return add(Number(lower), multiply(Number(field.initial - lower), _grown(field)))
    if upper is not None:
        return subtract(Number(upper), multiply(Number(upper - field.initial), _grown(field)))
    return add(Number(field.initial), multiply(Number(field.size), b))


def _grown(field: CoefficientField) -> Expression:
    """Return what is one at b = 0 and positive everywhere."""
    b = Name(field.name)
    if not isinstance(field, FieldFunction):
        return Call("exp", b)
    grown = multiply(Number(math.expm1(SHARP)), Call("exp", multiply(Number(SHARP), b)))
    return divide(Call("log", add(ONE, grown)), Number(SHARP))


def free_variable(function: FieldFunction) -> Expression:
    """Return b of the truth of a function of a field, the inverse of `value_of`."""
    assert function.truth is not None
    lower, upper = function.lower, function.upper
    if lower is not None and upper is not None:
        return _of_logistic(function.truth, function.initial, lower, upper)
    if lower is not None:
        return _of_grown(function.truth, function.initial, lower)
    if upper is not None:
        return _of_grown(function.truth, function.initial, upper)
    return divide(subtract(function.truth, Number(function.initial)), Number(function.size))


def _of_logistic(value: Expression, initial: float, lower: float, upper: float) -> Expression:
    share = divide(subtract(value, Number(lower)), subtract(Number(upper), value))
    return Call("log", divide(share, Number((initial - lower) / (upper - initial))))


def _of_grown(value: Expression, initial: float, bound: float) -> Expression:
    share = divide(subtract(value, Number(bound)), Number(initial - bound))
    grown = multiply(Number(SHARP), share)
    rest = subtract(ONE, Call("exp", negate(grown)))
    log = add(grown, Call("log", add(rest, Number(NOTHING))))
    return divide(subtract(log, Number(math.log(math.expm1(SHARP)))), Number(SHARP))


__all__ = ["free_variable", "value_of"]
