"""The nodes of an expression, arithmetic that folds constants, and how to walk a tree."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from pinngate.expression.own_function import OwnFunction
from pinngate.expression.paired import Paired
from pinngate.expression.piecewise import Piecewise
from pinngate.expression.table_function import Tabulated
from pinngate.expression.unknown_spline import UnknownSpline

CONSTANTS = {"pi": math.pi}
FUNCTIONS = (
    "sin", "cos", "tan", "sinh", "cosh", "tanh",
    "exp", "log", "sqrt", "abs", "sign", "heaviside",
    "sech", "arcsin", "arccos", "arctan", "erf", "floor",
)  # fmt: skip
MOST_SUMMANDS = 64
RESERVED = FUNCTIONS[:12]  # what nothing else can be called; files with a constant `floor` go on


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


class Composite:
    """What is made of other nodes: compared and hashed at the cost of its different parts.

    Derivatives share their parts, so that a small graph stands for a tree of any size; whoever
    walks one goes through `parts`, which names each once, and never down the branches.
    """

    _hash: int

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Composite) and _are_equal(self, other))

    def _note_hash(self, *content: object) -> None:
        object.__setattr__(self, "_hash", hash(content))


@dataclass(frozen=True, eq=False)
class Binary(Composite):
    """``left operator right`` with one of + - * / **."""

    operator: str
    left: Expression
    right: Expression

    def __post_init__(self) -> None:
        self._note_hash(self.operator, self.left, self.right)

    def __reduce__(self) -> tuple[object, ...]:
        return Binary, (self.operator, self.left, self.right)


NOWHERE = -1


@dataclass(frozen=True, eq=False)
class Call(Composite):
    """One of `FUNCTIONS` applied to one argument.

    Or, until `brackets.BracketDerivatives` carries it out, the derivative ``_xy`` of a bracket.
    `offset` is its place in the text, `NOWHERE` of what no text holds; it does not tell two apart.
    """

    function: str
    argument: Expression
    offset: int = NOWHERE

    def __post_init__(self) -> None:
        self._note_hash(self.function, self.argument)

    def __reduce__(self) -> tuple[object, ...]:
        return Call, (self.function, self.argument, self.offset)


@dataclass(frozen=True, eq=False)
class Applied(Composite):
    """A function of several arguments at these, or a partial derivative of it.

    It is one of the caller's own, a table, one of `paired`, or one that is to be found.

    `by` holds the indices of the arguments by which it is differentiated, in ascending order;
    `offset` is as that of a `Call`.
    """

    function: OwnFunction | Tabulated | Paired | UnknownSpline | Piecewise
    arguments: tuple[Expression, ...]
    by: tuple[int, ...] = ()
    offset: int = NOWHERE

    def __post_init__(self) -> None:
        self._note_hash(self.function, self.arguments, self.by)

    def __reduce__(self) -> tuple[object, ...]:
        return Applied, (self.function, self.arguments, self.by, self.offset)


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


def parts(
    expression: Expression, is_closed: Callable[[Expression], bool] = lambda _: False
) -> list[Expression]:
    """Return every different node once, operands before what is made of them, left to right.

    Nodes inside of those that are closed are not looked at.
    """
    ordered: list[Expression] = []
    seen: set[int] = set()
    waiting: list[tuple[Expression, bool]] = [(expression, False)]
    while waiting:
        node, is_open = waiting.pop()
        if is_open:
            ordered.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            waiting.append((node, True))
            if not is_closed(node):
                waiting += [(operand, False) for operand in reversed(operands(node))]
    return ordered


def depth(expression: Expression) -> int:
    """Return how many operators and functions stand inside one another at most."""
    found: dict[int, int] = {}
    for part in parts(expression):
        found[id(part)] = max((1 + found[id(inner)] for inner in operands(part)), default=0)
    return found[id(expression)]


def _are_equal(one: Composite, other: Composite) -> bool:
    """Whether two trees are the same; a pair of parts is compared once."""
    waiting: list[tuple[Expression, Expression]] = [(one, other)]  # type: ignore[list-item]
    seen: set[tuple[int, int]] = set()
    while waiting:
        a, b = waiting.pop()
        if a is b or (id(a), id(b)) in seen:
            continue
        seen.add((id(a), id(b)))
        if not isinstance(a, Composite) or not isinstance(b, Composite):
            if a != b:
                return False
        elif hash(a) != hash(b) or _own(a) != _own(b):
            return False
        else:
            waiting += zip(operands(a), operands(b), strict=True)
    return True


def _own(node: Expression) -> tuple[object, ...]:
    """Return what a node says beside its operands."""
    match node:
        case Binary():
            return ("binary", node.operator)
        case Call():
            return ("call", node.function)
        case Applied():
            return ("applied", node.function, node.by, len(node.arguments))
    return (node,)


def names(expression: Expression) -> dict[str, int]:
    """Return every name in the expression with the offset of its first occurrence."""
    found: dict[str, int] = {}
    seen: set[int] = set()
    waiting = [expression]
    while waiting:  # from right to left, so that the first occurrence is noted last
        node = waiting.pop()
        if isinstance(node, Name):
            found[node.id] = node.offset
        elif id(node) not in seen:
            seen.add(id(node))
            waiting += operands(node)
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


def with_tables(expression: Expression, tables: Mapping[str, Applied]) -> Expression:
    """Return the expression with tables at their axes where their names stand, at the same place.

    Args:
        expression: as it was typed.
        tables: by their names; their arguments are axes.
    """

    def table(part: Expression) -> Expression:
        given = tables.get(part.id) if isinstance(part, Name) else None
        if given is None or not isinstance(part, Name):
            return part
        at_place = (Name(a.id, part.offset) for a in given.arguments if isinstance(a, Name))
        return Applied(given.function, tuple(at_place))

    return transformed(expression, table) if tables else expression


def summands(expression: Expression) -> list[Expression]:
    """Return what an expression is a sum or a difference of, without the signs.

    Products of sums are multiplied out, up to `MOST_SUMMANDS` of one product.
    """
    found: list[Expression] = []
    waiting = [expression]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Binary) and node.operator in "+-":
            waiting += [node.right, node.left]
        elif isinstance(node, Binary) and node.operator in "*/":
            found += _multiplied_out(node)
        else:
            found.append(node)
    return found


def _multiplied_out(node: Binary) -> list[Expression]:
    left = summands(node.left)
    right = summands(node.right) if node.operator == "*" else [node.right]
    if not 1 < len(left) * len(right) <= MOST_SUMMANDS:
        return [node]
    return [Binary(node.operator, a, b) for a in left for b in right]


def applied_functions(expression: Expression) -> list[str]:
    """Return the names of the caller's own functions in the expression, each once."""
    applied = (part.function for part in parts(expression) if isinstance(part, Applied))
    return list(dict.fromkeys(own.name for own in applied if isinstance(own, OwnFunction)))


