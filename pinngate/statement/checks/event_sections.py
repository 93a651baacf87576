"""The `events` of a problem: what is added or set at an instant.

Part of `building`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pinngate.errors import InputError, nearest
from pinngate.expression import Expression
from pinngate.statement.checks.schema import EventSection
from pinngate.statement.checks.scope import EVENT, Scope
from pinngate.statement.checks.source import Place
from pinngate.statement.components import Event


def build_events(scope: Scope, sections: Sequence[EventSection]) -> tuple[Event, ...]:
    """Read the events, in the order in which they are stated.

    Raises:
        InputError: there is no time, a time is outside the domain, or a name is no unknown.
    """
    return tuple(_event(scope, section, ("events", k)) for k, section in enumerate(sections))


def _event(scope: Scope, section: EventSection, place: Place) -> Event:
    if "t" not in scope.axes or set(section.at) != {"t"}:
        raise InputError(
            "an event has no time" if "t" in scope.axes else "there are events and no time",
            span=scope.source.key((*place, "at")),
            expected="{at: {t: 5}, add: {u: 1}} or {at: {t: [0, 6, 12]}, set: {u: 0}}, and an "
            "axis t in the domain",
        )
    times = _times(scope, section.at["t"], (*place, "at", "t"))
    if not section.add and not section.set:
        raise InputError(
            "nothing happens at an event",
            span=scope.source.span(place),
            expected="'add' or 'set', a mapping of unknowns to amounts",
        )
    added = _amounts(scope, section.add, (*place, "add"))
    return Event(tuple(sorted(times)), added, _amounts(scope, section.set, (*place, "set")))


def _times(scope: Scope, given: float | str | list[float | str], place: Place) -> list[float]:
    """Read the times of an event, one or several."""
    start, end = scope.domain["t"]
    found = []
    for k, value in enumerate(given if isinstance(given, list) else [given]):
        inner: Place = (*place, k) if isinstance(given, list) else place
        found.append(scope.number(value, inner, "a time"))
        if not start <= found[-1] < end:
            raise InputError(
                f"an event at t = {found[-1]:g} is outside the domain",
                span=scope.source.span(inner),
                expected=f"times from {start:g} on and before {end:g}",
            )
    return found


def _amounts(
    scope: Scope, stated: Mapping[str, float | str], place: Place
) -> dict[str, Expression]:
    for name in stated:
        if name not in scope.unknowns:
            raise InputError(
                f"an event changes '{name}', which is no unknown",
                span=scope.source.key((*place, name)),
                expected=f"the unknowns are {', '.join(scope.unknowns)}",
                hint=nearest(name, scope.unknowns),
            )
    return {
        name: scope.residual(str(amount), (*place, name), EVENT) for name, amount in stated.items()
    }


__all__ = ["build_events"]
