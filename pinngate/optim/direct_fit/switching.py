"""Rows with switches: names in place of steps whose times depend on states or coefficients.

Above `marched_states`, below `marching_form`; `switches` moves them.
"""

from __future__ import annotations

from collections.abc import Iterable

from pinngate.expression import (
    ONE,
    Call,
    Expression,
    Name,
    Number,
    add,
    divide,
    names,
    transformed,
)
from pinngate.optim.direct_fit.marched_states import MarchedStates
from pinngate.statement.steps import calls_of

SWITCH = "switch "  # no formula can hold it
FUNCTIONS = ("sign", "heaviside")


def switch_arguments(states: MarchedStates, rows: Iterable[Expression]) -> tuple[Expression, ...]:
    """Return the arguments g of steps in rows of ordinary equations whose times are not known.

    They name a state or a coefficient, beside time and constants.
    """
    problem = states.problem
    estimated = {c.name for c in problem.coefficients}
    found: dict[Expression, None] = {}
    for row in rows if states.axis is None else ():
        for call in calls_of(row, FUNCTIONS):
            own = {n for n in names(call.argument) if n not in problem.constants}
            moving = set(states.named_in(call.argument)) | (own & estimated)
            if moving and own <= moving | {"t"}:
                found[call.argument] = None
    return tuple(found)


def with_switches(row: Expression, arguments: tuple[Expression, ...]) -> Expression:
    """Return a row with names, ±1, in place of the steps of some arguments."""

    def change(part: Expression) -> Expression:
        if not isinstance(part, Call) or part.argument not in arguments:
            return part
        side = Name(f"{SWITCH}{arguments.index(part.argument)}")
        if part.function == "sign":
            return side
        return divide(add(ONE, side), Number(2.0)) if part.function == "heaviside" else part

    return transformed(row, change)


__all__ = ["SWITCH", "switch_arguments", "with_switches"]
