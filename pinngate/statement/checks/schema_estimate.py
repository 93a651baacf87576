"""The keys of `estimate`: what is unknown beside the fields, and what is known of it beforehand."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from pinngate.statement.checks.schema_kinds import (
    Cells,
    Interval,
    Kind,
    Name,
    NumberOrFormula,
    Section,
    listed,
    whole,
)


class PriorSection(Section):
    """What is known of a coefficient beforehand: `mean` and `std`, or `median` and `factor`."""

    mean: NumberOrFormula | None = Field(None, description="of a normal prior")
    std: NumberOrFormula | None = Field(None, description="its standard deviation")
    median: NumberOrFormula | None = Field(
        None, description="of a log-normal prior, of a positive coefficient"
    )
    factor: NumberOrFormula | None = Field(
        None,
        description="by which the coefficient is typically off the median, above 1: exp of the "
        "standard deviation of its logarithm",
    )


class EachSection(Section):
    """How a coefficient differs between experiments."""

    spread: Annotated[bool, Kind("true or false")] = Field(
        True,
        description="whether the values scatter about a common one, normally or, where positive, "
        "log-normally, with a spread that is estimated",
    )


class EstimateSection(Section):
    """A coefficient to infer together with the fields: a number, or a function.

    With `over` it varies smoothly with axes, or is a function of one or two fields; with `pieces`
    it is constant on the cells of some axes.

    A number or a formula alone, `{kappa: 0.1}`, is its `initial`.
    """

    initial: NumberOrFormula = Field(description="where the search starts")
    over: Annotated[
        list[Name] | None,
        BeforeValidator(listed),
        Field(min_length=1),
        Kind("an axis or an unknown, or a list of them"),
    ] = Field(
        None,
        description="the axes with which it varies: it is then a field, whose derivatives such as "
        "`a_x` may stand in the equations. Or one of the unknowns, or a derivative of one: it is "
        "then a function of that, which equations call, `a(u)`. Or two of these, or one and an "
        "axis, `[u, v]`, `[u, x]`: a function of two arguments, called in this order, `a(u, v)`",
        json_schema_extra={"default": "none, a number"},
    )
    range: (
        Annotated[
            Interval | dict[str, Interval],
            Kind("[low, high], or a mapping of arguments to such lists"),
        ]
        | None
    ) = Field(
        None,
        description="of a function of a field: `[low, high]` of that field, of two arguments "
        "`{u: [low, high]}` for each that needs one; without it, the range of the measured values, "
        "of an axis the domain. Beyond it the function is constant along that argument",
    )
    knots: (
        Annotated[
            Annotated[int, BeforeValidator(whole)] | list[Annotated[int, BeforeValidator(whole)]],
            Kind("a whole number, or one for each argument"),
        ]
        | None
    ) = Field(
        None,
        description="of a function of fields: how many places of a spline it has along each "
        "argument. How rough it is, the data tell; more places let it bend more often",
        json_schema_extra={"default": "12, along each of two arguments 8"},
    )
    pieces: (
        Annotated[
            dict[str, Cells],
            Field(min_length=1),
            Kind("a mapping of axes to a number of equal cells, or to breakpoints"),
        ]
        | None
    ) = Field(
        None,
        description="it is constant on the cells of these axes, `{x: 8, y: 8}`: a number of equal "
        "ones, or the places in increasing order where one ends and the next begins, "
        "`{t: [14, 30]}`. Equations name it like a number; the value of each piece is estimated, "
        "with the same start, bounds and prior, as `k[1][1]`, `k[1][2]` …, the last axis first",
    )
    positive: Annotated[bool, Kind("true or false")] = Field(
        False, description="search among positive values only, through the logarithm"
    )
    lower: NumberOrFormula | None = Field(None, description="lower bound")
    upper: NumberOrFormula | None = Field(None, description="upper bound")
    each: Annotated[bool, Kind("true or false")] | EachSection = Field(
        False,
        description="with `experiments`: every one has a value of its own; `{spread: true}` lets "
        "them scatter about a common one",
    )
    prior: PriorSection | None = Field(
        None,
        description="what is known beforehand of a number, or of the value of each piece: "
        "`{mean: 2, std: 0.3}` or `{median: 2, factor: 1.5}`",
    )
    truth: NumberOrFormula | None = Field(
        None,
        description="true value, used only to report the error; without it, `truth.constants` of "
        "the same name. Of a field: a formula in its axes; without it, the key of its name in "
        "`truth`. Of pieces likewise, whose true values are those at their centres",
    )
