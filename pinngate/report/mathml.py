"""Expressions and equations as presentation MathML.

Browsers typeset MathML without scripts, so that a report needs nothing from elsewhere. The tree is
written in the order in which it was typed: a reader finds his own equation again. Reference: MathML
Core, https://www.w3.org/TR/mathml-core/.
"""

from __future__ import annotations

from html import escape

from pinngate.errors import ExpressionError
from pinngate.expression import Applied, Binary, Call, Expression, Name, Number, parse
from pinngate.report.notation import GREEK, split_name
from pinngate.statement.derivatives import parse_derivative
from pinngate.statement.problem import Problem

_SUM, _PRODUCT, _POWER, _ATOM = range(4)  # how tightly a formula binds
_FUNCTION_NAMES = {"sign": "sgn", "heaviside": "H"}
_SQUARED_BY_NAME = {"sin", "cos", "tan", "sinh", "cosh", "tanh", "log"}  # sin² x is usual
_THIN = '<mspace width="0.12em"/>'


def equation(text: str, residual: Expression, problem: Problem) -> str:
    """Return ``left = right`` as a `<math>` element.

    Args:
        text: the equation as typed, ``= 0`` understood.
        residual: shown as ``residual = 0`` where the text does not parse.
        problem: tells derivatives from other names.
    """
    left, _, right = text.partition("=")
    try:
        known = problem.functions
        sides = parse(left, known), parse(right, known) if right.strip() else Number(0.0)
    except ExpressionError:
        sides = residual, Number(0.0)
    return _math("<mo>=</mo>".join(_write(side, problem)[0] for side in sides))


def formula(expression: Expression, problem: Problem, *, of: str = "") -> str:
    """Return an expression as a `<math>` element, preceded by ``of =`` where given."""
    lead = f"{_identifier(of)}<mo>=</mo>" if of else ""
    return _math(lead + _write(expression, problem)[0])


def symbol(name: str) -> str:
    """Return one name as a `<math>` element."""
    return _math(_identifier(name))


def _math(body: str) -> str:
    return f"<math><mrow>{body}</mrow></math>"


def _identifier(name: str) -> str:
    stem, subscript = split_name(name)
    if not subscript:
        return f"<mi>{escape(stem)}</mi>"
    tag = "mn" if subscript.isdigit() else "mi"
    return f"<msub><mi>{escape(stem)}</mi><{tag}>{escape(subscript)}</{tag}></msub>"


def _name(name: str, problem: Problem) -> str:
    if name == "pi":
        return f"<mi>{GREEK['pi']}</mi>"
    derivative = parse_derivative(name, problem.outputs, problem.axes)
    if derivative is None or not derivative.order:
        return _identifier(name)
    letters = name.rpartition("_")[2]
    axes = "".join(f"<mi>{axis}</mi>" for axis in letters)
    return f"<msub>{_identifier(derivative.field)}<mrow>{axes}</mrow></msub>"


def _number(value: float) -> tuple[str, int]:
    mantissa, _, exponent = f"{value:.12g}".partition("e")
    body = f"<mn>{mantissa}</mn>"
    if not exponent:
        return body, _ATOM
    power = f"<mn>{int(exponent)}</mn>".replace("-", "−")
    return f"{body}<mo>×</mo><msup><mn>10</mn>{power}</msup>", _PRODUCT


def _unsigned(node: Expression) -> tuple[bool, Expression]:
    """Split off a leading minus sign: −κ π² t is typed as ((−1·κ)·π²)·t."""
    match node:
        case Number(value) if value < 0:
            return True, Number(-value)
        case Binary("*", Number(-1.0), right):
            return True, right
        case Binary("*" | "/" as operator, left, right):
            is_negative, rest = _unsigned(left)
            return is_negative, Binary(operator, rest, right)
    return False, node


def _write(node: Expression, problem: Problem) -> tuple[str, int]:
    is_negative, rest = _unsigned(node)
    if is_negative:
        return f"<mo>−</mo>{_enclosed(rest, problem, _PRODUCT)}", _SUM
    match node:
        case Number(value):
            return _number(value)
        case Name():
            return _name(node.id, problem), _ATOM
        case Binary("+" | "-" as operator, left, right):
            first = _write(left, problem)[0]
            is_negative, unsigned = _unsigned(right)
            if operator == "+" and is_negative:
                operator, right = "-", unsigned
            sign = "−" if operator == "-" else "+"
            second = _enclosed(right, problem, _PRODUCT)
            return f"{first}<mo>{sign}</mo>{second}", _SUM
        case Binary("*", left, right):
            return _product(left, right, problem), _PRODUCT
        case Binary("/", left, right):
            above, below = _write(left, problem)[0], _write(right, problem)[0]
            return f"<mfrac><mrow>{above}</mrow><mrow>{below}</mrow></mfrac>", _POWER
        case Binary("**", Call(function, argument), Number(value)) if (
            function in _SQUARED_BY_NAME and value > 0
        ):
            head = f"<msup><mi>{function}</mi>{_number(value)[0]}</msup>"
            return _applied(head, argument, problem), _POWER
        case Binary("**", left, right):
            below, above = _enclosed(left, problem, _ATOM), _write(right, problem)[0]
            return f"<msup><mrow>{below}</mrow><mrow>{above}</mrow></msup>", _POWER
        case Call("sqrt", argument):
            return f"<msqrt>{_write(argument, problem)[0]}</msqrt>", _ATOM
        case Call("abs", argument):
            return f"<mo>|</mo>{_write(argument, problem)[0]}<mo>|</mo>", _ATOM
        case Call("exp", argument):
            above = _write(argument, problem)[0]
            return f"<msup><mi>e</mi><mrow>{above}</mrow></msup>", _POWER
        case Call(function, argument) if function.startswith("_"):
            axes = "".join(f"<mi>{axis}</mi>" for axis in function[1:])
            body = f"<mo>(</mo>{_write(argument, problem)[0]}<mo>)</mo>"
            return f"<msub><mrow>{body}</mrow><mrow>{axes}</mrow></msub>", _ATOM
        case Call(function, argument):
            head = f"<mi>{_FUNCTION_NAMES.get(function, function)}</mi>"
            return _applied(head, argument, problem), _POWER
        case Applied(own, arguments, by):
            marks = "".join(f"<mo>∂</mo><mn>{k + 1}</mn>" for k in by)
            listed = "<mo>,</mo>".join(_write(argument, problem)[0] for argument in arguments)
            head = f"{marks}<mi>{escape(own.name)}</mi>"
            return f"{head}<mo>&#x2061;</mo><mo>(</mo>{listed}<mo>)</mo>", _POWER
    raise AssertionError(node)


def _enclosed(node: Expression, problem: Problem, needed: int) -> str:
    body, tightness = _write(node, problem)
    return body if tightness >= needed else f"<mo>(</mo>{body}<mo>)</mo>"


def _product(left: Expression, right: Expression, problem: Problem) -> str:
    second = _enclosed(right, problem, _PRODUCT)
    numbers_meet = second.startswith(("<mn>", "<msup><mrow><mn>"))
    between = "<mo>·</mo>" if numbers_meet else f"<mo>&#x2062;</mo>{_THIN}"
    return f"{_enclosed(left, problem, _PRODUCT)}{between}{second}"


def _applied(head: str, argument: Expression, problem: Problem) -> str:
    body = _write(argument, problem)[0]
    return f"{head}<mo>&#x2061;</mo><mo>(</mo>{body}<mo>)</mo>"
