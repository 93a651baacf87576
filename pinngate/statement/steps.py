"""Steps in formulas: where a heaviside or a sign stands, and along which axis it steps.

A step has no derivative at a point: that of heaviside(x − a) is a pulse of no width, which no
collocation point sees. Tables step as well: one of steps itself, a linear one in its slope. Below
`brackets`, which has to know before it differentiates.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from pinngate.expression import (
    ONE,
    Applied,
    Call,
    Expression,
    Paired,
    Piecewise,
    Tabulated,
    names,
    operands,
    parts,
    transformed,
)

STEPS = ("heaviside", "sign", "floor")
BENDS = ("abs",)  # whose first derivative is a step; that of min and max holds a heaviside

Step = Call | Applied


def calls_of(expression: Expression, functions: Collection[str]) -> Iterator[Call]:
    """Yield every call of the named functions, those inside others too, from left to right."""
    seen: set[int] = set()
    waiting = [expression]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, Call) and node.function in functions:
            yield node
        waiting += reversed(operands(node))


def step_along(expression: Expression, axis: str, varies: Callable[[str], bool]) -> Step | None:
    """Return the first step of an expression along an axis, None where there is none.

    Args:
        expression: the formula.
        axis: the axis in question.
        varies: whether a name changes along it.
    """
    for call in calls_of(expression, STEPS):
        if any(map(varies, names(call.argument))):
            return call
    for part in parts(expression):
        if isinstance(part, Applied) and (
            _steps(part, axis) or (_is_mod(part) and any(map(varies, names(part))))
        ):
            return part
    return None


def has_step_of(expression: Expression, symbols: Collection[str]) -> bool:
    """Whether a step changes with one of some names: no derivative tells of that."""
    own = set(symbols)
    return any(own & set(names(call.argument)) for call in calls_of(expression, STEPS))


def _is_mod(part: Applied) -> bool:
    return part.function == Paired("mod")


def _steps(table: Applied, axis: str) -> bool:
    """Whether a table or pieces, or a derivative of them, are a step along an axis."""
    own = table.function
    return isinstance(own, Tabulated | Piecewise) and any(
        own.jumps(table.by, k) for k, a in enumerate(table.arguments) if axis in names(a)
    )


def without_steps(expression: Expression) -> Expression:
    """Return the expression with 1 in place of every step."""

    def is_step(part: Expression) -> bool:
        if isinstance(part, Applied):
            return _is_mod(part) or any(_steps(part, axis) for axis in names(part))
        return isinstance(part, Call) and part.function in STEPS

    return transformed(expression, lambda part: ONE if is_step(part) else part, is_step)