def tables_in(expression: Expression) -> list[Applied]:
    """Return every different part that is a table at its arguments, or a derivative of it."""
    found = (part for part in parts(expression) if isinstance(part, Applied))
    return list(dict.fromkeys(part for part in found if isinstance(part.function, Tabulated)))


def substitute(expression: Expression, values: Mapping[str, Expression]) -> Expression:
    """Replace names by expressions, folding constants."""

    def replaced(part: Expression) -> Expression:
        return values.get(part.id, part) if isinstance(part, Name) else part

    return transformed(expression, replaced)


def transformed(
    expression: Expression,
    change: Callable[[Expression], Expression],
    is_closed: Callable[[Expression], bool] = lambda _: False,
) -> Expression:
    """Return the expression with `change` applied to each part, from the inside out.

    Args:
        expression: the tree; parts that it shares stay shared.
        change: from a part whose operands are changed already to what stands in its place.
        is_closed: whether the inside of a part stays as it is, and is not looked at.

    Cost: one call for each different part.
    """
    made: dict[int, Expression] = {}
    for part in parts(expression, is_closed):
        rebuilt = part if is_closed(part) else rebuild(part, lambda inner: made[id(inner)])
        made[id(part)] = change(rebuilt)
    return made[id(expression)]


def shifted(expression: Expression, by: int) -> Expression:
    """Return the expression with its places in the text moved; constants are not folded."""
    made: dict[int, Expression] = {}
    for part in parts(expression):
        match part:
            case Name():
                made[id(part)] = Name(part.id, part.offset + by)
            case Binary():
                left, right = made[id(part.left)], made[id(part.right)]
                made[id(part)] = Binary(part.operator, left, right)
            case Call():
                made[id(part)] = Call(part.function, made[id(part.argument)], part.offset + by)
            case Applied():
                arguments = tuple(made[id(argument)] for argument in part.arguments)
                made[id(part)] = replace(part, arguments=arguments, offset=part.offset + by)
            case _:
                made[id(part)] = part
    return made[id(expression)]


_COMBINE = {"+": add, "-": subtract, "*": multiply, "/": divide, "**": power}


def rebuild(expression: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """Return the expression with `change` applied to its operands, folding constants."""
    match expression:
        case Binary():
            left, right = change(expression.left), change(expression.right)
            made = _COMBINE[expression.operator](left, right)
            return expression if _is_as_before(expression, made) else made
        case Call():
            argument = change(expression.argument)
            if argument is expression.argument:
                return expression
            return replace(expression, argument=argument)
        case Applied():
            arguments = tuple(change(argument) for argument in expression.arguments)
            return replace(expression, arguments=arguments)
    return expression


def _is_as_before(before: Binary, made: Expression) -> bool:
    return (
        isinstance(made, Binary)
        and made.operator == before.operator
        and made.left is before.left
        and made.right is before.right
    )
