"""The keys of a problem file, format 1: types, ranges, defaults and meanings.

`validation` turns a tree into the `ProblemFile` of this module, whether it comes from a file or
from Python. What needs more than one key to judge is left to `building`. The descriptions
here are the reference in ``docs/problem-file.md`` and the expectations in messages.
"""

from __future__ import annotations

import math
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from pinngate.memory import parse_size
from pinngate.statement.arrays import GivenValues
from pinngate.statement.options import AUTO, MEANINGS, RACE


class Kind(str):
    """What a value should be, in words; stands in the metadata of an annotation."""

    __slots__ = ()


def _number_or_formula(value: Any) -> float | str:
    if isinstance(value, str) or (
        isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    ):
        return value if isinstance(value, str) else float(value)
    raise ValueError("not a finite number or a formula")


def _whole(value: Any) -> Any:
    """Take ``1e3`` as the whole number it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _listed(value: Any) -> Any:
    if value is None:  # where nothing is meant the key is left out
        raise ValueError("nothing where a list should be")
    return [value] if isinstance(value, str) else value


def _cells(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _file_or_values(value: Any) -> Any:
    if isinstance(value, GivenValues) or (isinstance(value, str) and value):
        return value
    raise ValueError("no name of a file")


def _holdout(value: Any) -> Any:
    return value if isinstance(value, GivenValues) else _number_or_formula(value)


NumberOrFormula = Annotated[
    float | str, PlainValidator(_number_or_formula), Kind("a finite number or a formula")
]
Formula = Annotated[float | str, PlainValidator(_number_or_formula), Kind("a formula")]
Text = Annotated[str, Kind("text")]
EquationText = Annotated[str, Kind("an equation as text, `left = right`")]
PlaneText = Annotated[str, Kind("text such as `x = 0`")]
DataFile = Annotated[
    str | GivenValues, PlainValidator(_file_or_values), Kind("the name of a .csv or .npz file")
]
FileName = Annotated[str, Kind("the name of a .csv or .npz file"), Field(min_length=1)]
Name = Annotated[str, Kind("a name")]
Interval = Annotated[
    list[NumberOrFormula],
    Field(min_length=2, max_length=2),
    Kind("a list of two numbers or formulas, [low, high]"),
]
Coordinates = Annotated[
    list[NumberOrFormula],
    Field(min_length=2, max_length=3),
    Kind("a list of coordinates, one for each space axis"),
]
PositiveInteger = Annotated[
    int, BeforeValidator(_whole), Field(ge=1), Kind("a whole number, 1 or more")
]
Observed = Annotated[str, Kind("a field, a derivative or a formula")]
MemorySize = Annotated[
    int, PlainValidator(parse_size), Kind("an amount of memory such as 2GB, 500MB or 1.5GiB")
]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), Kind("a positive number")]


class Section(BaseModel):
    """A mapping of the file: nothing beyond its keys, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


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
    """A coefficient to infer together with the fields: a number, or with `over` a field.

    A number or a formula alone, `{kappa: 0.1}`, is its `initial`.
    """

    initial: NumberOrFormula = Field(description="where the search starts")
    over: Annotated[
        list[Name] | None,
        BeforeValidator(_listed),
        Field(min_length=1),
        Kind("an axis, or a list of axes"),
    ] = Field(
        None,
        description="the axes with which it varies: it is then a field, whose derivatives such as "
        "`a_x` may stand in the equations",
        json_schema_extra={"default": "none, a number"},
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
        description="what is known of it beforehand, of a number: `{mean: 2, std: 0.3}` or "
        "`{median: 2, factor: 1.5}`",
    )
    truth: NumberOrFormula | None = Field(
        None,
        description="true value, used only to report the error; without it, `truth.constants` of "
        "the same name. Of a field: a formula in its axes; without it, the key of its name in "
        "`truth`",
    )


class BallSection(Section):
    """A disk in two dimensions, a sphere in three."""

    center: Coordinates = Field(description="its centre")
    radius: NumberOrFormula = Field(description="its radius")


class EllipseSection(Section):
    """An ellipse, in two dimensions."""

    center: Coordinates = Field(description="its centre")
    radii: Annotated[
        list[NumberOrFormula],
        Field(min_length=2, max_length=2),
        Kind("a list of two numbers or formulas"),
    ] = Field(description="its two semi-axes, along the first and the second space axis")
    angle: NumberOrFormula = Field(0.0, description="turned anticlockwise by so much, in radians")


