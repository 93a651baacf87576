"""Planes on which conditions hold and points lie, ``x = 0``, windows, ``and t > 1``, the past.

Above `scope`, part of `building`.
"""

from __future__ import annotations

import math
import re

from pinngate.errors import InputError
from pinngate.statement.checks.scope import Scope
from pinngate.statement.checks.source import Place
from pinngate.statement.equations import Plane, Window

ROUNDING = 1e-12  # of the length of an axis: a bound typed with the digits of a double is the bound
_UP_TO = re.compile(r"(?P<axis>\s*\w+\s*)<=(?P<value>[^<>=]+)")


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


def read_where(scope: Scope, text: str, place: Place) -> Plane | Window:
    """Read a plane, a window or a past.

    Raises:
        InputError: it is none of them.
    """
    return _past(scope, text, place) or read_window(scope, text, place)


def _past(scope: Scope, text: str, place: Place) -> Plane | None:
    """Read ``t <= 0``; None of any other text.

    Raises:
        InputError: it does not end at the start.
    """
    found = _UP_TO.fullmatch(text)
    if found is None:
        return None
    plane = read_plane(scope, f"{found['axis']} ={found['value']}", place)
    start = scope.domain[plane.axis][0]
    if plane.axis != "t" or plane.value != start:
        raise InputError(
            f"'{' '.join(text.split())}' is no past",
            span=scope.source.span(place),
            expected=f"t <= {scope.domain.get('t', (0.0,))[0]:g}, all times up to the start, "
            "or a plane such as x = 0",
        )
    return Plane("t", start, is_past=True)


def read_window(scope: Scope, text: str, place: Place) -> Plane | Window:
    """Read ``axis = value and axis > value …``.

    Raises:
        InputError: it is none, outside the domain, or an axis is bound where it is fixed.
    """
    pieces: list[tuple[int, str]] = []
    at = 0
    for piece in re.split(r"(\band\b)", text):
        if piece != "and":
            pieces.append((at, piece))
        at += len(piece)
    fixed = [(at, piece) for at, piece in pieces if not re.search("[<>]", piece)]
    if len(fixed) != 1:
        raise InputError(
            f"'{text}' is not a plane, or a part of one",
            span=scope.source.span(place),
            expected="one axis and its value, such as x = 0, and perhaps bounds of others: "
            "x = 0 and t > 1",
        )
    plane = read_plane(scope, " " * fixed[0][0] + fixed[0][1].rstrip(), place)
    found: dict[str, tuple[float, float]] = {}
    for at, piece in pieces:
        if (at, piece) != fixed[0]:
            axis, low, high = _bound(scope, " " * at + piece, place)
            before = found.get(axis, scope.domain[axis])
            found[axis] = max(before[0], low), min(before[1], high)
            if axis == plane.axis or not found[axis][0] < found[axis][1]:
                raise InputError(
                    f"nothing is left of {axis}",
                    span=scope.source.within(place, at, len(piece)),
                    expected="bounds of an axis that is not fixed, the lower below the upper",
                )
    bounds = tuple((axis, *pair) for axis, pair in found.items() if pair != scope.domain[axis])
    return Window(plane, bounds) if bounds else plane


def _bound(scope: Scope, text: str, place: Place) -> tuple[str, float, float]:
    """Return axis, low and high of ``axis < value`` or ``axis > value``, infinite on one side."""
    match = re.fullmatch(r"(?P<axis>\s*\w+\s*)(?P<sign>[<>]=?)(?P<value>[^<>=]+)", text)
    axis = match["axis"].strip() if match else ""
    if match is None or axis not in scope.axes:
        raise InputError(
            f"'{text.strip()}' is no bound of an axis",
            span=scope.source.within(place, 0, len(text)),
            expected="an axis, < or >, and a value, such as t > 1; the axes are "
            + ", ".join(scope.axes),
        )
    value = scope.number(" " * match.start("value") + match["value"], place, "'where'")
    below = match["sign"].startswith("<")
    return (axis, -math.inf, value) if below else (axis, value, math.inf)


__all__ = ["ROUNDING", "read_plane", "read_where", "read_window"]
