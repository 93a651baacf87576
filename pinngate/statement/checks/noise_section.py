"""The `noise` of one set of observations.

Part of `building`, below `observation_sections`.
"""

from __future__ import annotations

from pinngate.errors import InputError
from pinngate.statement.checks.schema import NoiseSection
from pinngate.statement.checks.scope import Scope
from pinngate.statement.checks.source import Place
from pinngate.statement.components import Noise

LEVELS = ("std", "relative")
OF_OUTLIERS = ("fraction", "scale")


def build_noise(scope: Scope, section: NoiseSection, place: Place, *, allow_zero: bool) -> Noise:
    """Read one noise model; a level of zero stands for exact values where it is allowed.

    Raises:
        InputError: not exactly one level is stated, or a number is out of range.
    """
    if (section.std is None) == (section.relative is None):
        raise InputError(
            "noise has both 'std' and 'relative'"
            if section.std is not None
            else "noise has neither 'std' nor 'relative'",
            span=scope.source.key(place),
            expected="one of the two: {std: 0.3}, or {relative: 0.05} of the standard "
            "deviation of the clean values",
        )
    values = {}
    for key in (*LEVELS, *OF_OUTLIERS):
        value = getattr(section, key)
        if value is None:
            continue
        inner = (*place, key)
        if key in OF_OUTLIERS and section.kind != "outliers":
            raise InputError(
                f"'{key}' goes with 'kind: outliers' only",
                span=scope.source.key(inner),
                expected=f"no '{key}', or kind: outliers",
            )
        values[key] = scope.number(value, inner, f"'{key}'")
        _check_range(scope, key, values[key], inner, allow_zero and key in LEVELS)
    return Noise(kind=section.kind, **values)


def _check_range(scope: Scope, key: str, number: float, place: Place, allow_zero: bool) -> None:
    """Refuse a negative number, zero unless it is allowed, and a fraction of one or more."""
    expected = ""
    if number < 0 or (number == 0 and not allow_zero):
        expected = "0 or more" if allow_zero else "more than 0"
    elif key == "fraction" and number >= 1:
        expected = "a value between 0 and 1"
    if expected:
        span = scope.source.span(place)
        raise InputError(f"'{key}' is {number:g}", span=span, expected=expected)


__all__ = ["build_noise"]
