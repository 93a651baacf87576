"""Where sensors are, whose tables have no column for it: `at` and `sensors` of an observation.

Part of `building`, beside `observation_sections`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pinngate.errors import DataError, InputError, nearest
from pinngate.statement.arrays import GivenValues
from pinngate.statement.checks.schema import ObservationSection
from pinngate.statement.checks.scope import Scope
from pinngate.statement.checks.source import Place
from pinngate.statement.measurement import Mean


@dataclass(frozen=True)
class Sites:
    """Places by axis: `at` of all values, `sensors` of each column; `averaged` axes have none."""

    at: Mapping[str, float]
    sensors: Mapping[str, Mapping[str, float]]
    averaged: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """The columns of a wide table."""
        return list(self.sensors)

    @property
    def without_column(self) -> set[str]:
        """The axes for which the table has no column."""
        return {*self.at, *self.averaged, *next(iter(self.sensors.values()), {})}


def read_sites(scope: Scope, section: ObservationSection, mean: Mean | None, place: Place) -> Sites:
    """Read `at` and `sensors`.

    Raises:
        InputError: an axis is unknown, stands twice or is averaged over; a place is outside the
            domain; sensors have no places alike, or stand beside keys of one column.
    """
    averaged = mean.axes if mean is not None and mean.width is None else ()
    at = {
        axis: _coordinate(scope, axis, value, averaged, (*place, "at", axis))
        for axis, value in section.at.items()
    }
    taken = (*averaged, *at)
    sensors = _sensors(scope, section, taken, (*place, "sensors"))
    if sensors and (len(section.of) > 1 or section.column or _names_values(scope, section)):
        raise InputError(
            "'sensors' names the columns of one observed quantity",
            span=scope.source.key((*place, "sensors")),
            expected="one name in 'of', and no column of values beside it",
        )
    return Sites(at, sensors, averaged)


def _names_values(scope: Scope, section: ObservationSection) -> bool:
    return any(key not in scope.axes for key in section.columns)


def _coordinate(
    scope: Scope, axis: str, value: float | str, taken: tuple[str, ...], place: Place
) -> float:
    """Return a place on an axis."""
    if axis not in scope.axes or axis in taken:
        raise InputError(
            f"{axis} has no place of its own here"
            if axis in taken
            else f"the domain has no axis '{axis}'",
            span=scope.source.key(place),
            expected="the axes are " + ", ".join(a for a in scope.axes if a not in taken),
            hint=nearest(axis, scope.axes),
        )
    found = scope.number(value, place, f"a place on {axis}")
    low, high = scope.domain[axis]
    if not low <= found <= high:
        raise InputError(
            f"{axis} = {found:g} is outside the domain",
            span=scope.source.span(place),
            expected=f"{axis} goes from {low:g} to {high:g}",
        )
    return found


def _sensors(
    scope: Scope, section: ObservationSection, taken: tuple[str, ...], place: Place
) -> dict[str, dict[str, float]]:
    """Return the place of each sensor, stated or from a file."""
    stated = section.sensors
    if stated is None:
        return {}
    if not isinstance(stated, dict):
        return _from_file(scope, stated, taken, place)
    found = {
        name: {
            axis: _coordinate(scope, axis, value, taken, (*place, name, axis))
            for axis, value in own.items()
        }
        for name, own in stated.items()
    }
    first = next(iter(found.values()))
    for name, own in found.items():
        if not own or set(own) != set(first):
            raise InputError(
                f"the sensor '{name}' has places on {', '.join(own) or 'no axis'}",
                span=scope.source.key((*place, name)),
                expected=f"places on {', '.join(first) or 'one axis at least'}, as of the others",
            )
    return found


def _from_file(
    scope: Scope, stated: str | GivenValues, taken: tuple[str, ...], place: Place
) -> dict[str, dict[str, float]]:
    """Read the places of sensors from a file with the columns `sensor` and axes."""
    from pinngate.tables.named_columns import read_columns
    from pinngate.tables.text_files import read_labels

    span = scope.source.span(place)
    if isinstance(stated, GivenValues):
        raise InputError("sensors are a mapping or a file", span=span)
    axes = [axis for axis in scope.axes if axis not in taken]
    try:
        file = scope.data_file(stated, place)
        labels = read_labels(file, "sensor")
        read = read_columns(file, [], axes)
        if not read.arrays:
            raise read.whole_fault(
                "has no column of an axis", f"a column called {' or '.join(axes)}"
            )
        for label in labels:
            if labels.count(label) > 1:
                raise read.whole_fault(f"the sensor '{label}' stands twice")
        for axis, own in read.arrays.items():
            low, high = scope.domain[axis]
            for i, value in enumerate(own):
                if not low <= value <= high:
                    raise read.fault(
                        i,
                        f"{axis} = {value:g} lies outside the domain",
                        f"from {low:g} to {high:g}",
                    )
    except DataError as error:
        raise error.at(span) from None
    return {
        label: {axis: float(own[k]) for axis, own in read.arrays.items()}
        for k, label in enumerate(labels)
    }


__all__ = ["Sites", "read_sites"]