BoxSides = Annotated[dict[str, Interval], Kind("a mapping of every space axis to [low, high]")]


class ShapeSection(Section):
    """A shape in space, the same at all times: one of these keys."""

    disk: BallSection | None = Field(None, description="`center` and `radius`")
    ellipse: EllipseSection | None = Field(
        None, description="`center`, `radii` and optionally `angle`, anticlockwise in radians"
    )
    rectangle: BoxSides | None = Field(None, description="`{x: [0, 1], y: [0, 1]}`")
    polygon: (
        Annotated[
            list[Coordinates], Field(min_length=3), Kind("a list of three or more vertices [x, y]")
        ]
        | None
    ) = Field(None, description="its vertices in order; sides must not cross")
    sphere: BallSection | None = Field(
        None, description="`center` and `radius`, in three dimensions"
    )
    cuboid: BoxSides | None = Field(None, description="`{x: [0, 1], y: [0, 1], z: [0, 1]}`")


class PartSection(Section):
    """A part of the boundary: `of`, `where` or both."""

    of: Name | None = Field(
        None,
        description="the shape that bounds there",
        json_schema_extra={"default": "any"},
    )
    where: Annotated[str, Kind("text such as `x = 0` or `x**2 + y**2 < 1`")] | None = Field(
        None,
        description="which places belong to it: two formulas in the space axes and constants "
        "with `=`, `<` or `>` between them",
        json_schema_extra={"default": "all"},
    )


class GeometrySection(Section):
    """A domain that is no box: everything holds inside it. Needs the extra `geometry` (DeepXDE)."""

    shapes: Annotated[dict[str, ShapeSection], Field(min_length=1), Kind("a mapping")] = Field(
        description="shapes by name, see below; a condition may be stated `on` each of them"
    )
    inside: Annotated[str, Kind("text such as `plate - hole`")] | None = Field(
        None,
        description="the set of points, made from names of shapes with `+` (union), `-` "
        "(difference), `*` (intersection) and brackets",
        json_schema_extra={"default": "the only shape"},
    )
    boundaries: dict[str, PartSection] = Field(
        default_factory=dict, description="further parts of the boundary by name, see below"
    )


class ConditionSection(Section):
    """Exact knowledge: `where` or `on` with `equation`, or `periodic` alone.

    As one text: `u = 0 at x = 0`, `u = 0 on boundary`, `periodic in x`.
    """

    on: Name | None = Field(
        None,
        description="with a geometry: `boundary`, a shape or a boundary part, on which it holds at "
        "all times",
    )
    where: PlaneText | None = Field(
        None, description="the plane on which it holds: one axis of the domain and its value"
    )
    equation: EquationText | None = Field(
        None,
        description="any expression in the fields and their derivatives: Dirichlet "
        "`u = sin(pi*x)`, Neumann `u_x = 0`, Robin `u + 2*u_x = 1`, initial velocity `u_t = 0`; "
        "with `on` also in the outward unit normal: `n_x*u_x + n_y*u_y = 0`",
    )
    periodic: Name | None = Field(None, description="an axis along which every field is periodic")


Amounts = Annotated[dict[str, NumberOrFormula], Kind("a mapping of unknowns to amounts")]


