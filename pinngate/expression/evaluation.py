"""Trees to numbers and arrays, in any array namespace."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any

from pinngate.errors import ExpressionError, nearest
from pinngate.expression.tree import (
    CONSTANTS,
    FUNCTIONS,
    Applied,
    Binary,
    Call,
    Composite,
    Expression,
    Name,
    Number,
    operands,
    parts,
    rebuild,
)


def _raised(base: Any, exponent: Any) -> Any:
    is_whole = isinstance(exponent, float) and exponent.is_integer()
    return base ** (int(exponent) if is_whole else exponent)


_OPERATIONS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": _raised,
}
_SCALAR: dict[str, Any] = {name: getattr(math, name) for name in FUNCTIONS if hasattr(math, name)}
_SCALAR["abs"] = abs
_SCALAR["sign"] = lambda x: float((x > 0) - (x < 0))
_SCALAR["heaviside"] = lambda x: 0.5 if x == 0 else float(x > 0)


_SCALAR |= {"arcsin": math.asin, "arccos": math.acos, "arctan": math.atan}
_SCALAR["sech"] = lambda x: 2 * math.exp(-abs(x)) / (1 + math.exp(-2 * abs(x)))
_SCALAR["floor"] = lambda x: float(math.floor(x))


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
    quiet = getattr(namespace, "errstate", None)  # who asks looks for what is not finite
    with nullcontext() if quiet is None else quiet(all="ignore"):
        results: list[Any] = []
        for part, inner, spent in _schedule(expression):
            results.append(_value(part, [results[k] for k in inner], values, namespace))
            for k in spent:
                results[k] = None
        return results[-1]


def evaluated_parts(
    expression: Expression, values: Mapping[str, Any], namespace: Any
) -> Iterator[tuple[Expression, Any]]:
    """Yield each different part with its value, operands before what is made of them.

    Raises:
        ExpressionError: a name has no value.
    """
    schedule = _schedule(expression)
    results: list[Any] = [None] * len(schedule)
    for place, (part, inner, spent) in enumerate(schedule):
        results[place] = _value(part, [results[k] for k in inner], values, namespace)
        for k in spent:
            results[k] = None
        yield part, results[place]


Step = tuple[Expression, tuple[int, ...], tuple[int, ...]]


def _schedule(expression: Expression) -> list[Step]:
    """Return each different part, where its operands stand, and what nothing after it needs.

    Made once for each tree and kept with it.
    """
    kept: list[Step] | None = getattr(expression, "_steps", None)
    if kept is not None:
        return kept
    ordered = parts(expression)
    place = {id(part): k for k, part in enumerate(ordered)}
    inner = [tuple(place[id(operand)] for operand in operands(part)) for part in ordered]
    last = {k: user for user, used in enumerate(inner) for k in used}
    spent: list[list[int]] = [[] for _ in ordered]
    for k, user in last.items():
        spent[user].append(k)
    found = [(p, i, tuple(s)) for p, i, s in zip(ordered, inner, spent, strict=True)]
    if isinstance(expression, Composite):
        object.__setattr__(expression, "_steps", found)
    return found


def _value(part: Expression, inner: list[Any], values: Mapping[str, Any], namespace: Any) -> Any:
    """Return the value of one part from those of its operands."""
    if isinstance(part, Number):
        return part.value
    if isinstance(part, Name):
        return named_value(part, values)
    return operation(part, namespace)(*inner)


def operation(part: Expression, namespace: Any) -> Callable[..., Any]:
    """Return the function that makes a part, neither name nor number, of its operands."""
    match part:
        case Binary(symbol):
            return _OPERATIONS[symbol]
        case Call(function):
            return partial(_called, function, namespace)
        case Applied(own, _, by):
            return lambda *inner: own.evaluate(list(inner), by)
    raise AssertionError(part)


def named_value(name: Name, values: Mapping[str, Any]) -> Any:
    """Return what a name stands for.

    Raises:
        ExpressionError: it has no value.
    """
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


def _called(function: str, namespace: Any, argument: Any) -> Any:
    if isinstance(argument, float):
        return _SCALAR[function](argument)
    if function in _COMPOSED:
        return _COMPOSED[function](argument, namespace)
    return getattr(namespace, function)(argument)


def _erf(argument: Any, namespace: Any) -> Any:
    if hasattr(namespace, "erf"):
        return namespace.erf(argument)
    from scipy.special import erf

    return erf(argument)


def _sech(argument: Any, namespace: Any) -> Any:
    shrinking = namespace.exp(-namespace.abs(argument))  # cosh would overflow
    return 2 * shrinking / (1 + shrinking**2)


# what not every namespace has
_COMPOSED: dict[str, Callable[[Any, Any], Any]] = {
    "heaviside": lambda argument, _: (argument > 0) * 1.0 + (argument == 0) * 0.5,
    "erf": _erf,
    "sech": _sech,
}


def _is_by_zero(part: Expression, numbers: Mapping[int, Expression]) -> bool:
    is_quotient = isinstance(part, Binary) and part.operator == "/"
    return is_quotient and numbers.get(id(operands(part)[1])) == Number(0.0)


def undefined_part(expression: Expression, known: Mapping[str, float]) -> Expression | None:
    """Return the first part that has no finite real value, whatever other names stand for.

    It is made of numbers alone, or divided by a part in numbers that is zero.

    Args:
        expression: the tree.
        known: the numbers that names stand for; parts with other names are looked into.

    Cost: each part is evaluated once.
    """
    numbers: dict[int, Expression] = {}
    for part in parts(expression):
        inner = operands(part)
        if isinstance(part, Number) or (
            isinstance(part, Name) and (part.id in known or part.id in CONSTANTS)
        ):
            numbers[id(part)] = part
        elif isinstance(part, Binary | Call) and all(id(e) in numbers for e in inner):
            try:
                numbers[id(part)] = _number(rebuild(part, lambda e: numbers[id(e)]), known)
            except ExpressionError:
                return part
        elif _is_by_zero(part, numbers):
            return part
    return None


def _number(part: Expression, known: Mapping[str, float]) -> Number:
    """Return what a part in numbers is; the derivative of a bracket of numbers is zero."""
    if isinstance(part, Call) and part.function.startswith("_"):
        return Number(0.0)
    return Number(constant_value(part, known))


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
