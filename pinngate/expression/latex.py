"""Trees as LaTeX, through sympy; its parser, which executes what it is given, never sees a text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pinngate.expression.tree import Binary, Call, Expression, Name, Number


def to_latex(expression: Expression, derivatives: Mapping[str, tuple[str, str]]) -> str:
    """Typeset an expression.

    Args:
        expression: the tree.
        derivatives: names of field derivatives mapped to (field, axes), ``u_xx → (u, xx)``.
    """
    import sympy

    def symbol(name: str) -> Any:
        return sympy.pi if name == "pi" else sympy.Symbol(name, real=True)

    def convert(node: Expression) -> Any:
        match node:
            case Number(value):
                return sympy.Integer(int(value)) if value.is_integer() else sympy.Float(value)
            case Name():
                return symbol(node.id)
            case Binary(operator, a, b):
                left, right = convert(a), convert(b)
                if operator == "+":
                    return sympy.Add(left, right, evaluate=False)
                if operator == "-":
                    return sympy.Add(left, -right, evaluate=False)
                if operator == "*":
                    return left * right
                return left / right if operator == "/" else left**right
            case Call(function, a):
                name = {"abs": "Abs", "heaviside": "Heaviside"}.get(function, function)
                return getattr(sympy, name)(convert(a))
        raise AssertionError(node)

    shown = {
        symbol(name): f"{field}_{{{axes}}}" if axes else field
        for name, (field, axes) in derivatives.items()
    }
    return str(sympy.latex(convert(expression), symbol_names=shown, order="none"))
