"""The `inputs` of a statement: known functions, read from their tables.

Part of `building`. A table is read here, where it is stated: which axes its function varies with,
and where its kinks are, is known from its columns alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pinngate.errors import DataError, InputError, Span, nearest
from pinngate.expression import Tabulated
from pinngate.expression.printing import number_text
from pinngate.statement.arrays import GivenValues, Reader
from pinngate.statement.checks.planes import ROUNDING
from pinngate.statement.checks.schema import InputSection
from pinngate.statement.checks.scope import Scope
from pinngate.statement.checks.source import Place
from pinngate.statement.components import Input
from pinngate.statement.measurement import Table
from pinngate.tables.in_memory import InMemoryTable

if TYPE_CHECKING:
    from pinngate.tables.named_columns import Columns


def build_inputs(scope: Scope, sections: Mapping[str, InputSection]) -> tuple[Input, ...]:
    """Read `inputs`, and enter their names in the scope.

    Raises:
        InputError: a name is taken, a table cannot be read, is no function of axes of the domain or
            does not cover it.
    """
    found = []
    for name, section in sections.items():
        place: Place = ("inputs", name)
        scope.declare(name, "an input", place)
        try:
            made = _input(scope, name, section, place)
        except DataError as error:
            raise error.at(scope.source.span((*place, "file"))) from None
        scope.tables[name] = made.expression
        found.append(made)
    scope.refuse_derivatives()
    return tuple(found)


def _input(scope: Scope, name: str, section: InputSection, place: Place) -> Input:
    """Read one table."""
    from pinngate.tables.gridded import gridded
    from pinngate.tables.named_columns import Gaps, read_columns

    names = _axis_columns(scope, section, place)
    value = section.column or name
    file: Path | InMemoryTable
    if isinstance(section.file, GivenValues):
        file = _given(scope, section.file, name, place)
        value, names = name, {axis: axis for axis in scope.axes}
    else:
        file = scope.data_file(section.file, (*place, "file"))
    missing = tuple(
        number_text(float(m)) if isinstance(m, (int, float)) else m.strip() for m in section.missing
    )
    dates = {names["t"]: scope.clock} if "t" in names else {}
    read = read_columns(file, [value], list(names.values()), Gaps([value], missing), dates)
    axes = {axis: column for axis, column in names.items() if column in read.arrays}
    if not axes:
        raise read.whole_fault(
            f"has no column of an axis for the input '{name}'",
            f"a column called {' or '.join(names.values())}",
            "columns: {t: its name in the file}",
        )
    knots, values = gridded(read, axes, value)
    _require_cover(scope, read, dict(zip(axes, knots, strict=True)), section.interpolation)
    renamed = {axis: column for axis, column in axes.items() if column != axis}
    table = Table(renamed | ({"value": value} if value != name else {}), missing)
    function = Tabulated(name, tuple(knots), values, section.interpolation)
    return Input(name, tuple(axes), function, file, table)


def _axis_columns(scope: Scope, section: InputSection, place: Place) -> dict[str, str]:
    """Return what the file calls each axis."""
    for key in section.columns:
        if key not in scope.axes:
            raise InputError(
                f"'{key}' is nothing that an input reads",
                span=scope.source.key((*place, "columns", key)),
                expected=f"the file's names for {', '.join(scope.axes)}",
                hint=nearest(key, scope.axes),
            )
    return {axis: section.columns.get(axis, axis) for axis in scope.axes}


def _require_cover(
    scope: Scope, read: Columns, knots: Mapping[str, Any], interpolation: str
) -> None:
    """Refuse a table that ends inside the domain, or has too few rows to lie between."""
    for axis, own in knots.items():
        low, high = scope.domain[axis]
        slack = ROUNDING * max(abs(low), abs(high), high - low)
        first, last = float(own[0]), float(own[-1])
        if first > low + slack or (last < high - slack and interpolation != "step"):
            held = "; the last step is held to the end" if interpolation == "step" else ""
            raise read.whole_fault(
                f"{axis} goes from {first:.10g} to {last:.10g} and does not cover the domain",
                f"{axis} from {low:.10g} to {high:.10g}, or further{held}",
                "shorten the domain, or add rows",
            )
        if len(own) < 2 and interpolation != "step":
            raise read.whole_fault(
                f"one {axis} alone", "two rows at least", "state a constant where nothing varies"
            )


def _given(scope: Scope, given: GivenValues, name: str, place: Place) -> InMemoryTable:
    """Return the table of values that were given in Python."""

    def at(part: str) -> Span:
        return scope.source.span((*place, part))

    reader = Reader(_spread(given), [name], (), at, scope.clock)
    if reader.table is None:
        raise InputError(
            f"the input '{name}' is no table with named columns",
            span=at("points"),
            expected="Input(t=..., values=...), or a data frame with a column for each axis",
        )
    reader.axes = [axis for axis in scope.axes if axis in reader.table.columns]
    strange = [k for k in reader.table.columns if k not in scope.axes and given.is_grid]
    if strange or not reader.axes:
        raise InputError(
            f"the domain has no axis '{strange[0]}'" if strange else "no column is an axis",
            span=at("points"),
            expected=f"the domain has the axes {', '.join(scope.axes)}",
        )
    return reader.read(f"input-{name}.csv", scope.source.span(place).file)


def _spread(given: GivenValues) -> GivenValues:
    """Return the values on the grid of some axes as rows, an axis after the other as given."""
    import numpy as np

    if not given.is_grid:
        return given
    axes = {axis: np.asarray(own) for axis, own in given.points.items()}
    values = np.asarray(given.values)
    if values.ndim < 2 or values.shape != tuple(own.size for own in axes.values()):
        return given
    mesh = np.meshgrid(*(own.ravel() for own in axes.values()), indexing="ij")
    points = {axis: own.ravel() for axis, own in zip(axes, mesh, strict=True)}
    return GivenValues(points, values.ravel(), is_grid=True)


__all__ = ["build_inputs"]
