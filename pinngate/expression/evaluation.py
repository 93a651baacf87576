"""Trees to numbers and arrays, in any array namespace."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from typing import Any

from pinngate.errors import ExpressionError, nearest
from pinngate.expression.tree import (
    CONSTANTS,
    FUNCTIONS,
    Applied,
    Binary,
    Call,
    Expression,
    Name,
    Number,
)

_OPERATIONS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
}
_SCALAR: dict[str, Any] = {name: getattr(math, name) for name in FUNCTIONS if hasattr(math, name)}
_SCALAR["abs"] = abs
_SCALAR["sign"] = lambda x: float((x > 0) - (x < 0))
_SCALAR["heaviside"] = lambda x: 0.5 if x == 0 else float(x > 0)


def evaluate(expression: Expression, values: Mapping[str, Any], namespace: Any) -> Any:
    """Evaluate elementwise.

    Args:
        expression: the tree.
        values: a number or an array for every name that occurs (`pi` is known).
        namespace: the module that supplies ``sin``, ``exp``, …: `numpy` or `torch`.

    Returns:
        An array of the broadcast shape, or a float where every name is a float.

    Raises:
        ExpressionError: a name has no value.
    """
    match expression:
        case Number():
            return expression.value
        case Name():
            return _named(expression, values)
        case Binary(symbol, left, right):
            a, b = evaluate(left, values, namespace), evaluate(right, values, namespace)
            if symbol == "**" and isinstance(b, float) and b.is_integer():
                b = int(b)
            return _OPERATIONS[symbol](a, b)
        case Call(function, inner):
            return _called(function, evaluate(inner, values, namespace), namespace)
        case Applied(own, arguments, by):
            return own.evaluate([evaluate(a, values, namespace) for a in arguments], by)
    raise AssertionError(expression)


def _named(name: Name, values: Mapping[str, Any]) -> Any:
    if name.id in values:
        return values[name.id]
    if name.id in CONSTANTS:
        return CONSTANTS[name.id]
    raise ExpressionError(
        f"unknown name '{name.id}'",
        hint=nearest(name.id, values),
        offset=name.offset,
        length=len(name.id),
    )


def _called(function: str, argument: Any, namespace: Any) -> Any:
    if isinstance(argument, float):
        return _SCALAR[function](argument)
    if function == "heaviside":
        return (argument > 0) * 1.0 + (argument == 0) * 0.5
    return getattr(namespace, function)(argument)


def constant_value(expression: Expression, known: Mapping[str, float]) -> float:
    """Evaluate an expression in numbers and known constants to one finite number.

    Raises:
        ExpressionError: an unknown name, a division by zero or a value that is not finite.
    """
    try:
        value = evaluate(expression, known, math)
    except (ArithmeticError, ValueError, TypeError, AttributeError) as error:
        raise ExpressionError(f"the expression has no finite real value ({error})") from None
    if isinstance(value, complex) or not math.isfinite(value):
        raise ExpressionError("the expression has no finite real value")
    return float(value)
