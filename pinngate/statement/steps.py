"""Steps in formulas: where a heaviside or a sign stands, and along which axis it steps.

A step has no derivative at a point: that of heaviside(x − a) is a pulse of no width, which no
collocation point sees. Below `brackets`, which has to know before it differentiates.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from pinngate.expression import ONE, Call, Expression, names, operands, transformed

STEPS = ("heaviside", "sign")
BENDS = ("abs",)  # whose first derivative is a step


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


def step_along(expression: Expression, varies: Callable[[str], bool]) -> Call | None:
    """Return the first step of an expression whose argument varies, None where there is none.

    Args:
        expression: the formula.
        varies: whether a name changes along the axis in question.
    """
    return next(
        (call for call in calls_of(expression, STEPS) if any(map(varies, names(call.argument)))),
        None,
    )


def without_steps(expression: Expression) -> Expression:
    """Return the expression with 1 in place of every step."""

    def is_step(part: Expression) -> bool:
        return isinstance(part, Call) and part.function in STEPS

    return transformed(expression, lambda part: ONE if is_step(part) else part, is_step)
