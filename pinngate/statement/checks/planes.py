"""The planes on which conditions hold and points lie: ``x = 0``, one axis and its value.

Above `scope`, part of `building`.
"""

from __future__ import annotations

from pinngate.errors import InputError
from pinngate.statement.checks.scope import Scope
from pinngate.statement.checks.source import Place
from pinngate.statement.components import Plane

ROUNDING = 1e-12  # of the length of an axis: a bound typed with the digits of a double is the bound


def read_plane(scope: Scope, text: str, place: Place) -> Plane:
    """Read ``axis = value``.

    Raises:
        InputError: it is none, or outside the domain.
    """
    left, equals, right = text.partition("=")
    axis = left.strip()
    if not equals or "=" in right or not axis.isidentifier() or not right.strip():
        raise InputError(
            f"'{text}' is not a plane",
            span=scope.source.span(place),
            expected="one axis and its value, such as x = 0",
        )
    if axis not in scope.axes:
        raise InputError(
            f"the domain has no axis '{axis}'",
            span=scope.source.within(place, text.index(axis), len(axis)),
            expected=f"the domain has the axes {', '.join(scope.axes)}",
        )
    offset = len(left) + 1
    value = scope.number(" " * offset + right, place, "'where'")
    low, high = scope.domain[axis]
    for bound in (low, high):
        if abs(value - bound) <= ROUNDING * (high - low):
            value = bound
    if not low <= value <= high:
        raise InputError(
            f"{axis} = {value:g} is outside the domain",
            span=scope.source.within(place, offset, len(right)),
            expected=f"{axis} goes from {low:g} to {high:g}",
        )
    return Plane(axis, value)


__all__ = ["ROUNDING", "read_plane"]
