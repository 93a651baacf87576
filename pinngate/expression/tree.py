"""The nodes of an expression, arithmetic that folds constants, and how to walk a tree."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

CONSTANTS = {"pi": math.pi}
FUNCTIONS = (
    "sin", "cos", "tan", "sinh", "cosh", "tanh",
    "exp", "log", "sqrt", "abs", "sign", "heaviside",
)  # fmt: skip


@dataclass(frozen=True)
class Number:
    """A literal."""

    value: float


@dataclass(frozen=True)
class Name:
    """A constant, axis, field, derivative or coefficient; `offset` is its place in the text."""

    id: str
    offset: int = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Name) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)


@dataclass(frozen=True)
class Binary:
    """``left operator right`` with one of + - * / **."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Call:
    """One of `FUNCTIONS` applied to one argument.

    Or, until `problem.expand_derivatives` carries it out, the derivative ``_xy`` of a bracket.
    """

    function: str
    argument: Expression


Expression = Number | Name | Binary | Call

ZERO, ONE = Number(0.0), Number(1.0)


def negate(a: Expression) -> Expression:
    """Return −a."""
    return Number(-a.value) if isinstance(a, Number) else multiply(Number(-1.0), a)


def add(a: Expression, b: Expression) -> Expression:
    """Return a + b with constants folded."""
    if a == ZERO:
        return b
    if b == ZERO:
        return a
    if isinstance(a, Number) and isinstance(b, Number):
        return Number(a.value + b.value)
    return Binary("+", a, b)


def subtract(a: Expression, b: Expression) -> Expression:
    """Return a − b with constants folded."""
    if b == ZERO:
        return a
    if isinstance(a, Number) and isinstance(b, Number):
        return Number(a.value - b.value)
    return Binary("-", a, b)


def multiply(a: Expression, b: Expression) -> Expression:
    """Return a·b with constants folded."""
    if a == ZERO or b == ZERO:
        return ZERO
    if a == ONE:
        return b
    if b == ONE:
        return a
    if isinstance(a, Number) and isinstance(b, Number):
        return Number(a.value * b.value)
    return Binary("*", a, b)


def divide(a: Expression, b: Expression) -> Expression:
    """Return a/b with constants folded."""
    return ZERO if a == ZERO else a if b == ONE else Binary("/", a, b)


def power(a: Expression, b: Expression) -> Expression:
    """Return a**b with constants folded."""
    return ONE if b == ZERO else a if b == ONE else Binary("**", a, b)


def names(expression: Expression) -> dict[str, int]:
    """Return every name in the expression with the offset of its first occurrence."""
    match expression:
        case Name():
            return {expression.id: expression.offset}
        case Binary():
            return names(expression.right) | names(expression.left)
        case Call():
            return names(expression.argument)
    return {}


def substitute(expression: Expression, values: Mapping[str, Expression]) -> Expression:
    """Replace names by expressions, folding constants."""
    if isinstance(expression, Name):
        return values.get(expression.id, expression)
    return rebuild(expression, lambda e: substitute(e, values))


def rebuild(expression: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """Return the expression with `change` applied to its operands, folding constants."""
    match expression:
        case Binary():
            combine = {"+": add, "-": subtract, "*": multiply, "/": divide, "**": power}
            left, right = change(expression.left), change(expression.right)
            return combine[expression.operator](left, right)
        case Call():
            return Call(expression.function, change(expression.argument))
    return expression
