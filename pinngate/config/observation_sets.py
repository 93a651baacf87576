"""The `observations` of a problem file: sets of noisy values, synthetic or measured.

Part of `build`. Nothing is read from data files here but whether they are there.
"""

from __future__ import annotations

from math import prod
from pathlib import Path

from pinngate.config.data_files import data_file
from pinngate.config.schema import NoiseSection, ObservationSection
from pinngate.config.scope import Scope
from pinngate.config.yaml_source import Place
from pinngate.errors import InputError, Span, nearest
from pinngate.problem import (
    MeasuredObservations,
    Noise,
    Observations,
    Plane,
    SyntheticObservations,
)


def build_observations(
    scope: Scope, sections: list[ObservationSection], folder: Path, files: dict[Path, Span]
) -> tuple[Observations, ...]:
    """Read `observations`; a list of fields becomes one set for each."""
    found: list[Observations] = []
    for i, section in enumerate(sections):
        place: Place = ("observations", i)
        for j, of in enumerate(section.of):
            if of not in scope.unknowns:
                raise InputError(
                    f"unknown field '{of}' in an observation",
                    span=scope.source.span((*place, "of", j)),
                    expected=f"the unknowns are {', '.join(scope.unknowns)}",
                    hint=nearest(of, scope.unknowns),
                )
            if of in section.of[:j]:
                raise InputError(
                    f"'{of}' stands twice in one observation",
                    span=scope.source.span((*place, "of", j)),
                )
        found += (
            _synthetic(scope, section, place)
            if section.file is None
            else _measured(scope, section, section.file, place, folder, files)
        )
    return tuple(found)


def _measured(
    scope: Scope,
    section: ObservationSection,
    name: str,
    place: Place,
    folder: Path,
    files: dict[Path, Span],
) -> list[Observations]:
    """Read one set of measured values."""
    for key in ("where", "count", "layout"):
        if getattr(section, key) is not None:
            raise InputError(
                f"measured observations have no '{key}'",
                span=scope.source.key((*place, key)),
                expected="of, file and optionally noise; the points are in the file",
            )
    span = scope.source.span((*place, "file"))
    file = data_file(name, folder, span)
    files[file] = span
    noise = (
        _noise(scope, section.noise, (*place, "noise"), allow_zero=False) if section.noise else None
    )
    return [MeasuredObservations(of, file, noise) for of in section.of]


def _synthetic(scope: Scope, section: ObservationSection, place: Place) -> list[Observations]:
    """Read one set of synthetic values."""
    if section.count is None and not isinstance(section.layout, dict):
        raise InputError(
            "the key 'count' or 'file' is missing in an observation",
            span=scope.source.span(place),
            expected="count for synthetic values, file for measured ones",
        )
    if section.noise is None:
        raise InputError(
            "the key 'noise' is missing in a synthetic observation",
            span=scope.source.span(place),
            expected="noise: {std: 0.3} or noise: {relative: 0.05}",
            hint="noise: {std: 0} stands for exact values",
        )
    noise = _noise(scope, section.noise, (*place, "noise"), allow_zero=True)
    where = scope.plane(section.where, (*place, "where")) if section.where is not None else None
    layout = section.layout or "random"
    count = section.count or 0
    if isinstance(layout, dict):
        count = _grid_count(scope, layout, where, section.count, place)
    return [SyntheticObservations(of, count, noise, where, layout) for of in section.of]


def _grid_count(
    scope: Scope, layout: dict[str, int], where: Plane | None, count: int | None, place: Place
) -> int:
    """Return the number of points of a grid stated axis by axis."""
    free = [axis for axis in scope.axes if where is None or axis != where.axis]
    if set(layout) != set(free):
        raise InputError(
            f"the layout states points along {', '.join(layout) or 'no axis'}",
            span=scope.source.span((*place, "layout")),
            expected=f"a number of points along each of {', '.join(free)}",
        )
    product = prod(layout.values())
    if count is not None and count != product:
        raise InputError(
            f"'count' is {count}, and the layout has {product} points",
            span=scope.source.span((*place, "count")),
            expected="no 'count' beside such a layout, or the product of its numbers",
        )
    return product


def _noise(scope: Scope, section: NoiseSection, place: Place, *, allow_zero: bool) -> Noise:
    """Read one noise model."""
    if (section.std is None) == (section.relative is None):
        raise InputError(
            "noise has both 'std' and 'relative'"
            if section.std is not None
            else "noise has neither 'std' nor 'relative'",
            span=scope.source.key(place),
            expected="one of the two: {std: 0.3}, or {relative: 0.05} of the standard "
            "deviation of the clean values",
        )
    values: dict[str, float] = {}
    for key in ("std", "relative", "fraction", "scale"):
        value = getattr(section, key)
        if value is None:
            continue
        inner = (*place, key)
        if key in ("fraction", "scale") and section.kind != "outliers":
            raise InputError(
                f"'{key}' goes with 'kind: outliers' only",
                span=scope.source.key(inner),
                expected=f"no '{key}', or kind: outliers",
            )
        number = values[key] = scope.number(value, inner, f"'{key}'")
        is_level = key in ("std", "relative")
        if number < 0 or (number == 0 and not (is_level and allow_zero)):
            raise InputError(
                f"'{key}' is {number:g}",
                span=scope.source.span(inner),
                expected="0 or more" if is_level and allow_zero else "more than 0",
            )
        if key == "fraction" and number >= 1:
            raise InputError(
                f"'fraction' is {number:g}",
                span=scope.source.span(inner),
                expected="a value between 0 and 1",
            )
    return Noise(kind=section.kind, **values)
