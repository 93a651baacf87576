"""The `noise` of one set of observations.

Part of `building`, below `observation_sections`.
"""

from __future__ import annotations

from pinngate.errors import InputError
from pinngate.statement.checks.schema import NoiseSection
from pinngate.statement.checks.scope import Scope
from pinngate.statement.checks.source import Place
from pinngate.statement.components import Noise

SIZES = {
    "gaussian": ("std", "relative"),
    "student-t": ("std", "relative"),
    "outliers": ("std", "relative"),
    "log-normal": ("factor",),
    "proportional": ("relative",),
    "poisson": (),
}
OF_OUTLIERS = ("fraction", "scale")
EXAMPLES = {
    "gaussian": "{std: 0.3}, or {relative: 0.05} of the standard deviation of the clean values",
    "log-normal": "{kind: log-normal, factor: 1.2}",
    "proportional": "{kind: proportional, relative: 0.1} of each value",
}


def build_noise(scope: Scope, section: NoiseSection, place: Place, *, is_measured: bool) -> Noise:
    """Read one noise model.

    A size of zero stands for exact values where they are synthetic; that of measured values may be
    left to be estimated.

    Raises:
        InputError: not exactly one size is stated where one is needed, or a number is out of range.
    """
    sizes = SIZES[section.kind]
    _refuse_other_keys(scope, section, place)
    given = [key for key in sizes if getattr(section, key) is not None]
    is_needed = bool(sizes) and (not is_measured or section.kind == "gaussian")
    if len(given) > 1 or (is_needed and not given):
        raise _wrong_size(scope, section, place, given)
    values = {}
    for key in (*sizes, *OF_OUTLIERS):
        value = getattr(section, key)
        if value is not None:
            inner = (*place, key)
            values[key] = scope.number(value, inner, f"'{key}'")
            _check_range(scope, key, values[key], inner, not is_measured and key in sizes)
    return Noise(kind=section.kind, **values)


def _wrong_size(scope: Scope, section: NoiseSection, place: Place, given: list[str]) -> InputError:
    """Return the fault of noise with no size or with two."""
    sizes = SIZES[section.kind]
    found = "both" if given else "neither" if len(sizes) > 1 else "no"
    word = " and " if given else " nor "
    return InputError(
        f"noise has {found} {word.join(repr(key) for key in sizes)}",
        span=scope.source.key(place),
        expected=f"one size: {EXAMPLES.get(section.kind, EXAMPLES['gaussian'])}",
    )


def _refuse_other_keys(scope: Scope, section: NoiseSection, place: Place) -> None:
    """Refuse a key that goes with another kind of noise."""
    own = (*SIZES[section.kind], *(OF_OUTLIERS if section.kind == "outliers" else ()))
    for key in ("std", "relative", "factor", *OF_OUTLIERS):
        if key in own or getattr(section, key) is None:
            continue
        kinds = [kind for kind, sizes in SIZES.items() if key in sizes] or ["outliers"]
        raise InputError(
            f"'{key}' goes with 'kind: {kinds[0]}' only"
            if len(kinds) == 1
            else f"'{key}' does not go with 'kind: {section.kind}'",
            span=scope.source.key((*place, key)),
            expected=f"no '{key}', or kind: {' or '.join(kinds)}",
        )


def _check_range(scope: Scope, key: str, number: float, place: Place, allow_zero: bool) -> None:
    """Refuse a number that is too small, and a fraction of one or more."""
    expected = ""
    if key == "factor":
        expected = "" if number > 1 else "more than 1"
    elif number < 0 or (number == 0 and not allow_zero):
        expected = "0 or more" if allow_zero else "more than 0"
    elif key == "fraction" and number >= 1:
        expected = "a value between 0 and 1"
    if expected:
        span = scope.source.span(place)
        raise InputError(f"'{key}' is {number:g}", span=span, expected=expected)


__all__ = ["build_noise"]
