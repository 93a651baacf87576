"""The `coordinates` of a statement, and axes that are searched on their logarithm.

Part of `declarations`.
"""

from __future__ import annotations

import math

from pinngate.errors import InputError, nearest
from pinngate.statement.axis_bounds import LogBounds
from pinngate.statement.checks.schema import ProblemFile
from pinngate.statement.checks.scope import AXES, Scope
from pinngate.statement.coordinates import KINDS, POLAR, RADIUS, SPHERICAL, SYSTEMS
from pinngate.statement.derivatives import spelled


def read_coordinates(scope: Scope, file: ProblemFile) -> dict[str, str]:
    """Return the kind of every axis of the domain that `coordinates` names.

    Raises:
        InputError: a word or a kind that there is not, or an axis that the domain has not.
    """
    stated = file.coordinates
    if stated is None:
        return {}
    if isinstance(stated, str):
        if stated not in SYSTEMS:
            raise InputError(
                f"unknown coordinates '{stated}'",
                span=scope.source.span(("coordinates",)),
                expected=f"{', '.join(SYSTEMS)}, or a mapping such as {{r: radius}}",
                hint=nearest(stated, SYSTEMS),
            )
        return {axis: kind for axis, kind in SYSTEMS[stated].items() if axis in file.domain}
    for axis, kind in stated.items():
        _refuse_wrong(scope, file, axis, kind)
    return dict(stated)


def _refuse_wrong(scope: Scope, file: ProblemFile, axis: str, kind: str) -> None:
    """Refuse an entry of `coordinates`."""
    place = ("coordinates", axis)
    if axis not in file.domain:
        raise InputError(
            f"the domain has no axis '{axis}'",
            span=scope.source.key(place),
            expected=f"the domain has the axes {', '.join(file.domain)}",
        )
    if axis == "t" or not axis.isalpha():
        raise InputError(
            f"'{axis}' cannot name an axis in space" + (": it is time" if axis == "t" else ""),
            span=scope.source.key(place),
            expected="letters alone, such as r or theta",
        )
    if kind not in KINDS:
        raise InputError(
            f"'{kind}' is no kind of axis",
            span=scope.source.span(place),
            expected="one of " + ", ".join(KINDS),
            hint=nearest(kind, KINDS),
        )


def refuse_bad_coordinates(scope: Scope) -> None:
    """Refuse names that spell other axes, more than three axes in space, and negative radii.

    Raises:
        InputError: there is one.
    """
    space = [axis for axis in scope.axes if axis != "t"]
    if len(space) > len(AXES) - 1:
        raise InputError(
            f"the domain has {len(space)} axes in space",
            span=scope.source.key(("domain",)),
            expected="three at most",
        )
    for axis, kind in scope.kinds.items():
        if spelled(axis, [other for other in scope.axes if other != axis]):
            raise InputError(
                f"'{axis}' cannot name an axis: it spells others, as derivatives do",
                span=scope.source.key(("domain", axis)),
                expected="another name",
            )
        low, high = scope.domain[axis]
        largest = math.pi if kind == POLAR else math.inf
        rounding = 1e-9
        if kind in (RADIUS, SPHERICAL, POLAR) and (low < 0 or high > largest + rounding):
            raise InputError(
                f"{axis} goes from {low:g} to {high:g} and is a {kind}",
                span=scope.source.span(("domain", axis)),
                expected="bounds from 0 on" + (", and up to pi" if kind == POLAR else ""),
            )


def logarithmic(scope: Scope, axis: str, low: float, high: float) -> LogBounds:
    """Return the bounds of an axis that is searched on its logarithm.

    Raises:
        InputError: it is time, periodic axes are refused elsewhere, or it reaches zero.
    """
    place = ("domain", axis)
    if axis == "t":
        raise InputError(
            "time is not searched on its logarithm",
            span=scope.source.key((*place, "log")),
            expected="'log' on an axis in space; the solver chooses its steps in time itself",
        )
    if low <= 0:
        raise InputError(
            f"{axis} begins at {low:g}, which has no logarithm",
            span=scope.source.span(place),
            expected="a lower bound above zero",
            hint="begin at the wall of the well, or leave 'log' out",
        )
    return LogBounds((low, high))


__all__ = ["logarithmic", "read_coordinates", "refuse_bad_coordinates"]
