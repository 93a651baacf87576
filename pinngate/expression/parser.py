"""Text to tree, by Python's own `ast`: listed functions, those that the caller gives, no more."""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from pinngate.errors import ExpressionError, nearest
from pinngate.expression.chains import parse_long
from pinngate.expression.own_function import OwnFunction
from pinngate.expression.paired import NESTED, PAIRED, Paired
from pinngate.expression.tree import (
    FUNCTIONS,
    Applied,
    Binary,
    Call,
    Expression,
    Name,
    Number,
    depth,
    negate,
    shifted,
    subtract,
)

Functions = Mapping[str, Callable[..., Any]]
NONE: Functions = {}
MOST_LETTERS = 1_000_000  # far more than the operators that are allowed take
SHOWN = 60  # characters of a formula in a message
MAX_DEPTH = 150  # of what is typed; derivatives are a few times as deep, and walked down by some

# Python has no `(a*u_x)_x`; as an attribute, `(a*u_x).x`, it binds and parses as it should
_DERIVATIVE = re.compile(r"(\)\s*)_(?=[A-Za-z])")
# names that other languages have for ours
_ELSEWHERE = {
    **{"ln": "log", "sgn": "sign", "fabs": "abs", "step": "heaviside", "atan2": "arctan2"},
    **{"asin": "arcsin", "acos": "arccos", "atan": "arctan"},
}
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}


def parse(text: str, functions: Functions = NONE) -> Expression:
    """Parse one expression.

    Args:
        text: of the formula.
        functions: of the caller's own, by the names that the formula may call.

    Raises:
        ExpressionError: with offset and length of the fault inside `text`.
    """
    if len(text) > MOST_LETTERS:
        raise ExpressionError(
            f"a formula of {len(text):,} letters", expected=f"at most {MOST_LETTERS:,}"
        )
    expression = parse_long(text, lambda piece, known: _parsed(piece, functions, known))
    if depth(expression) > MAX_DEPTH:
        raise ExpressionError(
            "the expression is nested too deeply",
            expected=f"at most {MAX_DEPTH} operators and functions inside one another",
            length=len(text),
        )
    return expression


