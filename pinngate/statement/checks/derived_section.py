"""The `derived` quantities of a problem: formulas in what is found, and what they are reduced over.

Part of `building`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pinngate.errors import InputError
from pinngate.statement.checks.planes import read_plane
from pinngate.statement.checks.scope import DERIVED, Scope
from pinngate.statement.checks.source import Place
from pinngate.statement.components import REDUCTIONS, Derived

CALL = re.compile(rf"({'|'.join(REDUCTIONS)})\s*\((.*)\)", re.DOTALL)


def build_derived(scope: Scope, sections: Mapping[str, str]) -> tuple[Derived, ...]:
    """Read what is to be told beside fields and coefficients.

    Raises:
        InputError: a name is taken, a formula is wrong, or an axis is fixed and reduced over.
    """
    found = []
    for name, text in sections.items():
        place: Place = ("derived", name)
        scope.declare(name, DERIVED, place)
        found.append(_derived(scope, name, " ".join(text.split()), place))
    return tuple(found)


def _derived(scope: Scope, name: str, text: str, place: Place) -> Derived:
    formula, _, where = text.partition(" at ")
    at = tuple(read_plane(scope, part, place) for part in re.split(r"\s+and\s+", where) if part)
    reduction, inside, over = _reduced(formula.strip(), scope.axes)
    if not over and (call := _inner(formula, scope.axes)):
        raise InputError(
            f"'{name}' reduces over an axis inside of a formula: {call}",
            span=scope.source.span(place),
            expected="a reduction alone, with the rest of the formula inside: integral(k*u, t)",
            hint="max(t, u), the axis first, is the larger of both at each place",
        )
    fixed = [plane.axis for plane in at]
    taken = [*fixed, *over]
    for k, axis in enumerate(taken):
        if axis in taken[:k]:
            raise InputError(
                f"'{name}' takes the axis {axis} twice",
                span=scope.source.span(place),
                expected="each axis fixed by 'at', or one that is reduced over",
            )
    return Derived(name, text, scope.residual(inside, place, DERIVED), reduction, over, at)


def _reduced(formula: str, axes: tuple[str, ...]) -> tuple[str, str, tuple[str, ...]]:
    """Return what a formula is reduced by, what is inside, and over which axes."""
    call = CALL.fullmatch(formula)
    if call is None:
        return "", formula, ()
    parts = _split(call[2])
    if parts is None:  # the bracket of the call closes before the end
        return "", formula, ()
    over: list[str] = []
    while len(parts) > 1 and parts[-1] in axes:
        over.insert(0, parts.pop())
    return (call[1], ", ".join(parts), tuple(over)) if over else ("", formula, ())


def _inner(formula: str, axes: tuple[str, ...]) -> str:
    """Return the first call in a formula that reduces over an axis, empty where none does."""
    for begin in re.finditer(rf"\b(?:{'|'.join(REDUCTIONS)})\(", formula):
        for end in re.finditer(r"\)", formula[begin.end() :]):
            call = formula[begin.start() : begin.end() + end.end()]
            if call.count("(") == call.count(")"):
                if _reduced(call, axes)[2]:
                    return call
                break
    return ""


def _split(arguments: str) -> list[str] | None:
    """Return the arguments of a call, None where its brackets do not match."""
    parts, depth = [""], 0
    for letter in arguments:
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            return None
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


__all__ = ["build_derived"]
