"""Stated delays: ``u(t - 0.1)``, the value of a field at an earlier time, and the past before t₀.

In a tree a delayed value is a name, ``u(t - 0.1)`` with the delay as a number, so that whatever
evaluates and differentiates formulas in fields takes it as one more of their values. Before the
start a field has its past: the formula of a condition ``u = φ(t) at t <= t₀``, else its value at
t₀. With the former, an equation is solved as

    F(t, u, H u(t − τ) + (1 − H) φ(t − τ)) = 0,   H = heaviside(t − t₀ − τ).

Below the checks; where the solution has kinks says `delay_kinks`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial

from pinngate.errors import ExpressionError
from pinngate.expression import (
    CONSTANTS,
    ONE,
    Applied,
    Binary,
    Call,
    Expression,
    Name,
    Number,
    OwnFunction,
    Paired,
    add,
    coefficients_of,
    constant_value,
    divide,
    multiply,
    names,
    negate,
    substitute,
    subtract,
    transformed,
)
from pinngate.expression.printing import to_text
from pinngate.statement.components import Statement
from pinngate.statement.derivatives import Derivative, derivative_name, parse_derivative
from pinngate.statement.equations import Condition, Plane

TIME = "t"


def earlier(time: object) -> object:
    """Stand for a field that is called while its formula is parsed."""
    return time


def with_delays(
    expression: Expression,
    fields: Collection[str],
    axes: tuple[str, ...],
    constants: Mapping[str, float],
    estimated: Collection[str],
) -> Expression:
    """Return a parsed formula in which every field that is called is the name of a delayed value.

    Args:
        expression: in which such a field stands as a function, `earlier`.
        fields: names of those that are called.
        axes: of the domain.
        constants: that a delay may name.
        estimated: names of coefficients, for the message.

    Raises:
        ExpressionError: one is called at anything but t less a positive number.
    """

    def change(part: Expression) -> Expression:
        match part:
            case Applied(OwnFunction(name), (time,)) if name in fields:
                fault = partial(_fault, part, name)
                delay = _delay(time, axes, constants, estimated, fault)
                return Name(derivative_name(Derivative(name, (0,), delay), axes), part.offset)
        return part

    return transformed(expression, change)


Fault = Callable[..., ExpressionError]


def _fault(
    part: Applied, field: str, why: str, expected: str = "", hint: str = ""
) -> ExpressionError:
    return ExpressionError(
        f"{field}({to_text(part.arguments[0])}) is not followed: {why}",
        expected=expected or f"the field at t less a positive number, such as {field}(t - 0.1)",
        hint=hint,
        offset=max(0, part.offset),
        length=len(field),
    )


def _delay(
    time: Expression,
    axes: tuple[str, ...],
    constants: Mapping[str, float],
    estimated: Collection[str],
    fault: Fault,
) -> float:
    """Return τ of an expression t − τ."""
    if axes != (TIME,):
        raise fault("delays are for problems whose only axis is t", "the field itself")
    _refuse_names(set(names(time)) - {TIME, *constants, *CONSTANTS}, estimated, fault)
    slopes, rest = coefficients_of(time, {TIME})
    if slopes.get(TIME) != ONE:
        raise fault("it is not at t less a number")
    try:
        delay = -constant_value(rest, constants)
    except ExpressionError as error:
        raise fault(f"{error.what}") from None
    if delay <= 0:
        raise fault("that is now" if delay == 0 else "that is in the future")
    return delay


def _refuse_names(unknown: Collection[str], estimated: Collection[str], fault: Fault) -> None:
    for name in sorted(unknown):
        if name in estimated:
            raise fault(
                f"the delay '{name}' is estimated, and delays are stated",
                "a number, or a constant",
                "`candidates` with `constants` of their own state several, and the data choose",
            )
        raise fault(f"'{name}' is no constant")


def delayed_values(statement: Statement) -> dict[str, Derivative]:
    """Return the delayed values that the equations name, none of most problems."""
    return {
        name: value
        for equation in statement.solved_equations
        for name, value in statement.derivatives(equation.residual).items()
        if value.delay
    }


def is_past(condition: Condition) -> bool:
    """Whether a condition holds at all times before the start as well."""
    return isinstance(condition.where, Plane) and condition.where.is_past


def past_of(
    residual: Expression, unknowns: Collection[str], outputs: tuple[str, ...]
) -> tuple[str, Expression] | None:
    """Return the field and its formula φ of t that a condition states, None where it states none.

    A condition c·u = φ with c and φ free of `outputs` states one, of the `unknowns`.
    """
    stated = {n for n in names(residual) if parse_derivative(n, outputs, (TIME,)) is not None}
    slopes, rest = coefficients_of(residual, stated)
    if len(stated) != 1 or not stated <= {*unknowns} & set(slopes):
        return None
    (field,) = stated
    match residual:
        case Binary("-", Name(), right) if field not in names(right):
            return field, right  # as it was typed
    return field, divide(negate(rest), slopes[field])


def past_formulas(statement: Statement) -> dict[str, Expression]:
    """Return the stated pasts by field; other fields were before what they are at the start."""
    fields, outputs = statement.unknowns, statement.outputs
    found = (past_of(c.residual, fields, outputs) for c in statement.conditions if is_past(c))
    return dict(past for past in found if past is not None)


def with_past(statement: Statement, residual: Expression) -> Expression:
    """Return a residual in which delayed values of the past are those of its formula.

    Where the past has no formula the residual stays as it is: trial spaces are constant before the
    start.
    """
    values = {n: d for n, d in statement.derivatives(residual).items() if d.delay}
    pasts = past_formulas(statement) if values else {}
    start = statement.domain[TIME][0] if values else 0.0
    joined = {
        name: _joined(name, value.delay, pasts[value.field], start)
        for name, value in values.items()
        if value.field in pasts
    }
    return substitute(residual, joined) if joined else residual


def _joined(name: str, delay: float, past: Expression, start: float) -> Expression:
    """Return H u(t − τ) + (1 − H) φ(t − τ); φ is asked for nothing after the start."""
    is_later = Call("heaviside", subtract(Name(TIME), Number(start + delay)))
    before = Applied(Paired("min"), (subtract(Name(TIME), Number(delay)), Number(start)))
    own = multiply(is_later, Name(name))
    return add(own, multiply(subtract(ONE, is_later), substitute(past, {TIME: before})))


__all__ = [
    "delayed_values",
    "earlier",
    "is_past",
    "past_formulas",
    "past_of",
    "with_delays",
    "with_past",
]
