"""Exact derivatives of a tree, and its part that is linear in given names."""

from __future__ import annotations

from collections.abc import Callable

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
    power,
    substitute,
    subtract,
)


def differentiate(expression: Expression, name: str) -> Expression:
    """Return the exact derivative with respect to one name.

    The derivatives of sign and heaviside are taken as zero (their jumps carry no weight at a
    collocation point).
    """
    match expression:
        case Name():
            return ONE if expression.id == name else ZERO
        case Binary(operator, a, b):
            rule = _BINARY_RULES[operator]
            return rule(expression, a, b, differentiate(a, name), differentiate(b, name))
        case Call(function, a):
            da = differentiate(a, name)
            if da == ZERO or function not in _OUTER_DERIVATIVES:
                return ZERO
            return multiply(_OUTER_DERIVATIVES[function](a), da)
        case Applied(own, arguments, by):
            total: Expression = ZERO
            for k, argument in enumerate(arguments):
                da = differentiate(argument, name)
                total = add(total, multiply(Applied(own, arguments, tuple(sorted((*by, k)))), da))
            return total
    return ZERO


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
    derivatives = {s: differentiate(expression, s) for s in present}
    linear = {s: c for s, c in derivatives.items() if not symbols & set(names(c))}
    rest = substitute(expression, dict.fromkeys(linear, ZERO))
    return linear, rest
