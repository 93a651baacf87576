"""Fields that formulas call, ``u(t - 0.1)``: where that may stand, and pasts that it looks at.

Beside `scope`, which parses formulas; part of `building`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from pinngate.errors import ExpressionError, InputError
from pinngate.expression import Applied, Expression, OwnFunction, parts
from pinngate.statement.checks.source import Place
from pinngate.statement.components import Statement
from pinngate.statement.delays import delayed_values, earlier, is_past, past_of, with_delays
from pinngate.statement.derivatives import parse_derivative

if TYPE_CHECKING:
    from pinngate.statement.checks.scope import Scope


def called_fields(text: str, fields: Sequence[str]) -> dict[str, Callable[..., object]]:
    """Return the fields that a text calls, and what stands for each while it is parsed."""
    return {name: earlier for name in fields if re.search(rf"\b{name}\s*\(", text)}


def followed(
    read: Expression, called: Mapping[str, object], scope: Scope, *, is_equation: bool
) -> Expression:
    """Return a formula with the names of delayed values in place of called fields.

    Raises:
        ExpressionError: it is no equation, or a field is called at something else.
    """
    for part in parts(read) if called and not is_equation else ():
        match part:
            case Applied(OwnFunction(name), offset=offset) if name in called:
                raise ExpressionError(
                    f"'{name}' is called like a function: delayed values such as {name}(t - 0.1) "
                    "stand in equations alone",
                    expected=f"{name} itself",
                    hint=f"for what is seen later, a further unknown w with the equation "
                    f"w = {name}(t - 0.1)",
                    offset=max(0, offset),
                    length=len(name),
                )
    estimated = (*scope.coefficients, *scope.over, *(own.name for own in scope.pieces))
    return with_delays(read, called, scope.axes, scope.constants, estimated) if called else read


def of_called_derivative(error: ExpressionError, scope: Scope) -> ExpressionError:
    """Return the fault of calling a derivative or a coefficient that varies, else the same."""
    called = error.what.removeprefix("unknown function ").strip("'")
    if called == error.what or parse_derivative(called, scope.outputs, scope.axes) is None:
        return error
    return ExpressionError(
        f"'{called}' is called like a function: of the unknowns themselves alone are values at "
        "earlier times followed, not of derivatives or coefficients",
        expected=" or ".join(f"{name}(t - 0.1)" for name in scope.unknowns),
        offset=error.offset,
        length=error.length,
    )


def check_past(scope: Scope, residual: Expression, place: Place) -> None:
    """Refuse a condition on the past that states no field.

    Raises:
        InputError: it is not one unknown and what it was.
    """
    if past_of(residual, scope.unknowns, scope.outputs) is None:
        raise InputError(
            "the past is that of one unknown",
            span=scope.source.span(place),
            expected=f"{scope.unknowns[0]} = a formula of t, constants and coefficients",
            hint=f"other knowledge at the start is a condition at t = {scope.domain['t'][0]:g}",
        )


def check_delays(scope: Scope, statement: Statement) -> None:
    """Refuse a past that nothing looks at, and what delayed values cannot stand beside.

    Raises:
        InputError: there is such a thing.
    """
    values = delayed_values(statement)
    if not values:
        if any(map(is_past, statement.conditions)):
            raise InputError(
                "a condition states a past, and no equation looks at it",
                span=scope.source.key(("conditions",)),
                expected=f"{{where: t = {statement.domain['t'][0]:g}, …}}, or a delayed value "
                f"such as {scope.unknowns[0]}(t - 0.1) in the equations",
            )
        return
    obstacle = statement.beyond_networks and (
        f"{statement.beyond_networks}, which a fit through a solver alone follows"
    )
    obstacle = obstacle or ("t is periodic, and a period has no past" if statement.periodic else "")
    if obstacle:
        raise InputError(
            f"{next(iter(values))} cannot stand in the equations: {obstacle}",
            span=scope.source.key(("equations",)),
            expected="one of the two",
        )
