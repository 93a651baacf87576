"""What holds where a radius is zero, or at a pole: the slope is zero, as a smooth field wants it.

Part of `building`. A field of which an equation takes the second derivative along such an axis, and
of which no condition says anything there, gets u_r = 0 at r = 0. With angles among the axes the
centre is one point and not a side: nothing is added.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from pinngate.expression import Name, names
from pinngate.statement.checks.scope import Scope
from pinngate.statement.coordinates import ANGLE, AZIMUTH, POLAR, RADIUS, SPHERICAL
from pinngate.statement.derivatives import parse_derivative
from pinngate.statement.equations import Condition, Equation, Plane

POLE = 1e-9  # beside pi: an angle typed with the digits of a double


def with_regular_centre(
    scope: Scope, equations: Sequence[Equation], conditions: Sequence[Condition]
) -> tuple[Condition, ...]:
    """Return the conditions with those of a smooth centre that nobody stated."""
    found = list(conditions)
    for plane in _centres(scope):
        for field in scope.unknowns:
            stated = [c for c in conditions if _is_on(c, plane) and _holds(scope, c, field)]
            if not stated and _is_of_second_order(scope, equations, field, plane.axis):
                name = f"{field}_{plane.axis}"
                found.append(Condition(plane, f"{name} = 0", Name(name)))
    return tuple(found)


def _centres(scope: Scope) -> Iterator[Plane]:
    """Yield the sides of the domain that are a centre or a pole."""
    kinds = set(scope.kinds.values())
    for axis, kind in scope.kinds.items():
        low, high = scope.domain[axis]
        is_radius = kind in (RADIUS, SPHERICAL) and not kinds & {ANGLE, POLAR, AZIMUTH}
        is_polar = kind == POLAR and AZIMUTH not in kinds
        if low == 0 and (is_radius or is_polar):
            yield Plane(axis, low)
        if is_polar and abs(high - math.pi) < POLE:
            yield Plane(axis, high)


def _is_on(condition: Condition, plane: Plane) -> bool:
    where = getattr(condition.where, "plane", condition.where)
    return bool(where == plane)


def _holds(scope: Scope, condition: Condition, field: str) -> bool:
    return field in scope.fields_in(condition.residual)


def _is_of_second_order(scope: Scope, equations: Sequence[Equation], field: str, axis: str) -> bool:
    """Whether an equation takes a second derivative of a field along an axis."""
    at = scope.axes.index(axis)
    found = (
        parse_derivative(name, (field,), scope.axes)
        for equation in equations
        for name in names(equation.residual)
    )
    return any(d is not None and d.orders[at] > 1 for d in found)


__all__ = ["with_regular_centre"]
