"""The `domain`, `constants` and `unknowns` of a statement: what everything after them may name.

Part of `building`, and its first step.
"""

from __future__ import annotations

from pinngate.errors import InputError
from pinngate.statement.checks.coordinates_section import (
    logarithmic,
    read_coordinates,
    refuse_bad_coordinates,
)
from pinngate.statement.checks.schema import FieldSection, ProblemFile
from pinngate.statement.checks.scope import AXES, Scope
from pinngate.statement.checks.source import Place
from pinngate.statement.checks.truth_section import RESERVED
from pinngate.tables.clock import NO_CLOCK, SECONDS, Clock, is_date, read_date


def declare_names(scope: Scope, file: ProblemFile) -> None:
    """Enter functions, axes with their bounds, constants and unknowns in the scope, in this order.

    Raises:
        InputError: a name cannot be used or is taken, a bound is none.
    """
    _declare_functions(scope)
    _declare_axes(scope, file)
    for name, value in file.constants.items():
        place: Place = ("constants", name)
        scope.declare(name, "a constant", place)
        scope.constants[name] = scope.number(value, place, f"the constant '{name}'")
    scope.clock = read_clock(scope, file)
    _read_bounds(scope, file)
    _declare_unknowns(scope, file)


def _declare_functions(scope: Scope) -> None:
    """Declare the functions of the caller's own."""
    for name, function in scope.functions.items():
        place: Place = ("functions", name)
        scope.declare(name, "a function", place)
        if not callable(function):
            raise InputError(
                f"'{name}' in functions is a {type(function).__name__}",
                span=scope.source.key(place),
                expected="a Python function of torch tensors",
            )


def _declare_axes(scope: Scope, file: ProblemFile) -> None:
    """Declare the axes: up to three of x, y, z, and perhaps t; at least one of all."""
    scope.kinds = read_coordinates(scope, file)
    for axis in file.domain:
        place: Place = ("domain", axis)
        if axis not in (*AXES, *scope.kinds):
            raise InputError(
                f"unknown axis '{axis}'",
                span=scope.source.key(place),
                expected="the axes are x, y, z in space and t, which is time",
                hint="'coordinates' says what other axes are: coordinates: radial, or "
                f"{{{axis}: length}}",
            )
        scope.declare(axis, "an axis", place)
    scope.axes = tuple(file.domain)
    if not scope.axes:
        raise InputError(
            "the domain has no axis",
            span=scope.source.key(("domain",)),
            expected="up to three of x, y, z, and t where there is time",
        )


LARGEST, SMALLEST = 1e100, 1e-100  # of an axis
RESOLVED = 1e-12  # of the larger bound: a shorter axis has hardly any points


def _read_bounds(scope: Scope, file: ProblemFile) -> None:
    for axis, stated in file.domain.items():
        place: Place = ("domain", axis)
        pair, within = (
            (stated, place) if isinstance(stated, list) else (stated.bounds, (*place, "bounds"))
        )
        low, high = (_bound(scope, axis, value, (*within, i)) for i, value in enumerate(pair))
        if not low < high:
            raise InputError(
                f"the lower bound of {axis}, {low:g}, is not below the upper, {high:g}",
                span=scope.source.span(place),
                expected="[low, high] with low < high",
            )
        _refuse_unresolved(scope, axis, low, high)
        is_log = not isinstance(stated, list) and stated.log
        scope.domain[axis] = logarithmic(scope, axis, low, high) if is_log else (low, high)
    refuse_bad_coordinates(scope)


def _bound(scope: Scope, axis: str, value: float | str, place: Place) -> float:
    """Return a bound: a number, a formula or, of time, a date."""
    if axis == "t" and isinstance(value, str) and is_date(value):
        if scope.clock is None:
            raise InputError(
                f"'{value}' is a date", span=scope.source.span(place), expected=NO_CLOCK
            )
        return scope.clock.number(value)
    return scope.number(value, place, f"a bound of {axis}")


def read_clock(scope: Scope, file: ProblemFile) -> Clock | None:
    """Read `time`: from when on t counts, and in which unit.

    Raises:
        InputError: the domain has no time, or the origin is no date.
    """
    section = file.time
    if section is None:
        return None
    if "t" not in scope.axes:
        raise InputError(
            "'time' says how t counts, and the domain has no axis t",
            span=scope.source.key(("time",)),
            expected="an axis t in 'domain', or no 'time'",
        )
    try:
        origin = read_date(section.origin)
    except ValueError:
        raise InputError(
            f"'{section.origin}' is no date",
            span=scope.source.span(("time", "origin")),
            expected="a date such as 2024-01-01 or 2024-01-01 06:30",
        ) from None
    stated = file.units.get("t", "")
    return Clock(origin, section.unit or (stated if stated in SECONDS else "s"))  # type: ignore[arg-type]


def _refuse_unresolved(scope: Scope, axis: str, low: float, high: float) -> None:
    """Refuse an axis whose length or whose points are beyond the digits of a number."""
    largest, length = max(abs(low), abs(high)), high - low
    if largest > LARGEST or length < max(SMALLEST, RESOLVED * largest):
        raise InputError(
            f"{axis} from {low:g} to {high:g}, a length of {length:g}, is beyond what can be "
            "computed with",
            span=scope.source.span(("domain", axis)),
            expected=f"sizes between {SMALLEST:g} and {LARGEST:g}, and points that differ in the "
            "first twelve digits",
            hint="state the axis in other units, or count it from another origin",
        )


def _declare_unknowns(scope: Scope, file: ProblemFile) -> None:
    for name in file.unknowns:
        place = scope.unknown_place(name, len(scope.unknowns))
        if name in RESERVED:
            raise InputError(
                f"'{name}' cannot name an unknown: it is a key of 'truth'",
                span=scope.source.span(place),
                expected="another name",
            )
        scope.declare(name, "an unknown", place)
        scope.unknowns = (*scope.unknowns, name)
        if isinstance(file.unknowns, dict):
            _note_field(scope, name, file.unknowns[name], place)
    scope.refuse_derivatives()


def _note_field(scope: Scope, name: str, section: FieldSection, place: Place) -> None:
    """Enter what is known of a field beforehand."""
    if section.size is not None:
        scope.sizes[name] = _size(scope, section.size, (*place, "size"))
    scope.positive += (name,) if section.positive else ()
    if section.initial_guess is not None:
        inner = (*place, "initial_guess")
        guess = scope.formula(section.initial_guess, inner)
        known = [*scope.axes, *scope.constants]
        scope.check_names(guess, inner, "'initial_guess'", known, "axes and constants")
        scope.guesses[name] = guess


def _size(scope: Scope, value: float | str, place: Place) -> float:
    """Return the stated size of a field."""
    size = scope.number(value, place, "'size'")
    if not SMALLEST <= size <= LARGEST:
        raise InputError(
            f"a size of {size:g}",
            span=scope.source.span(place),
            expected=f"a number between {SMALLEST:g} and {LARGEST:g}",
        )
    return size


__all__ = ["declare_names"]
