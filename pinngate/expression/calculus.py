"""Exact derivatives of a tree, and its part that is linear in given names."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping

from pinngate.errors import ExpressionError
from pinngate.expression.own_function import OwnFunction
from pinngate.expression.paired import Paired
from pinngate.expression.piecewise import Piecewise
from pinngate.expression.table_function import Tabulated
from pinngate.expression.tree import (
    ONE,
    ZERO,
    Applied,
    Binary,
    Call,
    Expression,
    Name,
    Number,
    add,
    divide,
    multiply,
    names,
    negate,
    operands,
    parts,
    power,
    substitute,
    subtract,
)
from pinngate.expression.unknown_spline import UnknownSpline

MAX_PARTS = 100_000  # of what is differentiated: some seconds of planning, and a hundred MB


def differentiate(expression: Expression, name: str) -> Expression:
    """Return the exact derivative with respect to one name.

    The derivatives of sign, heaviside, floor and tables of steps are taken as zero (their jumps
    carry no weight at a collocation point). Parts that the expression shares, the derivative
    shares too.

    Raises:
        ExpressionError: it would have more than `MAX_PARTS` different parts.

    Cost: a few new parts for each different part.
    """
    return along(expression, {name: ONE})


def along(expression: Expression, slopes: Mapping[str, Expression]) -> Expression:
    """Return Σ ∂expression/∂name · slope over the names that have a slope: the chain rule.

    Raises:
        ExpressionError: as `differentiate`.
    """
    made: dict[int, Expression] = {}
    ordered = parts(expression)
    if len(ordered) > MAX_PARTS:
        raise ExpressionError(
            f"a derivative of {len(ordered):,} different parts",
            expected=f"formulas whose derivatives have at most {MAX_PARTS:,}",
            hint="differentiate fewer times, or name a part as an unknown with its own equation",
        )
    for part in ordered:
        made[id(part)] = _derivative(part, slopes, [made[id(inner)] for inner in operands(part)])
    return made[id(expression)]


def gradient(expression: Expression, symbols: Collection[str]) -> dict[str, Expression]:
    """Return the derivatives with respect to several names, each as `differentiate` gives it.

    Cost: one walk; each part is differentiated with respect to the names that it holds.
    """
    made: dict[int, dict[str, Expression]] = {}
    for part in parts(expression):
        inner = [made[id(operand)] for operand in operands(part)]
        if isinstance(part, Name):
            made[id(part)] = {part.id: ONE} if part.id in symbols else {}
        elif isinstance(part, Binary) and part.operator == "+":
            both = inner[0].keys() & inner[1].keys()
            made[id(part)] = inner[0] | inner[1] | {s: add(inner[0][s], inner[1][s]) for s in both}
        else:
            held = dict.fromkeys(s for slopes in inner for s in slopes)
            made[id(part)] = {
                s: _derivative(part, {}, [slopes.get(s, ZERO) for slopes in inner]) for s in held
            }
    found = made[id(expression)]
    return {symbol: found.get(symbol, ZERO) for symbol in symbols}


def _derivative(
    part: Expression, slopes: Mapping[str, Expression], inner: list[Expression]
) -> Expression:
    """Return the derivative of one part from those of its operands."""
    match part:
        case Name():
            return slopes.get(part.id, ZERO)
        case Binary(operator, a, b):
            return _BINARY_RULES[operator](part, a, b, inner[0], inner[1])
        case Call(function, a):
            if inner[0] == ZERO or function not in _OUTER_DERIVATIVES:
                return ZERO
            return multiply(_OUTER_DERIVATIVES[function](a), inner[0])
        case Applied(own, arguments, by):
            total: Expression = ZERO
            for k, da in ((k, da) for k, da in enumerate(inner) if da != ZERO):
                total = add(total, multiply(_partial(own, arguments, (*by, k)), da))
            return total
    return ZERO


def _partial(
    own: OwnFunction | Tabulated | Paired | UnknownSpline | Piecewise,
    arguments: tuple[Expression, ...],
    by: tuple[int, ...],
) -> Expression:
    """Return a partial derivative, which of a table may be zero everywhere but at its knots."""
    if isinstance(own, Paired):
        return _PAIRED_RULES[own.name](*arguments)[by[-1]]
    if isinstance(own, Tabulated | UnknownSpline | Piecewise) and own.is_zero(by):
        return ZERO
    return Applied(own, arguments, tuple(sorted(by)))


def _of_sum(_: Binary, a: Expression, b: Expression, da: Expression, db: Expression) -> Expression:
    return add(da, db)


def _of_difference(
    _: Binary, a: Expression, b: Expression, da: Expression, db: Expression
) -> Expression:
    return subtract(da, db) if da != ZERO else negate(db)


def _of_product(
    _: Binary, a: Expression, b: Expression, da: Expression, db: Expression
) -> Expression:
    return add(multiply(da, b), multiply(a, db))


def _of_quotient(
    _: Binary, a: Expression, b: Expression, da: Expression, db: Expression
) -> Expression:
    if db == ZERO:
        return divide(da, b)
    return divide(subtract(multiply(da, b), multiply(a, db)), power(b, Number(2.0)))


def _of_power(
    whole: Binary, a: Expression, b: Expression, da: Expression, db: Expression
) -> Expression:
    grown: Expression = ZERO
    if da != ZERO:
        exponent = Number(b.value - 1) if isinstance(b, Number) else subtract(b, ONE)
        grown = multiply(multiply(b, power(a, exponent)), da)
    if db != ZERO:
        grown = add(grown, multiply(multiply(whole, Call("log", a)), db))
    return grown


_BINARY_RULES = {
    "+": _of_sum,
    "-": _of_difference,
    "*": _of_product,
    "/": _of_quotient,
    "**": _of_power,
}


def _of_angle(y: Expression, x: Expression) -> tuple[Expression, Expression]:
    square = add(power(x, Number(2.0)), power(y, Number(2.0)))
    return divide(x, square), negate(divide(y, square))


# ∂f/∂a and ∂f/∂b
_PAIRED_RULES: dict[str, Callable[[Expression, Expression], tuple[Expression, Expression]]] = {
    "min": lambda a, b: (_step(subtract(b, a)), _step(subtract(a, b))),
    "max": lambda a, b: (_step(subtract(a, b)), _step(subtract(b, a))),
    "arctan2": _of_angle,
    "mod": lambda a, b: (ONE, negate(Call("floor", divide(a, b)))),
}


def _step(argument: Expression) -> Expression:
    return Call("heaviside", argument)


def _root_of_rest(a: Expression) -> Expression:
    """Return √(1 − a²)."""
    return Call("sqrt", subtract(ONE, power(a, Number(2.0))))


_OUTER_DERIVATIVES: dict[str, Callable[[Expression], Expression]] = {
    "sin": lambda a: Call("cos", a),
    "cos": lambda a: negate(Call("sin", a)),
    "tan": lambda a: add(ONE, power(Call("tan", a), Number(2.0))),
    "sinh": lambda a: Call("cosh", a),
    "cosh": lambda a: Call("sinh", a),
    "tanh": lambda a: subtract(ONE, power(Call("tanh", a), Number(2.0))),
    "exp": lambda a: Call("exp", a),
    "log": lambda a: divide(ONE, a),
    "sqrt": lambda a: divide(Number(0.5), Call("sqrt", a)),
    "abs": lambda a: Call("sign", a),
    "sech": lambda a: negate(multiply(Call("sech", a), Call("tanh", a))),
    "arcsin": lambda a: divide(ONE, _root_of_rest(a)),
    "arccos": lambda a: negate(divide(ONE, _root_of_rest(a))),
    "arctan": lambda a: divide(ONE, add(ONE, power(a, Number(2.0)))),
    "erf": lambda a: multiply(
        Number(2 / math.sqrt(math.pi)), Call("exp", negate(power(a, Number(2.0))))
    ),
}


def coefficients_of(
    expression: Expression, symbols: set[str]
) -> tuple[dict[str, Expression], Expression]:
    """Split an expression into its part linear in `symbols` and the rest.

    Returns:
        ``(c, rest)`` with expression = Σ_s c[s]·s + rest, where no c[s] holds any of `symbols`.
        Symbols that enter nonlinearly, or multiplied with another symbol, stay in `rest`.
    """
    present = symbols & set(names(expression))
    derivatives = gradient(expression, present)
    linear = {s: c for s, c in derivatives.items() if not symbols & set(names(c))}
    rest = substitute(expression, dict.fromkeys(linear, ZERO))
    return linear, rest
