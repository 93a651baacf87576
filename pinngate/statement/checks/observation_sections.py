"""The `observations` of a statement: sets of noisy values, synthetic or measured.

Part of `building`. Nothing is read from data files here but whether they are there; values that
were given in Python become a table.
"""

from __future__ import annotations

from math import prod
from pathlib import Path

from pinngate.errors import InputError, Span, nearest
from pinngate.expression import Expression
from pinngate.expression.printing import number_text
from pinngate.statement.arrays import GivenValues, Reader, column_names
from pinngate.statement.checks.data_files import SUFFIXES
from pinngate.statement.checks.noise_section import build_noise
from pinngate.statement.checks.planes import read_plane
from pinngate.statement.checks.schema import MeanSection, NoiseSection, ObservationSection
from pinngate.statement.checks.scope import Scope
from pinngate.statement.checks.sensor_sites import Sites, read_sites
from pinngate.statement.checks.source import Place
from pinngate.statement.derivatives import parse_derivative
from pinngate.statement.measurement import Holdout, Mean, Table
from pinngate.statement.stated_observations import (
    MeasuredObservations,
    Noise,
    StatedObservations,
    SyntheticObservations,
)
from pinngate.tables.in_memory import InMemoryTable


def build_observations(
    scope: Scope, sections: list[ObservationSection]
) -> tuple[StatedObservations, ...]:
    """Read `observations`; a list of fields becomes one set for each.

    Raises:
        InputError: keys are missing or exclude each other, a name is unknown, a file cannot be
            used, or given values do not fit.
    """
    found: list[StatedObservations] = []
    for i, section in enumerate(sections):
        place: Place = ("observations", i)
        read = _synthetic if section.file is None else _measured
        for j, of in enumerate(section.of):
            if " ".join(of.split()) in [" ".join(other.split()) for other in section.of[:j]]:
                raise InputError(
                    f"'{of}' stands twice in one observation",
                    span=scope.source.span((*place, "of", j)),
                )
            quantity = _quantity(scope, of, (*place, "of", j))
            found.append(read(scope, section, of, quantity, place))
    return tuple(found)


def _quantity(scope: Scope, of: str, place: Place) -> Expression | None:
    """Return the expression that a sensor sees, None for a field itself."""
    if of in scope.unknowns:
        return None
    derivative = parse_derivative(of, scope.unknowns, scope.axes)
    if of.isidentifier() and derivative is None:
        raise InputError(
            f"unknown field '{of}' in an observation",
            span=scope.source.span(place),
            expected=f"the unknowns are {', '.join(scope.unknowns)}",
            hint=nearest(of, scope.unknowns),
        )
    if "=" in of:
        raise InputError(
            f"'{of}' is an equation",
            span=scope.source.span(place),
            expected="what the sensor sees, such as u_x or -k*u_x",
        )
    return scope.residual(of, place, "an observation")


def _measured(
    scope: Scope, section: ObservationSection, of: str, quantity: Expression | None, place: Place
) -> StatedObservations:
    """Read one set of measured values."""
    for key in ("where", "count", "layout"):
        if getattr(section, key) is not None:
            raise InputError(
                f"measured observations have no '{key}'",
                span=scope.source.key((*place, key)),
                expected="of, file and optionally noise; the points are in the file",
            )
    mean = _mean(scope, section.mean, (*place, "mean"))
    sites = read_sites(scope, section, mean, place)
    file = _data(scope, section.file, section, sites, (*place, "file"))
    noise = None
    if isinstance(section.file, GivenValues) and section.file.noise_model is not None:
        noise = Noise(kind="own", model=section.file.noise_model)
    if section.noise is not None:
        noise = build_noise(scope, section.noise, (*place, "noise"), is_measured=True)
    return MeasuredObservations(
        " ".join(of.split()),
        file,
        noise,
        quantity,
        mean,
        _holdout(scope, section, sites, place),
        _table(scope, section, of, sites, place),
    )


def _data(
    scope: Scope,
    given: float | str | GivenValues | None,
    section: ObservationSection,
    sites: Sites,
    place: Place,
) -> Path | InMemoryTable:
    """Return the file that is named, or the table of the values that are given, at `place`."""
    if not isinstance(given, GivenValues):
        return scope.data_file(str(given), place)
    axes = [axis for axis in scope.axes if axis not in sites.without_column]
    key = "" if place[-1] == "file" else f"-{place[-1]}"

    def at(part: str) -> Span:
        return scope.source.span((*place[:-1], *([place[-1]] if key else []), part))

    name = f"observations-{int(place[1]) + 1}{key}.csv"
    label = scope.source.span(place[: 3 if key else 2]).file
    return Reader(given, sites.columns or section.of, axes, at, scope.clock).read(name, label)