def _parsed(text: str, functions: Functions, known: Mapping[str, Expression]) -> Expression:
    """Parse a short expression; `known` are names that stand for what was parsed before."""
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
            f"{what}: {_shown(text.strip())!r}",
            expected="numbers, names, + - * / **, brackets and the listed functions",
            offset=at,
        ) from None
    except (ValueError, MemoryError, RecursionError):
        raise ExpressionError("the expression does not parse", length=len(text)) from None
    try:
        return _Reader(text, shift, functions, known).read(tree.body)
    except RecursionError:
        raise ExpressionError("the expression is nested too deeply", length=len(text)) from None


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def parse_equation(text: str, functions: Functions = NONE) -> Expression:
    """Parse ``left = right`` or ``left`` (``= 0`` understood) into the residual left − right.

    `functions` as in `parse`.

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
        return parse(text, functions)
    parsed_left = parse(left, functions)
    try:
        parsed_right = parse(right, functions)
    except ExpressionError as error:
        error.offset += len(left) + 1
        raise
    return subtract(parsed_left, shifted(parsed_right, len(left) + 1))


class _Reader:
    """Converts Python's nodes of one text, and tells where in it what is refused stands."""

    def __init__(
        self, text: str, shift: int, functions: Functions, known: Mapping[str, Expression]
    ) -> None:
        self.text, self.shift, self.functions, self.known = text, shift, functions, known
        self.encoded = text.strip().encode()  # the parser counts bytes, a reader characters

    def place(self, node: ast.expr) -> tuple[int, int]:
        """Return offset and length of a node in the text."""
        start = len(self.encoded[: node.col_offset].decode())
        length = len(self.encoded[: node.end_col_offset].decode()) - start
        return self.shift + start, length

    def refused(
        self, node: ast.expr, what: str, expected: str = "", hint: str = ""
    ) -> ExpressionError:
        offset, length = self.place(node)
        return ExpressionError(what, expected=expected, hint=hint, offset=offset, length=length)

    def read(self, node: ast.expr) -> Expression:
        """Return the tree of a node."""
        match node:
            case ast.Constant():
                return self.number(node)
            case ast.Name():
                return self.known.get(node.id) or Name(node.id, self.place(node)[0])
            case ast.UnaryOp(op=ast.USub()):
                return negate(self.read(node.operand))
            case ast.UnaryOp(op=ast.UAdd()):
                return self.read(node.operand)
            case ast.BinOp() if type(node.op) in _OPERATORS:
                operator = _OPERATORS[type(node.op)]
                return Binary(operator, self.read(node.left), self.read(node.right))
            case ast.BinOp(op=ast.BitXor()):
                hint = "write powers with **, as in x**2"
                raise self.refused(node, "'^' is not an operator", hint=hint)
            case ast.Attribute(value=inner, attr=axes) if self.is_derivative(node):
                return Call("_" + axes, self.read(inner), self.place(node)[0])
            case ast.Call(func=ast.Name(id=name)):
                return self.call(node, name)
        offset, length = self.place(node)
        raise self.refused(
            node,
            f"{self.text[offset : offset + length]!r} is not allowed in an expression",
            "numbers, names, + - * / **, brackets and the functions " + " ".join(FUNCTIONS),
        )

    def number(self, node: ast.Constant) -> Number:
        """Return a finite literal."""
        value = node.value
        offset, length = self.place(node)
        if "_" in self.text[offset : offset + length] and isinstance(value, int | float):
            raise self.refused(node, "a number with '_'", "digits alone, as in 1000")
        if isinstance(value, bool) or not isinstance(value, int | float):
            expected = "a number, a name or a formula"
            raise self.refused(node, f"{value!r} is not a number", expected)
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self.refused(node, "the number is too large", "a number below 1.8e308")
        return Number(number)

    def is_derivative(self, node: ast.Attribute) -> bool:
        """Whether an attribute was written ``(…)_xy``."""
        offset, length = self.place(node)
        return node.attr.isalpha() and self.text[offset + length - len(node.attr) - 1] == "_"

    def call(self, node: ast.Call, name: str) -> Expression:
        """Return a listed function, or one of the caller's own, at its arguments."""
        if name in self.functions:
            own = OwnFunction(name, self.functions[name])
            self.check_count(node, own)
            arguments = tuple(self.read(argument) for argument in node.args)
            return Applied(own, arguments, offset=self.place(node)[0])
        if name in PAIRED:
            return self.paired(node, name)
        if name not in FUNCTIONS:
            known = [*FUNCTIONS, *PAIRED, *self.functions]
            raise self.refused(
                node,
                f"unknown function '{name}'",
                "the functions are " + " ".join(known),
                nearest(_ELSEWHERE.get(name, name), known)
                or f"from Python, functions={{'{name}': ...}} gives one's own",
            )
        if len(node.args) != 1 or node.keywords:
            raise self.refused(node, f"{name} takes one argument", f"{name}(...)")
        return Call(name, self.read(node.args[0]), self.place(node)[0])

    def paired(self, node: ast.Call, name: str) -> Expression:
        """Return a function of two arguments; min and max take more, one after the other."""
        count = len(node.args)
        if node.keywords or count < 2 or (count > 2 and name not in NESTED):
            wanted = "two arguments" + (" or more" if name in NESTED else "")
            raise self.refused(node, f"{name} takes {wanted}", f"{name}(a, b)")
        first, *others = (self.read(argument) for argument in node.args)
        for other in others:
            first = Applied(Paired(name), (first, other))
        return first

    def check_count(self, node: ast.Call, own: OwnFunction) -> None:
        """Refuse another number of arguments than the function takes."""
        least, most = own.num_arguments()
        count = len(node.args)
        if not node.keywords and least <= count <= most:
            return
        wanted = f"{least}" if least == most else f"{least} to {most}"
        wanted = f"{least} or more" if most == math.inf else wanted
        found = "names of arguments" if node.keywords else f"{count}"
        raise self.refused(
            node, f"{own.name} takes {wanted} argument(s), found {found}", f"{own.name}(...)"
        )
