"""What an axis measures where it is no straight line: its measure, and the Laplacian.

An axis with another name than x, y, z, t has a *kind*, by which integrals over it have the measure

    radius: r dr        spherical-radius: r² dr        polar-angle: sin θ dθ        else: ds,

and the Laplacian is the sum of a part for each axis, such as u_rr + u_r/r of a radius. An integral
over a radius alone is one per radian, or per steradian: the angles that are no axes are left out.
Source: P. Moon, D. E. Spencer, Field Theory Handbook (1971). Beside `derivatives`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pinngate.errors import ExpressionError
from pinngate.expression import (
    Applied,
    Binary,
    Call,
    Expression,
    Name,
    Number,
    OwnFunction,
    add,
    divide,
    multiply,
    transformed,
)

RADIUS, SPHERICAL, POLAR, AZIMUTH, ANGLE = (
    "radius",
    "spherical-radius",
    "polar-angle",
    "azimuth",
    "angle",
)
KINDS = (RADIUS, SPHERICAL, POLAR, AZIMUTH, ANGLE, "length", "other")
SYSTEMS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "radial": MappingProxyType({"r": RADIUS, "theta": ANGLE}),
        "spherical": MappingProxyType({"r": SPHERICAL, "theta": POLAR, "phi": AZIMUTH}),
    }
)
"""Names of axes and their kinds, by the word that stands for them."""

LAPLACIAN = "laplacian"


def stands_for_laplacian(field: Any) -> Any:
    """Stand for the Laplacian while its formula is parsed."""
    return field


def with_laplacians(
    expression: Expression, axes: tuple[str, ...], kinds: Mapping[str, str]
) -> Expression:
    """Return a parsed formula with derivatives in place of ``laplacian(u)``.

    Args:
        expression: as it was parsed with `stands_for_laplacian`.
        axes: of the domain.
        kinds: of those that are no straight lines.

    Raises:
        ExpressionError: an axis has no part in a Laplacian, or its part needs one that is missing.
    """

    def change(part: Expression) -> Expression:
        match part:
            case Applied(OwnFunction("laplacian"), (inner,)):
                return _laplacian(inner, axes, kinds)
        return part

    return transformed(expression, change)


def _laplacian(inner: Expression, axes: tuple[str, ...], kinds: Mapping[str, str]) -> Expression:
    total: Expression = Number(0.0)
    for axis in axes:
        if axis != "t":
            total = add(total, _part(inner, axis, kinds))
    return total


def _part(inner: Expression, axis: str, kinds: Mapping[str, str]) -> Expression:
    """Return the part of a Laplacian that one axis has."""
    first, second = Call(f"_{axis}", inner), Call(f"_{axis}{axis}", inner)
    own = Name(axis)
    match kinds.get(axis, "length"):
        case "radius":
            return add(second, divide(first, own))
        case "spherical-radius":
            return add(second, divide(multiply(Number(2.0), first), own))
        case "polar-angle":
            slope = divide(multiply(Call("cos", own), first), Call("sin", own))
            return divide(add(second, slope), _squared(_axis_of(SPHERICAL, axis, kinds)))
        case "azimuth":
            sine = Call("sin", _axis_of(POLAR, axis, kinds))
            across = multiply(_axis_of(SPHERICAL, axis, kinds), sine)
            return divide(second, _squared(across))
        case "angle":
            return divide(second, _squared(_axis_of(RADIUS, axis, kinds)))
        case "length":
            return second
    raise ExpressionError(
        f"the axis {axis} has no part in a Laplacian",
        expected="derivatives written out, such as u_xx + u_yy",
    )


def _squared(expression: Expression) -> Expression:
    return Binary("**", expression, Number(2.0))


def _axis_of(kind: str, axis: str, kinds: Mapping[str, str]) -> Expression:
    """Return the axis of another kind on which the part of an angle depends."""
    for name, own in kinds.items():
        if own == kind:
            return Name(name)
    raise ExpressionError(
        f"the part that {axis} has in a Laplacian needs a {kind}, and no axis is one",
        expected="derivatives written out, or the axis that is missing",
    )


__all__ = [
    "ANGLE",
    "AZIMUTH",
    "KINDS",
    "LAPLACIAN",
    "POLAR",
    "RADIUS",
    "SPHERICAL",
    "SYSTEMS",
    "stands_for_laplacian",
    "with_laplacians",
]