class EventSection(Section):
    """What happens at an instant: amounts that are added, values that are set."""

    at: Annotated[
        dict[str, NumberOrFormula | list[NumberOrFormula]], Kind("a mapping: {t: 5} or {t: [0, 6]}")
    ] = Field(description="when: `{t: 5}`, or several times `{t: [0, 6, 12]}`")
    add: Amounts = Field(
        default_factory=dict,
        description="what is added to unknowns: `{C: 100/V}`; formulas in constants, coefficients, "
        "axes and the fields before the event",
    )
    set: Amounts = Field(
        default_factory=dict, description="what unknowns are set to, before anything is added"
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
    kind: Literal["gaussian", "student-t", "outliers", "log-normal", "proportional", "poisson"] = (
        Field(
            "gaussian",
            description="`student-t` has three degrees of freedom, scaled to the standard "
            "deviation; `outliers` replaces a fraction of gaussian errors by larger ones; "
            "`log-normal` errors are factors, of positive values; `proportional` ones are a share "
            "of the value; `poisson` is that of counts",
        )
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
        BeforeValidator(_listed),
        Field(min_length=1),
        Kind("an axis, or a list of axes"),
    ] = Field(description="the axes over which the mean is taken; points then have no such axis")
    width: NumberOrFormula | None = Field(
        None,
        description="of a window about each point along the one axis of `over` (the finite size of "
        "a sensor, an exposure time), cut off at the ends of the domain",
        json_schema_extra={"default": "the whole extent"},
    )


class ObservationSection(Section):
    """Noisy knowledge: synthetic (`of`, `count`, `noise` …) or measured (`of`, `file` …)."""

    of: Annotated[
        list[Observed],
        BeforeValidator(_listed),
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
    missing: Annotated[
        list[str | float | int],
        BeforeValidator(_cells),
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
            PlainValidator(_holdout),
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


class NetworkSection(Section):
    """A fully connected network."""

    width: PositiveInteger = Field(64, description="units in each hidden layer")
    depth: PositiveInteger = Field(3, description="hidden layers")
    activation: Literal["tanh", "sin"] = Field("tanh", description="activation function")
    features: Positive | None = Field(
        2.0,
        description="bandwidth of a sine first layer: the standard deviation of its weights on "
        "inputs scaled to [-1, 1]; null is a plain first layer",
    )


class WeightsSection(Section):
    """Weights of the terms of the loss."""

    equations: Positive | None = Field(None, description="weight of the equations")
    conditions: Positive | None = Field(None, description="weight of the conditions")
    observations: Positive | None = Field(None, description="weight of the observations")


def _race(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """Take the word of `RACE` as it is, and everything else as a network."""
    return value if value == RACE else read(value)


class SolveSection(Section):
    """How to solve; null stands for the default of the optimizer that is used."""

    optimizer: Name = Field(AUTO, description=MEANINGS["optimizer"])
    network: Annotated[
        NetworkSection | None,
        WrapValidator(_race),
        Kind(f"a mapping, or `{RACE}`"),
    ] = Field(None, description=MEANINGS["network"])
    own_network: Name | None = Field(
        None, description=MEANINGS["own_network"], json_schema_extra={"default": "none"}
    )
    collocation: PositiveInteger | None = Field(None, description=MEANINGS["collocation"])
    iterations: PositiveInteger | None = Field(None, description=MEANINGS["iterations"])
    learning_rate: Positive | None = Field(None, description=MEANINGS["learning_rate"])
    gate: Literal["hard", "soft", "snr", "none"] | None = Field(None, description=MEANINGS["gate"])
    statistics: Literal["pairs", "grouped", "loop", "vmap", "streaming"] | None = Field(
        None, description=MEANINGS["statistics"]
    )
    gated_terms: Literal["all", "data"] | None = Field(None, description=MEANINGS["gated_terms"])
    strictness: Positive | None = Field(None, description=MEANINGS["strictness"])
    basis: Literal["weights", "layers"] | None = Field(None, description=MEANINGS["basis"])
    polish: Literal["auto", "none"] | None = Field(None, description=MEANINGS["polish"])
    weights: WeightsSection | None = Field(None, description=MEANINGS["weights"])
    seed: Annotated[
        int, BeforeValidator(_whole), Field(ge=0, lt=2**63), Kind("a whole number, 0 or more")
    ] = Field(0, description=MEANINGS["seed"])
    precision: Literal["float32", "float64"] | None = Field(None, description=MEANINGS["precision"])
    device: Name = Field("auto", description=MEANINGS["device"])
    max_memory: MemorySize | None = Field(
        None,
        description=MEANINGS["max_memory"],
        json_schema_extra={"default": "half of what is free"},
    )


class ExperimentSection(Section):
    """One of several runs of the equations: what it has of its own beside what all have."""

    name: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9_]+\z"), Kind("text of letters, digits and _")
    ] = Field(description="its name; the field `C` of the experiment `first` is `C__first`")
    domain: Annotated[dict[str, Interval], Kind("a mapping of axes to [low, high]")] = Field(
        default_factory=dict, description="bounds that differ: where time ends"
    )
    constants: dict[str, NumberOrFormula] = Field(
        default_factory=dict, description="constants of its own"
    )
    conditions: list[ConditionSection] = Field(
        default_factory=list, description="conditions beside the common ones"
    )
    events: list[EventSection] = Field(
        default_factory=list, description="events beside the common ones"
    )
    observations: list[ObservationSection] = Field(
        default_factory=list, description="observations beside the common ones"
    )


class ProblemFile(Section):
    """One problem."""

    pinngate: Annotated[int, Field(ge=1, le=1), Kind("1, the only format so far")] = Field(
        description="version of the format"
    )
    name: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9_-]+\z"),
        Kind("text of letters, digits, - and _"),
    ] = Field(description="name of the problem and of its results")
    title: Text = Field("", description="one line of prose")
    description: Text = Field("", description="more prose")
    source: Text = Field("", description="the paper or the data set it comes from")
    domain: Annotated[
        dict[str, Interval],
        Kind("a mapping of axes to [low, high]"),
    ] = Field(
        description="axes and their bounds: up to three of `x`, `y`, `z`, and `t`, which is time; "
        "`t` alone states ordinary differential equations"
    )
    geometry: GeometrySection | None = Field(
        None, description="where the domain is no box but a part of it, see below"
    )
    unknowns: Annotated[list[Name], Field(min_length=1), Kind("a list of names, such as [u]")] = (
        Field(description="the fields to find")
    )
    constants: dict[str, NumberOrFormula] = Field(
        default_factory=dict,
        description="known numbers, or formulas in `pi` and constants stated before",
    )
    estimate: dict[str, EstimateSection] = Field(
        default_factory=dict, description="coefficients to infer with the fields, see below"
    )
    equations: Annotated[
        list[EquationText], Field(min_length=1), Kind("a list of equations, one or more")
    ] = Field(
        description="`left = right`, or one expression with `= 0` understood; derivatives are "
        "the field, an underscore and axes: `u_t`, `u_xx`, `u_xt`, up to fourth order; "
        "`(a*u_x)_x` is the derivative of a bracket"
    )
    conditions: list[ConditionSection] = Field(
        default_factory=list, description="exact knowledge, see below"
    )
    events: list[EventSection] = Field(
        default_factory=list,
        description="what happens at an instant, see below; fields jump there, so that such a "
        "problem is fitted through a solver: time and at most one space axis",
    )
    observations: list[ObservationSection] = Field(
        default_factory=list, description="noisy knowledge, see below"
    )
    units: dict[str, Text] = Field(
        default_factory=dict,
        description="units of axes and fields, for figures and NetCDF files: "
        "`{x: m, t: s, u: K}`; nothing is converted",
    )
    experiments: list[ExperimentSection] = Field(
        default_factory=list,
        description="several runs of the same equations, see below; coefficients are common unless "
        "`estimate` says `each`",
    )
    derived: dict[str, Annotated[str, Kind("a formula")]] = Field(
        default_factory=dict,
        description="quantities of interest, told with intervals: formulas in fields, derivatives "
        "and coefficients, `{R0: beta/gamma, peak: max(u, t), flux: -k*u_x at x = 0}`; "
        "`mean`, `max`, `min` and `integral` go over axes, `at` holds others",
    )
    truth: TruthSection | None = Field(
        None, description="the answer to judge by, see below; absent for real data"
    )
    solve: SolveSection | None = Field(None, description="how to solve, see below")


def alternatives(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the annotation alone."""
    if get_origin(annotation) in (Union, types.UnionType):
        return get_args(annotation)
    return (annotation,)


def section_of(annotation: Any) -> type[Section] | None:
    """Return the section that an annotation is, holds in a list or maps names to."""
    for option in alternatives(annotation):
        if isinstance(option, type) and issubclass(option, Section):
            return option
        if get_origin(option) is Annotated:
            return section_of(get_args(option)[0])
        if get_origin(option) in (list, dict):
            return section_of(get_args(option)[-1])
    return None


def describe(annotation: Any, metadata: tuple[Any, ...] = ()) -> str:
    """Say in words what a value of this type is."""
    for mark in metadata:
        if isinstance(mark, Kind):
            return str(mark)
    options = [option for option in alternatives(annotation) if option is not type(None)]
    option = options[0]
    origin, arguments = get_origin(option), get_args(option)
    if origin is Annotated:
        return describe(arguments[0], arguments[1:])
    if origin is Literal:
        return "one of " + ", ".join(str(value) for value in arguments)
    if origin is list:
        return f"a list, each item {describe(arguments[0])}"
    return "a mapping"
