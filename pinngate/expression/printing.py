"""Trees back to the text of a formula, with no more brackets than it needs."""

from __future__ import annotations

from pinngate.expression.tree import Applied, Binary, Call, Expression, Name, Number

_SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(5)
_PRECEDENCE = {"+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "**": _POWER}


def number_text(value: float) -> str:
    """Return the shortest text that reads back to exactly this number."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def to_text(expression: Expression) -> str:
    """Return the formula of a tree; parsing it gives the same tree again."""
    return _render(expression)[0]


def _render(node: Expression) -> tuple[str, int]:
    """Return text and precedence."""
    match node:
        case Number(value):
            return number_text(value), _SIGN if value < 0 else _ATOM
        case Name():
            return node.id, _ATOM
        case Call(function, argument):
            return f"{function}({to_text(argument)})", _ATOM
        case Applied(applied, arguments, by):
            name = "_".join([applied.name, *(f"by_{k + 1}" for k in by)])
            return f"{name}({', '.join(map(to_text, arguments))})", _ATOM
        case Binary():
            return _operation(node)
    raise AssertionError(node)


def _operation(node: Binary) -> tuple[str, int]:
    match node:
        case Binary("*", Number(-1.0), right) if not isinstance(right, Number):
            return f"-{_bracketed(right, _SIGN)}", _SIGN
        case Binary("**", left, right):
            return f"{_bracketed(left, _ATOM)}**{_bracketed(right, _SIGN)}", _POWER
    own = _PRECEDENCE[node.operator]
    sign = f" {node.operator} " if own == _SUM else node.operator
    return f"{_bracketed(node.left, own)}{sign}{_bracketed(node.right, own + 1)}", own


def _bracketed(node: Expression, at_least: int) -> str:
    text, precedence = _render(node)
    return text if precedence >= at_least else f"({text})"
