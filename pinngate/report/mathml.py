"""Expressions and equations as presentation MathML.

Browsers typeset MathML without scripts, so that a report needs nothing from elsewhere. The tree is
written in the order in which it was typed: a reader finds his own equation again. Reference: MathML
Core, https://www.w3.org/TR/mathml-core/.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape

from pinngate.errors import ExpressionError
from pinngate.expression import (
    Applied,
    Binary,
    Call,
    Expression,
    Name,
    Number,
    Piecewise,
    Tabulated,
    parse,
)
from pinngate.expression.printing import to_text
from pinngate.report.notation import GREEK, split_name
from pinngate.statement.delays import earlier
from pinngate.statement.derivatives import parse_derivative, spelled
from pinngate.statement.field_functions import callable_in
from pinngate.statement.problem import Problem

_SUM, _PRODUCT, _POWER, _ATOM = range(4)  # how tightly a formula binds
_FUNCTION_NAMES = {"sign": "sgn", "heaviside": "H"}
_SQUARED_BY_NAME = {"sin", "cos", "tan", "sinh", "cosh", "tanh", "sech", "log"}  # sin² x is usual
_NOTATIONS = {  # of functions that are not written by their name, and how tightly each binds
    "sqrt": ("<msqrt>{}</msqrt>", _ATOM),
    "floor": ("<mo>⌊</mo>{}<mo>⌋</mo>", _ATOM),
    "abs": ("<mo>|</mo>{}<mo>|</mo>", _ATOM),
    "exp": ("<msup><mi>e</mi><mrow>{}</mrow></msup>", _POWER),
}
LONG = 24  # letters of a formula that one line holds wherever it is read
_TIMES = "&#x2062;"
_BREAKS, _OPENING = ("+", "−", "="), ("(", ",", "+", "−", "=")
_TAG, _TOKEN = re.compile(r"<[^>]*>"), re.compile(r"(<[^>]*>)([^<]*)")
_THIN = '<mspace width="0.12em"/>'


Written = tuple[str, int]


def equation(text: str, residual: Expression, problem: Problem, *, is_bare: bool = False) -> str:
    """Return ``left = right`` as a `<math>` element.

    Args:
        text: the equation as typed, ``= 0`` understood.
        residual: shown as ``residual = 0`` where the text does not parse.
        problem: tells derivatives from other names.
        is_bare: whether a text without an equals sign is no equation but a formula.
    """
    left, equals, right = text.partition("=")
    try:
        fields = dict.fromkeys(problem.unknowns, earlier)
        known = {**callable_in(problem.functions, problem.field_functions), **fields}
        sides = parse(left, known), parse(right, known) if right.strip() else Number(0.0)
    except ExpressionError:
        sides = residual, Number(0.0)
    shown = sides if equals or not is_bare else sides[:1]
    return _math("<mo>=</mo>".join(_write(side, problem)[0] for side in shown))


def formula(expression: Expression, problem: Problem, *, of: str = "") -> str:
    """Return an expression as a `<math>` element, preceded by ``of =`` where given."""
    lead = f"{_identifier(of)}<mo>=</mo>" if of else ""
    return _math(lead + _write(expression, problem)[0])


def symbol(name: str) -> str:
    """Return one name as a `<math>` element."""
    return _math(_identifier(name))


def _math(body: str) -> str:
    """Return a body as an element; a long one as several, between which a line may break."""
    pieces = _pieces(body) if _num_letters(body) > LONG else [body]
    return "<wbr>".join(f"<math><mrow>{piece}</mrow></math>" for piece in pieces)


def _num_letters(body: str) -> int:
    return len(_TAG.sub("", body).replace(_TIMES, "").replace("&#x2061;", ""))


def _pieces(body: str) -> list[str]:
    """Split a formula before each +, − and = between terms, and in long products between factors.

    Fractions and powers stay whole. Browsers break no line inside a formula.
    """
    pieces, depth, before = [""], 0, "("
    for tag, content in _TOKEN.findall(body):
        token = tag + content
        if depth == 0 and tag == "<mo>" and before not in _OPENING:
            is_factor = content == _TIMES and before == ")"
            if content in _BREAKS or (is_factor and _num_letters(pieces[-1]) > LONG // 2):
                pieces.append("")
                token = f'<mo form="infix">{content}'
        pieces[-1] += token
        depth += 0 if tag.endswith("/>") else -1 if tag.startswith("</") else 1
        before = content or before
    return pieces


def _identifier(name: str) -> str:
    own, _, experiment = name.partition("__")
    if own and experiment:
        above = f"<mrow><mo>(</mo><mi>{escape(experiment)}</mi><mo>)</mo></mrow>"
        return f"<msup>{_identifier(own)}{above}</msup>"
    stem, subscript = split_name(name)
    if not subscript:
        return f"<mi>{escape(stem)}</mi>"
    tag = "mn" if subscript.isdigit() else "mi"
    return f"<msub><mi>{escape(stem)}</mi><{tag}>{escape(subscript)}</{tag}></msub>"


def _name(name: str, problem: Problem) -> str:
    if name == "pi":
        return f"<mi>{GREEK['pi']}</mi>"
    derivative = parse_derivative(name, problem.outputs, problem.axes)
    if derivative is not None and derivative.delay:
        time = f"{_identifier(problem.axes[0])}<mo>−</mo>{_number(derivative.delay)[0]}"
        return f"{_identifier(derivative.field)}<mo>&#x2061;</mo><mo>(</mo>{time}<mo>)</mo>"
    if derivative is None or not derivative.order:
        return _identifier(name)
    along = spelled(name.rpartition("_")[2], problem.axes)
    axes = "".join(_identifier(axis) for axis in along)
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


def _write(node: Expression, problem: Problem) -> Written:
    """Return the markup of an expression and how tightly it binds."""
    is_negative, rest = _unsigned(node)
    if is_negative:
        return f"<mo>−</mo>{_enclosed(rest, problem, _PRODUCT)}", _SUM
    match node:
        case Number(value):
            return _number(value)
        case Name():
            return _name(node.id, problem), _ATOM
        case Binary(operator, left, right):
            return _BINARY[operator](left, right, problem)
        case Call(function, argument):
            return _call(function, argument, problem)
        case Applied(Tabulated()) if all(isinstance(a, Name) for a in node.arguments):
            return _identifier(to_text(node)), _ATOM
        case Applied(Piecewise(name=name), by=()):
            return _identifier(name), _ATOM
        case Applied():
            return _own_function(node, problem)
    raise AssertionError(node)


def _sum(left: Expression, right: Expression, problem: Problem) -> Written:
    is_negative, unsigned = _unsigned(right)
    if is_negative:
        return _difference(left, unsigned, problem)
    first, second = _write(left, problem)[0], _enclosed(right, problem, _PRODUCT)
    return f"{first}<mo>+</mo>{second}", _SUM


def _difference(left: Expression, right: Expression, problem: Problem) -> Written:
    first, second = _write(left, problem)[0], _enclosed(right, problem, _PRODUCT)
    return f"{first}<mo>−</mo>{second}", _SUM


def _product(left: Expression, right: Expression, problem: Problem) -> Written:
    second = _enclosed(right, problem, _PRODUCT)
    numbers_meet = second.startswith(("<mn>", "<msup><mrow><mn>"))
    between = "<mo>·</mo>" if numbers_meet else f"<mo>&#x2062;</mo>{_THIN}"
    return f"{_enclosed(left, problem, _PRODUCT)}{between}{second}", _PRODUCT


def _fraction(left: Expression, right: Expression, problem: Problem) -> Written:
    above, below = _write(left, problem)[0], _write(right, problem)[0]
    return f"<mfrac><mrow>{above}</mrow><mrow>{below}</mrow></mfrac>", _POWER


def _power(left: Expression, right: Expression, problem: Problem) -> Written:
    match left, right:
        case Call(function, argument), Number(value) if function in _SQUARED_BY_NAME and value > 0:
            head = f"<msup><mi>{function}</mi>{_number(value)[0]}</msup>"
            return _applied(head, argument, problem), _POWER
    below, above = _enclosed(left, problem, _ATOM), _write(right, problem)[0]
    return f"<msup><mrow>{below}</mrow><mrow>{above}</mrow></msup>", _POWER


_BINARY: dict[str, Callable[[Expression, Expression, Problem], Written]] = {
    "+": _sum,
    "-": _difference,
    "*": _product,
    "/": _fraction,
    "**": _power,
}


def _own_function(node: Applied, problem: Problem) -> Written:
    marks = "".join(f"<mo>∂</mo><mn>{k + 1}</mn>" for k in node.by)
    listed = "<mo>,</mo>".join(_write(argument, problem)[0] for argument in node.arguments)
    head = f"{marks}{_identifier(node.function.name)}"
    return f"{head}<mo>&#x2061;</mo><mo>(</mo>{listed}<mo>)</mo>", _POWER


def _call(function: str, argument: Expression, problem: Problem) -> Written:
    body = _write(argument, problem)[0]
    if function in _NOTATIONS:
        template, tightness = _NOTATIONS[function]
        return template.format(body), tightness
    if function.startswith("_"):
        axes = "".join(f"<mi>{axis}</mi>" for axis in function[1:])
        inner = f"<mo>(</mo>{body}<mo>)</mo>"
        return f"<msub><mrow>{inner}</mrow><mrow>{axes}</mrow></msub>", _ATOM
    head = f"<mi>{_FUNCTION_NAMES.get(function, function)}</mi>"
    return _applied(head, argument, problem), _POWER


def _enclosed(node: Expression, problem: Problem, needed: int) -> str:
    body, tightness = _write(node, problem)
    return body if tightness >= needed else f"<mo>(</mo>{body}<mo>)</mo>"


def _applied(head: str, argument: Expression, problem: Problem) -> str:
    body = _write(argument, problem)[0]
    return f"{head}<mo>&#x2061;</mo><mo>(</mo>{body}<mo>)</mo>"
