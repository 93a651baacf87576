"""The nodes of an expression, arithmetic that folds constants, and how to walk a tree."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from pinngate.expression.own_function import OwnFunction

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


NOWHERE = -1


@dataclass(frozen=True)
class Call:
    """One of `FUNCTIONS` applied to one argument.

    Or, until `brackets.BracketDerivatives` carries it out, the derivative ``_xy`` of a bracket.
    `offset` is its place in the text, `NOWHERE` of what no text holds.
    """

    function: str
    argument: Expression
    offset: int = field(default=NOWHERE, compare=False)


@dataclass(frozen=True)
class Applied:
    """A function of the caller's own at its arguments, or a partial derivative of it.

    `by` holds the indices of the arguments by which it is differentiated, in ascending order.
    """

    function: OwnFunction
    arguments: tuple[Expression, ...]
    by: tuple[int, ...] = ()


Expression = Number | Name | Binary | Call | Applied

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
    if isinstance(expression, Name):
        return {expression.id: expression.offset}
    found: dict[str, int] = {}
    for operand in reversed(operands(expression)):
        found |= names(operand)
    return found


def operands(expression: Expression) -> tuple[Expression, ...]:
    """Return what an operator or a function is applied to, from left to right."""
    match expression:
        case Binary():
            return expression.left, expression.right
        case Call():
            return (expression.argument,)
        case Applied():
            return expression.arguments
    return ()


def summands(expression: Expression) -> list[Expression]:
    """Return what an expression is a sum or a difference of, without the signs."""
    if isinstance(expression, Binary) and expression.operator in "+-":
        return [*summands(expression.left), *summands(expression.right)]
    return [expression]


def applied_functions(expression: Expression) -> list[str]:
    """Return the names of the caller's own functions in the expression, each once."""
    own = [expression.function.name] if isinstance(expression, Applied) else []
    inner = [name for operand in operands(expression) for name in applied_functions(operand)]
    return list(dict.fromkeys([*own, *inner]))


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
            return replace(expression, argument=change(expression.argument))
        case Applied():
            arguments = tuple(change(argument) for argument in expression.arguments)
            return Applied(expression.function, arguments, expression.by)
    return expression
