"""The `noise` of one set of observations.

Part of `building`, below `observation_sections`.
"""

from __future__ import annotations

from pinngate.errors import InputError
from pinngate.statement.checks.schema import NoiseSection
from pinngate.statement.checks.scope import Scope
from pinngate.statement.checks.source import Place
from pinngate.statement.stated_observations import Noise, Remembrance

SIZES = {
    "gaussian": ("std", "relative"),
    "student-t": ("std", "relative"),
    "outliers": ("std", "relative"),
    "log-normal": ("factor",),
    "proportional": ("relative",),
    "poisson": (),
    "censored": ("std",),
}
BESIDE = {"outliers": ("fraction", "scale"), "censored": ("below", "above")}
ALL_BESIDE = tuple(key for keys in BESIDE.values() for key in keys)
EXAMPLES = {
    "gaussian": "{std: 0.3}, or {relative: 0.05} of the standard deviation of the clean values",
    "log-normal": "{kind: log-normal, factor: 1.2}",
    "proportional": "{kind: proportional, relative: 0.1} of each value",
    "censored": "{kind: censored, below: 0.1, std: 0.05}",
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
    may_estimate = section.kind != "gaussian" or section.correlated is not None
    is_needed = bool(sizes) and not (is_measured and may_estimate)
    if len(given) > 1 or (is_needed and not given):
        raise _wrong_size(scope, section, place, given)
    values = {}
    for key in (*sizes, *ALL_BESIDE):
        value = getattr(section, key)
        if value is not None:
            inner = (*place, key)
            values[key] = scope.number(value, inner, f"'{key}'")
            _check_range(scope, key, values[key], inner, not is_measured and key in sizes)
    noise = Noise(kind=section.kind, **values, correlated=_remembrance(scope, section, place))
    _check_bounds(scope, noise, place)
    return noise


def _remembrance(scope: Scope, section: NoiseSection, place: Place) -> Remembrance | None:
    """Read `correlated`.

    Raises:
        InputError: the noise is of another kind, the axis is none, or the length is not positive.
    """
    stated, inner = section.correlated, (*place, "correlated")
    if stated is None:
        return None
    if section.kind != "gaussian":
        raise InputError(
            f"noise of the kind {section.kind} is correlated",
            span=scope.source.key(inner),
            expected="no 'correlated', or gaussian noise",
        )
    if stated.over not in scope.axes:
        raise InputError(
            f"noise is correlated over '{stated.over}', which is no axis",
            span=scope.source.span((*inner, "over")),
            expected=f"one of {', '.join(scope.axes)}",
        )
    length = scope.number(stated.length, (*inner, "length"), "'length'")
    _check_range(scope, "length", length, (*inner, "length"), allow_zero=False)
    return Remembrance(stated.over, length)


def _check_bounds(scope: Scope, noise: Noise, place: Place) -> None:
    """Refuse censored noise without a bound, or with bounds that leave nothing between them."""
    ends = [end for end in (noise.below, noise.above) if end is not None]
    if noise.kind != "censored" or ends == sorted(set(ends)) != []:
        return
    low, high = noise.below, noise.above
    raise InputError(
        f"'below' is {low:g} and 'above' is {high:g}" if ends else "censored noise has no bound",
        span=scope.source.key(place),
        expected="'below', 'above', or both of which 'below' is less: "
        "{kind: censored, below: 0.1, std: 0.05}",
    )


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
    own = (*SIZES[section.kind], *BESIDE.get(section.kind, ()))
    for key in ("std", "relative", "factor", *ALL_BESIDE):
        if key in own or getattr(section, key) is None:
            continue
        kinds = [kind for kind in SIZES if key in (*SIZES[kind], *BESIDE.get(kind, ()))]
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
    if key in BESIDE["censored"]:
        return
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
