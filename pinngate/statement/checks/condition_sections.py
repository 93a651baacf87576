"""The `conditions` of a problem file: what holds on planes, on boundary parts, and around an axis.

Part of `building`.
"""

from __future__ import annotations

from collections.abc import Sequence

from pinngate.errors import InputError, nearest
from pinngate.statement.checks.called_fields import check_past
from pinngate.statement.checks.planes import read_where
from pinngate.statement.checks.schema import ConditionSection
from pinngate.statement.checks.scope import Scope
from pinngate.statement.checks.source import Place
from pinngate.statement.equations import BoundaryPart, Condition, Plane, Where
from pinngate.statement.shapes import Geometry


def build_conditions(
    scope: Scope, sections: Sequence[ConditionSection], geometry: Geometry | None
) -> tuple[tuple[Condition, ...], tuple[str, ...]]:
    """Read `conditions`: those on planes and on parts of the boundary, and the periodic axes.

    Raises:
        InputError: a condition lacks a key, has two that exclude each other, or names no place.
    """
    found: list[Condition] = []
    periodic: list[str] = []
    for i, section in enumerate(sections):
        place: Place = ("conditions", i)
        if section.mean is not None:
            continue  # see `conserved_section`
        if section.periodic is not None:
            periodic.append(_periodic(scope, section.periodic, (*place, "periodic"), periodic))
            if (section.where, section.on, section.equation) != (None, None, None):
                raise InputError(
                    "a periodic condition has no 'where', no 'on' and no 'equation'",
                    span=scope.source.span(place),
                    expected="{periodic: x} alone",
                )
            continue
        where, normal = _place(scope, section, place, geometry)
        if section.equation is None:
            raise _missing(scope, "equation", place)
        residual = scope.residual(section.equation, (*place, "equation"), "a condition", normal)
        if isinstance(where, Plane) and where.is_past:
            check_past(scope, residual, (*place, "equation"))
        found.append(Condition(where, " ".join(section.equation.split()), residual))
    return tuple(found), tuple(periodic)


def _missing(scope: Scope, key: str, place: Place) -> InputError:
    """Return the fault of a condition that lacks a key."""
    return InputError(
        f"the key '{key}' is missing in a condition",
        span=scope.source.span(place),
        expected="{where: x = 0, equation: u = 0}, {periodic: x}, or "
        "{mean: {of: u, over: x, equals: 1}}",
    )


def _place(
    scope: Scope, section: ConditionSection, place: Place, geometry: Geometry | None
) -> tuple[Where, tuple[str, ...]]:
    """Read where a condition holds, and the names of the normal's components there."""
    if section.on is None:
        if section.where is None:
            raise _missing(scope, "where", place)
        return read_where(scope, section.where, (*place, "where")), ()
    if section.where is not None:
        raise InputError(
            "a condition has both 'where' and 'on'",
            span=scope.source.key((*place, "on")),
            expected="one of the two: a plane, or a part of the boundary at all times",
        )
    names = geometry.part_names() if geometry else []
    if section.on not in names:
        raise InputError(
            f"unknown boundary part '{section.on}'",
            span=scope.source.span((*place, "on")),
            expected=f"the parts are {', '.join(names)}"
            if names
            else "a key 'geometry', whose boundary has parts",
            hint=nearest(section.on, names),
        )
    space = [axis for axis in scope.axes if axis != "t"]
    return BoundaryPart(section.on), tuple(f"n_{axis}" for axis in space)


def _periodic(scope: Scope, axis: str, place: Place, earlier: list[str]) -> str:
    """Check one periodic axis."""
    if axis not in scope.axes:
        raise InputError(
            f"the domain has no axis '{axis}'",
            span=scope.source.span(place),
            expected=f"the domain has the axes {', '.join(scope.axes)}",
        )
    if axis in earlier:
        raise InputError(
            f"{axis} is periodic already",
            span=scope.source.span(place),
            expected="each axis once at most",
        )
    return axis
