"""Text to expression tree, and from the tree to numbers, derivatives and LaTeX.

Expressions state equations, conditions, data and truth. The text is parsed by Python's own `ast`
into the six node kinds of this module and nothing else: no attribute, no subscript, no call but the
listed functions. A tree is evaluated with any array namespace (numpy or torch), differentiated
exactly with respect to any of its names, and printed through sympy for reports only (sympy's parser
executes what it is given, so no text ever reaches it).
"""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pinngate.errors import ExpressionError, nearest

CONSTANTS = {"pi": math.pi}
FUNCTIONS = (
    "sin", "cos", "tan", "sinh", "cosh", "tanh",
    "exp", "log", "sqrt", "abs", "sign", "heaviside",
)  # fmt: skip

# Python has no `(a*u_x)_x`; as an attribute, `(a*u_x).x`, it binds and parses as it should
_DERIVATIVE = re.compile(r"(\)\s*)_(?=[A-Za-z])")
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}


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


def differentiate(expression: Expression, name: str) -> Expression:
    """Return the exact derivative with respect to one name.

    The derivatives of sign and heaviside are taken as zero (their jumps carry no weight at a
    collocation point).
    """
    match expression:
        case Name():
            return ONE if expression.id == name else ZERO
        case Binary(operator, a, b):
            da, db = differentiate(a, name), differentiate(b, name)
            if operator == "+":
                return add(da, db)
            if operator == "-":
                return subtract(da, db) if da != ZERO else negate(db)
            if operator == "*":
                return add(multiply(da, b), multiply(a, db))
            if operator == "/":
                if db == ZERO:
                    return divide(da, b)
                return divide(subtract(multiply(da, b), multiply(a, db)), power(b, Number(2.0)))
            grown: Expression = ZERO
            if da != ZERO:
                exponent = Number(b.value - 1) if isinstance(b, Number) else subtract(b, ONE)
                grown = multiply(multiply(b, power(a, exponent)), da)
            if db != ZERO:
                grown = add(grown, multiply(multiply(expression, Call("log", a)), db))
            return grown
        case Call(function, a):
            da = differentiate(a, name)
            return ZERO if da == ZERO else multiply(_outer_derivative(function, a), da)
    return ZERO


def _outer_derivative(function: str, a: Expression) -> Expression:
    match function:
        case "sin":
            return Call("cos", a)
        case "cos":
            return negate(Call("sin", a))
        case "tan":
            return add(ONE, power(Call("tan", a), Number(2.0)))
        case "sinh":
            return Call("cosh", a)
        case "cosh":
            return Call("sinh", a)
        case "tanh":
            return subtract(ONE, power(Call("tanh", a), Number(2.0)))
        case "exp":
            return Call("exp", a)
        case "log":
            return divide(ONE, a)
        case "sqrt":
            return divide(Number(0.5), Call("sqrt", a))
        case "abs":
            return Call("sign", a)
    return ZERO


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
            if expression.id in values:
                return values[expression.id]
            if expression.id in CONSTANTS:
                return CONSTANTS[expression.id]
            raise ExpressionError(
                f"unknown name '{expression.id}'",
                hint=nearest(expression.id, values),
                offset=expression.offset,
                length=len(expression.id),
            )
        case Binary(operator, left, right):
            a, b = evaluate(left, values, namespace), evaluate(right, values, namespace)
            if operator == "+":
                return a + b
            if operator == "-":
                return a - b
            if operator == "*":
                return a * b
            if operator == "/":
                return a / b
            if isinstance(b, float) and b.is_integer():
                return a ** int(b)
            return a**b
        case Call(function, inner):
            argument = evaluate(inner, values, namespace)
            if isinstance(argument, float):
                return _SCALAR[function](argument)
            if function == "heaviside":
                return (argument > 0) * 1.0 + (argument == 0) * 0.5
            return getattr(namespace, function)(argument)
    raise AssertionError(expression)


_SCALAR: dict[str, Any] = {name: getattr(math, name) for name in FUNCTIONS if hasattr(math, name)}
_SCALAR["abs"] = abs
_SCALAR["sign"] = lambda x: float((x > 0) - (x < 0))
_SCALAR["heaviside"] = lambda x: 0.5 if x == 0 else float(x > 0)


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


def coefficients_of(
    expression: Expression, symbols: set[str]
) -> tuple[dict[str, Expression], Expression]:
    """Split an expression into its part linear in `symbols` and the rest.

    Returns:
        ``(c, rest)`` with expression = Σ_s c[s]·s + rest, where no c[s] holds any of `symbols`.
        Symbols that enter nonlinearly, or multiplied with another symbol, stay in `rest`.
    """
    present = symbols & set(names(expression))
    derivatives = {s: differentiate(expression, s) for s in present}
    linear = {s: c for s, c in derivatives.items() if not symbols & set(names(c))}
    rest = substitute(expression, dict.fromkeys(linear, ZERO))
    return linear, rest


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
