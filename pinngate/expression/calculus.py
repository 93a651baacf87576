"""Exact derivatives of a tree, and its part that is linear in given names."""

from __future__ import annotations

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
        case Applied(own, arguments, by):
            total: Expression = ZERO
            for k, argument in enumerate(arguments):
                da = differentiate(argument, name)
                total = add(total, multiply(Applied(own, arguments, tuple(sorted((*by, k)))), da))
            return total
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
