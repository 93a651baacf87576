"""A function of fields in `estimate`: its arguments, its ranges and how finely it is searched for.

Part of `building`, beside `estimate_section`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from pinngate.errors import InputError, nearest
from pinngate.expression.unknown_spline import CUBIC
from pinngate.statement.checks.amounts import MAX_ESTIMATED
from pinngate.statement.checks.schema_estimate import EstimateSection
from pinngate.statement.checks.scope import Scope
from pinngate.statement.checks.source import Place
from pinngate.statement.derivatives import parse_derivative
from pinngate.statement.unknown_quantities import NUM_KNOTS, FieldFunction

Ends = tuple[float, float] | None


def is_of_field(scope: Scope, section: EstimateSection) -> bool:
    """Whether one of the things with which a coefficient varies is a field."""
    listed = section.over or []
    return any(parse_derivative(over, scope.unknowns, scope.axes) for over in listed)


def read_function(
    scope: Scope, section: EstimateSection, place: Place, values: Mapping[str, float]
) -> FieldFunction:
    """Return a function of one or two fields, derivatives or axes, all but its truth.

    Args:
        scope: the statement.
        section: its entry in `estimate`.
        place: of that.
        values: its initial value and bounds.

    Raises:
        InputError: it has more arguments than two, or one that is neither field nor axis or that
            stands twice; or a range or a number of knots makes no sense.
    """
    over = tuple(section.over or ())
    _refuse_arguments(scope, over, place)
    own = values["initial"], values.get("lower"), values.get("upper")
    ranges = _ranges(scope, section, over, place)
    knots = _knots(scope, section, over, place)
    return FieldFunction(str(place[-1]), over, *own, ranges=ranges, knots=knots)


def _refuse_arguments(scope: Scope, over: tuple[str, ...], place: Place) -> None:
    """Refuse arguments that are none, that stand twice, or too many."""
    known = [*scope.unknowns, *scope.axes]
    for i, name in enumerate(over):
        span = scope.source.span((*place, "over", i))
        if name in over[:i]:
            raise InputError(
                f"'{name}' stands twice among the arguments of '{place[-1]}'",
                span=span,
                expected="every field or axis once",
            )
        if name not in known and parse_derivative(name, scope.unknowns, scope.axes) is None:
            raise InputError(
                f"'{name}' is no field and no axis",
                span=span,
                expected=f"the unknowns are {', '.join(scope.unknowns)}, the axes "
                f"{', '.join(scope.axes)}",
                hint=nearest(name, known),
            )
    if len(over) > max(NUM_KNOTS):
        raise InputError(
            f"'{place[-1]}' is a function of {len(over)} things, one of them a field",
            span=scope.source.span((*place, "over")),
            expected="a function of one or two fields and axes, or of axes alone",
            hint="a product or a sum of functions of one or two each may say the same",
        )


def _ranges(
    scope: Scope, section: EstimateSection, over: tuple[str, ...], place: Place
) -> tuple[Ends, ...]:
    """Read the range of each argument, None where none is stated."""
    at, stated = (*place, "range"), section.range
    if stated is None:
        return (None,) * len(over)
    if not isinstance(stated, dict):
        if len(over) > 1:
            raise InputError(
                f"'{place[-1]}' has {len(over)} arguments and one range",
                span=scope.source.span(at),
                expected=f"the argument it is of, as in {{{over[0]}: [0, 1]}}",
            )
        return (_ends(scope, stated, at, over[0], str(place[-1])),)
    for name in stated:
        if name not in over:
            raise InputError(
                f"'{place[-1]}' has no argument '{name}'",
                span=scope.source.key((*at, name)),
                expected=f"its arguments are {', '.join(over)}",
                hint=nearest(name, over),
            )
    read = {n: _ends(scope, own, (*at, n), n, str(place[-1])) for n, own in stated.items()}
    return tuple(read.get(name) for name in over)


def _ends(
    scope: Scope, stated: list[float | str], at: Place, over: str, name: str
) -> tuple[float, float]:
    """Read the range of one argument."""
    low, high = (scope.number(v, (*at, i), "the range") for i, v in enumerate(stated))
    if low >= high:
        raise InputError(
            f"the range of '{name}' goes from {low:g} to {high:g}",
            span=scope.source.span(at),
            expected="[low, high] with low below high",
        )
    least, most = scope.domain.get(over, (low, high))
    if low > least or high < most:
        raise InputError(
            f"the range of '{name}' along {over} is less than the domain",
            span=scope.source.span(at),
            expected="no range of an axis, which is that of the domain",
        )
    return low, high


def _knots(
    scope: Scope, section: EstimateSection, over: tuple[str, ...], place: Place
) -> tuple[int, ...]:
    """Read how many places the function has along each argument."""
    at, stated = (*place, "knots"), section.knots
    if stated is None:
        return (NUM_KNOTS[len(over)],) * len(over)
    if isinstance(stated, list) and len(stated) != len(over):
        raise InputError(
            f"'{place[-1]}' has {len(over)} arguments and {len(stated)} numbers of knots",
            span=scope.source.span(at),
            expected="one number for each argument, or one for all",
        )
    counts = tuple(stated) if isinstance(stated, list) else (stated,) * len(over)
    if min(counts) <= CUBIC:
        raise InputError(
            f"{min(counts)} knots along an argument of '{place[-1]}'",
            span=scope.source.span(at),
            expected=f"{CUBIC + 1} or more, which a cubic spline has",
        )
    if math.prod(counts) > MAX_ESTIMATED:
        raise InputError(
            f"'{place[-1]}' has {' × '.join(map(str, counts))} = {math.prod(counts):,} knots",
            span=scope.source.span(at),
            expected=f"at most {MAX_ESTIMATED:,}",
            hint="how many of them count its smoothness tells: "
            f"{NUM_KNOTS[len(over)]} along each argument is the default",
        )
    return counts


__all__ = ["is_of_field", "read_function"]
