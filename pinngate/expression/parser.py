"""Text to tree, by Python's own `ast`: the nodes of `tree`, the listed functions, nothing else."""

from __future__ import annotations

import ast
import math
import re
import warnings

from pinngate.errors import ExpressionError, nearest
from pinngate.expression.tree import (
    FUNCTIONS,
    Binary,
    Call,
    Expression,
    Name,
    Number,
    negate,
    subtract,
)

# Python has no `(a*u_x)_x`; as an attribute, `(a*u_x).x`, it binds and parses as it should
_DERIVATIVE = re.compile(r"(\)\s*)_(?=[A-Za-z])")
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}


def parse(text: str) -> Expression:
    """Parse one expression.

    Raises:
        ExpressionError: with offset and length of the fault inside `text`.
    """
    if not text.strip():
        raise ExpressionError("an expression is empty", expected="a formula such as sin(pi*x)")
    shift = len(text) - len(text.lstrip())
    read = _DERIVATIVE.sub(r"\1.", text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python warns of odd syntax that is refused below
            tree = ast.parse(read.strip(), mode="eval")
    except SyntaxError as error:
        at = min(shift + max(0, (error.offset or 1) - 1), len(text) - 1)
        what = "'^' is not an operator" if "^" in text else "the expression does not parse"
        raise ExpressionError(
            f"{what}: {text.strip()!r}",
            expected="numbers, names, + - * / **, brackets and the listed functions",
            offset=at,
        ) from None
    except (ValueError, MemoryError, RecursionError):
        raise ExpressionError("the expression does not parse", length=len(text)) from None
    try:
        return _convert(tree.body, shift, text)
    except RecursionError:
        raise ExpressionError("the expression is nested too deeply", length=len(text)) from None


def parse_equation(text: str) -> Expression:
    """Parse ``left = right`` or ``left`` (``= 0`` understood) into the residual left − right.

    Raises:
        ExpressionError: as `parse`; also for more than one ``=``.
    """
    left, equals, right = text.partition("=")
    if "=" in right:
        raise ExpressionError(
            "an equation has more than one '='",
            expected="left = right",
            offset=len(left) + 1 + right.index("="),
        )
    if not equals:
        return parse(text)
    parsed_left = parse(left)
    try:
        parsed_right = parse(right)
    except ExpressionError as error:
        error.offset += len(left) + 1
        raise
    return subtract(parsed_left, _shift(parsed_right, len(left) + 1))


def _shift(node: Expression, by: int) -> Expression:
    if isinstance(node, Name):
        return Name(node.id, node.offset + by)
    if isinstance(node, Binary):
        return Binary(node.operator, _shift(node.left, by), _shift(node.right, by))
    if isinstance(node, Call):
        return Call(node.function, _shift(node.argument, by))
    return node


def _convert(node: ast.expr, shift: int, text: str) -> Expression:
    encoded = text.strip().encode()  # the parser counts bytes, a reader characters
    start = len(encoded[: node.col_offset].decode())
    offset = shift + start
    length = len(encoded[: node.end_col_offset].decode()) - start

    def refuse(what: str, expected: str = "", hint: str = "") -> ExpressionError:
        return ExpressionError(what, expected=expected, hint=hint, offset=offset, length=length)

    match node:
        case ast.Constant(value=bool() | str() | bytes() | complex() | None):
            raise refuse(f"{node.value!r} is not a number", "a number, a name or a formula")
        case ast.Constant(value=int() | float() as value):
            try:
                number = float(value)
            except OverflowError:
                number = math.inf
            if not math.isfinite(number):
                raise refuse("the number is too large", "a number below 1.8e308")
            return Number(number)
        case ast.Name():
            return Name(node.id, offset)
        case ast.UnaryOp(op=ast.USub()):
            return negate(_convert(node.operand, shift, text))
        case ast.UnaryOp(op=ast.UAdd()):
            return _convert(node.operand, shift, text)
        case ast.BinOp() if type(node.op) in _OPERATORS:
            return Binary(
                _OPERATORS[type(node.op)],
                _convert(node.left, shift, text),
                _convert(node.right, shift, text),
            )
        case ast.BinOp(op=ast.BitXor()):
            raise refuse("'^' is not an operator", hint="write powers with **, as in x**2")
        case ast.Attribute(value=inner, attr=axes) if (
            axes.isalpha() and text[offset + length - len(axes) - 1] == "_"
        ):
            return Call("_" + axes, _convert(inner, shift, text))
        case ast.Call(func=ast.Name(id=name)) if name in FUNCTIONS:
            if len(node.args) != 1 or node.keywords:
                raise refuse(f"{name} takes one argument", f"{name}(...)")
            return Call(name, _convert(node.args[0], shift, text))
        case ast.Call(func=ast.Name(id=name)):
            raise refuse(
                f"unknown function '{name}'",
                "the functions are " + " ".join(FUNCTIONS),
                nearest(name, FUNCTIONS),
            )
    raise refuse(
        f"{text[offset : offset + length]!r} is not allowed in an expression",
        "numbers, names, + - * / **, brackets and the functions " + " ".join(FUNCTIONS),
    )
