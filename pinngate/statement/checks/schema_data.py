"""The keys `time`, `inputs`, `observations` and `truth` of a problem file: a part of `schema`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, PlainValidator

from pinngate.statement.arrays import GivenValues
from pinngate.statement.checks.schema_kinds import (
    DataFile,
    FileName,
    Formula,
    Kind,
    Name,
    NumberOrFormula,
    Observed,
    PlaneText,
    PositiveInteger,
    Section,
    Text,
    cells,
    fraction_or_values,
    listed,
    sensor_places,
)


class InputSection(Section):
    """A known function given as a table; its name stands in equations and conditions.

    It varies with those axes whose columns the file has.
    """

    file: DataFile = Field(
        description="the table: `.csv` with a header or `.npz`; relative to the problem file"
    )
    column: Text | None = Field(
        None,
        description="the column of its values",
        json_schema_extra={"default": "its own name"},
    )
    columns: dict[str, Text] = Field(
        default_factory=dict, description="what the file calls an axis: `{t: time_h}`"
    )
    interpolation: Literal["linear", "step", "smooth"] = Field(
        "linear",
        description="between the rows: a straight line; the last value held until the next row; or "
        "a cubic spline, twice differentiable, which may overshoot",
    )
    missing: Annotated[
        list[str | float | int],
        BeforeValidator(cells),
        Kind("a text or a number, or a list of them"),
    ] = Field(
        default_factory=list,
        description="cells that stand for a value that was not logged, which the interpolation "
        "bridges; an empty cell always does",
    )


class TimeSection(Section):
    """From when on, and in which unit, `t` counts where data files write dates (ISO 8601)."""

    origin: Annotated[str, Kind("a date such as 2024-01-01 or 2024-01-01 06:30")] = Field(
        description="where t = 0; a date without an offset is taken as UTC"
    )
    unit: Literal["s", "min", "h", "d", "week", "year"] | None = Field(
        None,
        description="of `t`; a year has 365.25 days",
        json_schema_extra={"default": "that of `t` in `units`, or s"},
    )


class CorrelatedSection(Section):
    """Errors that remember: their covariance is std² exp(−|Δ|/length) along one axis."""

    over: Name = Field(description="the axis; values at one place of the others are one series")
    length: NumberOrFormula = Field(
        description="distance along the axis after which errors are alike by 1/e"
    )


class NoiseSection(Section):
    """How observations scatter about the field.

    One size: `std` or `relative`, or with `log-normal` `factor`; counts (`poisson`) have none. Of
    measured values it may be left out and is then estimated.
    """

    std: NumberOrFormula | None = Field(None, description="standard deviation, in data units")
    relative: NumberOrFormula | None = Field(
        None,
        description="standard deviation as a fraction of that of the clean values; with "
        "`proportional`, of each value",
    )
    factor: NumberOrFormula | None = Field(
        None,
        description="with `log-normal` only: the factor by which a value is typically off, above 1",
    )
    kind: Literal[
        "gaussian", "student-t", "outliers", "log-normal", "proportional", "poisson", "censored"
    ] = Field(
        "gaussian",
        description="`student-t` has three degrees of freedom, scaled to the standard "
        "deviation; `outliers` replaces a fraction of gaussian errors by larger ones; "
        "`log-normal` errors are factors, of positive values; `proportional` ones are a share "
        "of the value; `poisson` is that of counts; `censored` is gaussian, and values at or "
        "beyond a bound say only that",
    )
    below: NumberOrFormula | None = Field(
        None, description="with `censored` only: a value of so much or less says 'so much or less'"
    )
    above: NumberOrFormula | None = Field(
        None, description="with `censored` only: a value of so much or more says 'so much or more'"
    )
    correlated: CorrelatedSection | None = Field(
        None, description="with `gaussian` only: errors that remember, `{over: t, length: 0.5}`"
    )
    fraction: NumberOrFormula | None = Field(
        None,
        description="with `outliers` only: the fraction of errors replaced, between 0 and 1",
        json_schema_extra={"default": "0.1"},
    )
    scale: NumberOrFormula | None = Field(
        None,
        description="with `outliers` only: standard deviation of the replaced errors, as a "
        "multiple of that of the others",
        json_schema_extra={"default": "10"},
    )


class MeanSection(Section):
    """What is seen is the mean along axes: of the whole extent, or of a window about each point."""

    over: Annotated[
        list[Name],
        BeforeValidator(listed),
        Field(min_length=1),
        Kind("an axis, or a list of axes"),
    ] = Field(description="the axes over which the mean is taken; points then have no such axis")
    width: NumberOrFormula | None = Field(
        None,
        description="of a window about each point along the one axis of `over` (the finite size of "
        "a sensor, an exposure time), cut off at the ends of the domain",
        json_schema_extra={"default": "the whole extent"},
    )


class ConservedSection(Section):
    """A mean that is known exactly: what is conserved."""

    of: Observed = Field(description="a field, or a formula in fields and derivatives")
    over: Annotated[
        list[Name],
        BeforeValidator(listed),
        Field(min_length=1),
        Kind("an axis, or a list of axes"),
    ] = Field(description="the axes over which the mean is taken")
    equals: NumberOrFormula = Field(
        description="what it is: a formula in the other axes, constants and coefficients"
    )


class ObservationSection(Section):
    """Noisy knowledge: synthetic (`of`, `count`, `noise` …) or measured (`of`, `file` …)."""

    of: Annotated[
        list[Observed],
        BeforeValidator(listed),
        Field(min_length=1),
        Kind("what is observed: a field, a derivative or a formula of them, or a list of these"),
    ] = Field(
        description="the observed field, or what the sensor sees of the fields: `u_x`, `u + v`, "
        "`-k*u_x`; a list stands for one set of observations of each"
    )
    file: DataFile | None = Field(
        None,
        description="measured values: `.csv` with a header or `.npz`, one column (array) for each "
        "axis, one for each observed field and optionally `<field>_std`; relative to the "
        "problem file",
    )
    column: Text | None = Field(
        None,
        description="measured: the column of the observed values; required where `of` is a formula",
        json_schema_extra={"default": "the name in `of`"},
    )
    columns: dict[str, Text] = Field(
        default_factory=dict,
        description="measured: what the file calls an axis, an observed name or its `<name>_std` "
        "(`std` for short): `{x: pos_m, u: temperature_K, u_std: error_K}`",
    )
    at: Annotated[
        dict[str, NumberOrFormula], Kind("a mapping of axes to places, such as {x: 3}")
    ] = Field(
        default_factory=dict,
        description="measured: where the sensor is, along axes that the file has no column of",
    )
    sensors: (
        Annotated[
            str | GivenValues | dict[str, dict[str, NumberOrFormula]],
            PlainValidator(sensor_places),
            Kind("the name of a file, or a mapping such as {S1: {x: 0.5}, S2: {x: 1}}"),
        ]
        | None
    ) = Field(
        None,
        description="measured, in a wide table with one column for each sensor: where each is; or "
        "a file with the columns `sensor` and the axes",
    )
    missing: Annotated[
        list[str | float | int],
        BeforeValidator(cells),
        Kind("a text or a number, or a list of them"),
    ] = Field(
        default_factory=list,
        description="measured: cells that stand for a value that was not measured, such as "
        "`[nan, NA, -999]`; an empty cell always does",
    )
    max_rows: PositiveInteger | None = Field(
        None,
        description="measured: most values that are fitted; of more, a subset is drawn that is "
        "spread evenly over the domain, with a warning. By default every value counts",
    )
    mean: MeanSection | None = Field(None, description="the sensor sees a mean of `of`, see below")
    holdout: (
        Annotated[
            float | str | GivenValues,
            PlainValidator(fraction_or_values),
            Kind("a finite number or a formula"),
        ]
        | None
    ) = Field(
        None,
        description="values that are never fitted and judge the fit: a fraction of the set, "
        "drawn at random, or the name of a file laid out like `file`",
    )
    where: PlaneText | None = Field(
        None,
        description="synthetic: the plane on which the points lie",
        json_schema_extra={"default": "the whole domain"},
    )
    count: PositiveInteger | None = Field(None, description="synthetic: how many points")
    layout: Annotated[
        Literal["random", "grid"] | dict[str, PositiveInteger] | None,
        Kind("random, grid, or points along each axis such as {x: 38, t: 5}"),
    ] = Field(
        None,
        description="synthetic: uniformly random points, a regular grid of about `count` points, "
        "or `{x: 38, t: 5}`, a grid with so many points along each axis, ends included; `count` "
        "is then their product and may be left out",
        json_schema_extra={"default": "`random`"},
    )
    noise: NoiseSection | None = Field(
        None, description="synthetic: the noise added, required; measured: what is assumed of it"
    )


class TruthSection(Section):
    """The answer to judge by, never seen in training.

    One key for each unknown, or `solver` with `clean`, or `file`; beside them, one key for each
    coefficient that is a field.
    """

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)
    __pydantic_extra__: dict[str, Formula] = Field(init=False)

    constants: dict[str, NumberOrFormula] = Field(
        default_factory=dict, description="true values of estimated coefficients, by name"
    )
    solver: Literal["finite-difference", "spectral", "cole-hopf", "runge-kutta"] | None = Field(
        None, description="compute the truth numerically from `clean`"
    )
    clean: dict[str, Formula] = Field(
        default_factory=dict,
        description="with `solver`: the exact data at the initial time, a formula for each field "
        "`u` and, where the equation is of second order in time, `u_t`",
    )
    file: FileName | None = Field(
        None, description="reference values in a file laid out like a measured one"
    )