def _table(scope: Scope, section: ObservationSection, of: str, sites: Sites, place: Place) -> Table:
    """Read what the file calls its columns and its missing values."""
    if isinstance(section.file, GivenValues) and sites.columns:
        held = dict(zip(column_names(sites.columns), sites.sensors.values(), strict=True))
        return Table({}, (), section.max_rows, sites.at, held)
    if isinstance(section.file, GivenValues):
        column = dict(zip(section.of, column_names(section.of), strict=True))[of]
        return Table({} if column == of else {"value": column}, (), section.max_rows, sites.at)
    columns = _columns(scope, section, of, place)
    if section.column is not None:
        if len(section.of) > 1 or of in section.columns:
            raise InputError(
                "'column' names the one column of one observed quantity",
                span=scope.source.key((*place, "column")),
                expected="columns: {name: column} for several",
            )
        columns["value"] = section.column
    if "value" not in columns and not of.isidentifier() and not sites.columns:
        raise InputError(
            f"nothing says which column holds '{of}'",
            span=scope.source.key(place),
            expected="column: its name in the file",
        )
    missing = tuple(
        number_text(float(m)) if isinstance(m, (int, float)) else m.strip() for m in section.missing
    )
    return Table(columns, missing, section.max_rows, sites.at, sites.sensors)


def _columns(scope: Scope, section: ObservationSection, of: str, place: Place) -> dict[str, str]:
    """Return the file's names for axes, ``value`` and ``std`` as far as `columns` states them."""
    columns: dict[str, str] = {}
    known = [*scope.axes, *section.of, *(f"{other}_std" for other in section.of), "std"]
    for key, column in section.columns.items():
        if key not in known:
            raise InputError(
                f"'{key}' is nothing that this observation reads",
                span=scope.source.key((*place, "columns", key)),
                expected=f"the file's names for {', '.join(known)}",
                hint=nearest(key, known),
            )
        if key in scope.axes:
            columns[key] = column
        elif key == of:
            columns["value"] = column
        elif key in (f"{of}_std", "std"):
            columns["std"] = column
    return columns


def _mean(scope: Scope, section: MeanSection | None, place: Place) -> Mean | None:
    """Read over which axes, and how far, a sensor takes the mean."""
    if section is None:
        return None
    for i, axis in enumerate(section.over):
        if axis not in scope.axes or axis in section.over[:i]:
            raise InputError(
                f"the domain has no axis '{axis}'" if axis not in scope.axes else f"{axis} twice",
                span=scope.source.span((*place, "over", i)),
                expected=f"the domain has the axes {', '.join(scope.axes)}, each once",
            )
    width = None
    if section.width is not None:
        inner = (*place, "width")
        width = scope.number(section.width, inner, "'width'")
        if width <= 0 or len(section.over) > 1:
            raise InputError(
                f"'width' is {width:g}" if width <= 0 else "a 'width' of several axes",
                span=scope.source.span(inner),
                expected="more than 0, along one axis",
            )
    return Mean(tuple(section.over), width)


def _holdout(
    scope: Scope, section: ObservationSection, sites: Sites, place: Place
) -> Holdout | None:
    """Read which values are kept from the fit."""
    given, inner = section.holdout, (*place, "holdout")
    if given is None:
        return None
    span = scope.source.span(inner)
    if isinstance(given, GivenValues) or Path(str(given)).suffix.lower() in SUFFIXES:
        if section.file is None:
            raise InputError(
                "synthetic values cannot be held out in a file",
                span=span,
                expected="a fraction such as 0.2",
            )
        return Holdout(file=_data(scope, given, section, sites, inner))
    fraction = scope.number(given, inner, "'holdout'")
    if not 0 < fraction < 1:
        raise InputError(
            f"'holdout' is {fraction:g}",
            span=span,
            expected="a fraction between 0 and 1, or the name of a file",
        )
    return Holdout(fraction=fraction)


def _synthetic(
    scope: Scope, section: ObservationSection, of: str, quantity: Expression | None, place: Place
) -> StatedObservations:
    """Read one set of synthetic values."""
    section_noise = _synthetic_keys(scope, section, place)
    noise = build_noise(scope, section_noise, (*place, "noise"), is_measured=False)
    where = (
        read_plane(scope, section.where, (*place, "where")) if section.where is not None else None
    )
    mean = _mean(scope, section.mean, (*place, "mean"))
    averaged = mean.axes if mean is not None and mean.width is None else ()
    if where is not None and where.axis in averaged:
        raise InputError(
            f"{where.axis} is fixed, and the mean is over {where.axis}",
            span=scope.source.span((*place, "where")),
            expected="another axis",
        )
    layout = "random" if section.layout is None else section.layout
    count = section.count or 0
    if isinstance(layout, dict):
        fixed = [*averaged, *([where.axis] if where is not None else [])]
        count = _grid_count(scope, layout, fixed, section.count, place)
    holdout = _holdout(scope, section, read_sites(scope, section, mean, place), place)
    of = " ".join(of.split())
    return SyntheticObservations(of, count, noise, where, layout, quantity, mean, holdout)


def _synthetic_keys(scope: Scope, section: ObservationSection, place: Place) -> NoiseSection:
    """Refuse keys of measured values, require those of synthetic ones and return the noise."""
    for key in ("column", "columns", "missing", "max_rows", "at", "sensors"):
        if key in section.model_fields_set:
            raise InputError(
                f"synthetic observations have no '{key}'",
                span=scope.source.key((*place, key)),
                expected="of, where, count, layout, noise; a file where values were measured",
            )
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
    return section.noise


def _grid_count(
    scope: Scope, layout: dict[str, int], fixed: list[str], count: int | None, place: Place
) -> int:
    """Return the number of points of a grid stated axis by axis."""
    free = [axis for axis in scope.axes if axis not in fixed]
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
