"""The `pieces` of a coefficient: the cells on which it is constant, and its true values there.

Part of `building`, beside `estimate_section`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise, product
from typing import Any

from pinngate.errors import ExpressionError, InputError, nearest
from pinngate.expression import constant_value
from pinngate.statement.checks.amounts import MAX_ESTIMATED
from pinngate.statement.checks.schema_estimate import EstimateSection
from pinngate.statement.checks.scope import Scope
from pinngate.statement.checks.source import Place
from pinngate.statement.unknown_quantities import Coefficient, Pieces

Breaks = tuple[float, ...]


def read_breaks(scope: Scope, section: EstimateSection, place: Place) -> dict[str, Breaks]:
    """Return the breaks along each axis, in the order of the domain.

    Raises:
        InputError: an axis is none of the domain, breaks are out of order or outside it, or there
            are too many pieces.
    """
    assert section.pieces is not None
    inner = (*place, "pieces")
    _refuse_beside(scope, section, place)
    found = {a: _breaks(scope, a, v, (*inner, a)) for a, v in section.pieces.items()}
    function = Pieces(str(place[-1]), (), 0.0, breaks=tuple(found.values())).function
    if function.count > MAX_ESTIMATED:
        raise InputError(
            f"'{place[-1]}' has {function.count:,} pieces",
            span=scope.source.key(inner),
            expected=f"at most {MAX_ESTIMATED:,}",
            hint="'over' estimates a function that is smooth",
        )
    return {axis: found[axis] for axis in scope.axes if axis in found}


def _refuse_beside(scope: Scope, section: EstimateSection, place: Place) -> None:
    """Refuse keys that contradict pieces."""
    for key, is_given in (("over", section.over is not None), ("each", bool(section.each))):
        if is_given:
            raise InputError(
                f"'{place[-1]}' has both 'pieces' and '{key}'",
                span=scope.source.key((*place, key)),
                expected="one of the two"
                if key == "over"
                else "pieces that all experiments have in common",
            )


def _breaks(scope: Scope, axis: str, stated: int | list[Any], place: Place) -> Breaks:
    """Return the inner ends of the cells of one axis."""
    if axis not in scope.axes:
        raise InputError(
            f"the domain has no axis '{axis}'",
            span=scope.source.key(place),
            expected=f"one or more of the axes {', '.join(scope.axes)}",
            hint=nearest(axis, scope.axes),
        )
    bounds = scope.domain[axis]
    count = stated if isinstance(stated, int) else len(stated) + 1
    if count > MAX_ESTIMATED:
        raise InputError(
            f"{count:,} pieces along {axis}",
            span=scope.source.span(place),
            expected=f"at most {MAX_ESTIMATED:,}",
        )
    if isinstance(stated, int):
        from pinngate.statement.axis_places import at_share  # numpy, of this statement alone

        found = [float(at_share(bounds, k / stated)) for k in range(1, stated)]
    else:
        found = [scope.number(v, (*place, k), "a breakpoint") for k, v in enumerate(stated)]
    if not found:
        raise InputError(
            f"one piece along {axis}",
            span=scope.source.span(place),
            expected="two at least, or no pieces along it",
        )
    _refuse_disorder(scope, axis, found, place)
    return tuple(found)


def _refuse_disorder(scope: Scope, axis: str, found: list[float], place: Place) -> None:
    """Refuse breakpoints that do not increase strictly from one end of the axis to the other."""
    low, high = scope.domain[axis]
    for k, (before, here) in enumerate(pairwise([low, *found])):
        if not before < here < high:
            is_inside = low < here < high
            raise InputError(
                f"the breakpoint {here:g} does not come after {before:g}"
                if is_inside
                else f"the breakpoint {here:g} is not inside the domain",
                span=scope.source.span((*place, k)),
                expected="places in increasing order"
                if is_inside
                else f"places strictly between {low:g} and {high:g}; the ends of the domain are "
                "ends of pieces without being stated",
            )


def members_of(scope: Scope, pieces: Iterable[Pieces]) -> Iterator[Coefficient]:
    """Yield the value of each piece, with its truth where that is stated."""
    for own in pieces:
        for name, centre in zip(own.members, _centres(scope, own), strict=True):
            truth = None if own.truth is None else _true_value(scope, own, centre)
            yield Coefficient(name, own.initial, own.lower, own.upper, truth, own.prior)


def _centres(scope: Scope, own: Pieces) -> Iterator[dict[str, float]]:
    along = []
    for axis, breaks in zip(own.over, own.breaks, strict=True):
        low, high = scope.domain[axis]
        along.append([(a + b) / 2 for a, b in pairwise([low, *breaks, high])])
    for centre in product(*along):
        yield dict(zip(own.over, centre, strict=True))


def _true_value(scope: Scope, own: Pieces, centre: Mapping[str, float]) -> float:
    """Return the truth of a function at the centre of a piece."""
    assert own.truth is not None
    try:
        return constant_value(own.truth, {**scope.constants, **centre})
    except ExpressionError as error:
        at = ", ".join(f"{axis} = {value:g}" for axis, value in centre.items())
        raise InputError(
            f"the truth of '{own.name}' has no value at the centre of a piece, {at}",
            span=scope.source.key(("estimate", own.name)),
            expected=error.what,
        ) from None


__all__ = ["members_of", "read_breaks"]
