"""Trees back to the text of a formula, with no more brackets than it needs."""

from __future__ import annotations

from pinngate.expression.piecewise import Piecewise
from pinngate.expression.table_function import Tabulated
from pinngate.expression.tree import (
    Applied,
    Binary,
    Call,
    Expression,
    Name,
    Number,
    operands,
    parts,
)
from pinngate.expression.unknown_spline import UnknownSpline

MAX_WRITTEN = 200_000  # parts of a text; a formula of ten thousand terms has some tens of thousands
_SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(5)
_PRECEDENCE = {"+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "**": _POWER}

Written = dict[int, tuple[str, int]]
"""Text and precedence of the parts so far, by their identity."""


def number_text(value: float) -> str:
    """Return the shortest text that reads back to exactly this number."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def to_text(expression: Expression) -> str:
    """Return the formula of a tree; parsing it gives the same tree again.

    A derivative whose shared parts would be written out to more than `MAX_WRITTEN` is named by its
    size in place of a text.
    """
    ordered = parts(expression)
    size: dict[int, int] = {}
    for part in ordered:
        size[id(part)] = 1 + sum(size[id(inner)] for inner in operands(part))
    if size[id(expression)] > MAX_WRITTEN:
        return f"(a formula of {size[id(expression)]:.3g} parts)"
    written: Written = {}
    for part in ordered:
        written[id(part)] = _render(part, written)
    return written[id(expression)][0]


def _render(node: Expression, written: Written) -> tuple[str, int]:
    """Return text and precedence."""
    match node:
        case Number(value):
            return number_text(value), _SIGN if value < 0 else _ATOM
        case Name():
            return node.id, _ATOM
        case Call(function, argument):
            return f"{function}({written[id(argument)][0]})", _ATOM
        case Applied(Tabulated(name=name), arguments, by) if all(
            isinstance(a, Name) for a in arguments
        ):  # a table is named without its axes
            axes = "".join(written[id(arguments[k])][0] for k in by)
            return f"{name}_{axes}" if axes else name, _ATOM
        case Applied(UnknownSpline(name=name) as own, arguments, ()):  # without its weights
            places = ", ".join(written[id(a)][0] for a in arguments[own.count :])
            return f"{name}({places})", _ATOM
        case Applied(Piecewise(name=name), _, ()):
            return name, _ATOM
        case Applied(applied, arguments, by):
            name = "_".join([applied.name, *(f"by_{k + 1}" for k in by)])
            return f"{name}({', '.join(written[id(a)][0] for a in arguments)})", _ATOM
        case Binary():
            return _operation(node, written)
    raise AssertionError(node)


def _operation(node: Binary, written: Written) -> tuple[str, int]:
    def bracketed(inner: Expression, at_least: int) -> str:
        text, precedence = written[id(inner)]
        return text if precedence >= at_least else f"({text})"

    match node:
        case Binary("*", Number(-1.0), right) if not isinstance(right, Number):
            return f"-{bracketed(right, _SIGN)}", _SIGN
        case Binary("**", left, right):
            return f"{bracketed(left, _ATOM)}**{bracketed(right, _SIGN)}", _POWER
    own = _PRECEDENCE[node.operator]
    sign = f" {node.operator} " if own == _SUM else node.operator
    return f"{bracketed(node.left, own)}{sign}{bracketed(node.right, own + 1)}", own
