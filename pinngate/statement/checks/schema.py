"""The keys of a problem file, format 1: types, ranges, defaults and meanings.

`validation` turns a tree into the `ProblemFile` of this module, whether it comes from a file or
from Python. What needs more than one key to judge is left to `building`. The descriptions
here are the reference in ``docs/problem-file.md`` and the expectations in messages.
"""

from __future__ import annotations

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import Discriminator, Field, Tag

from pinngate.statement.checks.schema_data import (
    ConservedSection,
    InputSection,
    MeanSection,
    NoiseSection,
    ObservationSection,
    TimeSection,
    TruthSection,
)
from pinngate.statement.checks.schema_estimate import EstimateSection
from pinngate.statement.checks.schema_geometry import (
    BallSection,
    EllipseSection,
    GeometrySection,
    PartSection,
    ShapeSection,
)
from pinngate.statement.checks.schema_kinds import (
    EquationText,
    Formula,
    Interval,
    Kind,
    Name,
    NumberOrFormula,
    PlaneText,
    Section,
    Text,
)
from pinngate.statement.checks.schema_solve import NetworkSection, SolveSection, WeightsSection


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
        None,
        description="the plane on which it holds: one axis of the domain and its value; with "
        "bounds of other axes a part of it, `x = 0 and t > 1 and y < 0.5`; with delays also the "
        "past, `t <= 0`, at whose end it is the initial condition",
    )
    equation: EquationText | None = Field(
        None,
        description="any expression in the fields and their derivatives: Dirichlet "
        "`u = sin(pi*x)`, Neumann `u_x = 0`, Robin `u + 2*u_x = 1`, initial velocity `u_t = 0`; "
        "with `on` also in the outward unit normal: `n_x*u_x + n_y*u_y = 0`",
    )
    periodic: Name | None = Field(None, description="an axis along which every field is periodic")
    mean: ConservedSection | None = Field(
        None,
        description="a mean over axes that is known at all places of the others, such as what is "
        "conserved: `{of: u, over: x, equals: 1}`; alone, without the other keys",
    )


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


LISTED, MAPPED = "<listed>", "<mapped>"  # how unknowns are stated, in pydantic's places


class FieldSection(Section):
    """What is known of a field beforehand: `unknowns: {C: {size: 1e5}, u: {}}`."""

    size: NumberOrFormula | None = Field(
        None,
        description="its characteristic size, by which it and the equations are scaled",
        json_schema_extra={"default": "from data and equations"},
    )
    positive: Annotated[bool, Kind("true or false")] = Field(
        False,
        description="whether the field is nowhere below zero: unknown initial states are searched "
        "for through a softplus in the fit through the solver, and values below zero are a misfit "
        "of the physics for bases and networks; zero itself stays possible",
    )
    initial_guess: Formula | None = Field(
        None,
        description="a formula in axes and constants for the field, from which the fit through the "
        "solver starts where the initial state is not known; bases and networks start from data",
        json_schema_extra={"default": "zero"},
    )


class AxisSection(Section):
    """An axis that says more than its bounds: `domain: {r: {bounds: [0.1, 1000], log: true}}`."""

    bounds: Interval = Field(description="`[low, high]`")
    log: Annotated[bool, Kind("true or false")] = Field(
        False,
        description="search on the logarithm of the axis, which is then above zero: points, nodes "
        "and grids are even in it; equations, data and results stay in the axis itself",
    )


Axis = Annotated[
    Annotated[Interval, Tag(LISTED)] | Annotated[AxisSection, Tag(MAPPED)],
    Discriminator(lambda value: MAPPED if isinstance(value, dict) else LISTED),
]


class ExperimentSection(Section):
    """One of several runs of the equations: what it has of its own beside what all have."""

    name: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9_]+\z"), Kind("text of letters, digits and _")
    ] = Field(description="its name; the field `C` of the experiment `first` is `C__first`")
    domain: Annotated[dict[str, Axis], Kind("a mapping of axes to [low, high]")] = Field(
        default_factory=dict, description="bounds that differ: where time ends"
    )
    constants: dict[str, NumberOrFormula] = Field(
        default_factory=dict, description="constants of its own"
    )
    truth: dict[str, NumberOrFormula] = Field(
        default_factory=dict, description="true values of coefficients of its own, for judging"
    )
    inputs: dict[str, InputSection] = Field(
        default_factory=dict, description="tables of its own, under the same names in all"
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


class CandidateSection(Section):
    """One of several equations for the same data: what it has of its own beside what all have.

    Either `equations`, or `left` and `terms`, a library of terms of which the data are asked which
    the equation has.
    """

    unknowns: list[Name] = Field(default_factory=list, description="fields beside the common ones")
    equations: list[EquationText] = Field(
        default_factory=list, description="its equations, in place of common ones"
    )
    left: Formula | None = Field(None, description="the left side of a library, `u_t`")
    terms: list[Formula] = Field(
        default_factory=list,
        description="what may stand on the right side, each with a coefficient of its own: "
        "`[u, u*u_x, u_xx]`",
    )
    estimate: dict[str, EstimateSection] = Field(
        default_factory=dict, description="coefficients beside the common ones"
    )
    optional: list[Name] = Field(
        default_factory=list,
        description="coefficients that may be zero: their terms are left out one after the other, "
        "as long as the data do not ask for them",
    )
    constants: dict[str, NumberOrFormula] = Field(
        default_factory=dict, description="constants of its own"
    )
    conditions: list[ConditionSection] = Field(
        default_factory=list, description="conditions beside the common ones"
    )
    derived: dict[str, Annotated[str, Kind("a formula")]] = Field(
        default_factory=dict, description="quantities of interest beside the common ones"
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
        dict[str, Axis],
        Kind("a mapping of axes to [low, high]"),
    ] = Field(
        description="axes and their bounds: up to three of `x`, `y`, `z`, and `t`, which is time; "
        "`t` alone states ordinary differential equations. Other names where `coordinates` says "
        "what they are; `{r: {bounds: [0.1, 1000], log: true}}` searches on the logarithm"
    )
    coordinates: (
        Annotated[str | dict[str, str], Kind("radial, spherical or a mapping of axes to kinds")]
        | None
    ) = Field(
        None,
        description="what axes beside `x`, `y`, `z`, `t` are: `radial` (`r`, `theta`, with `z`), "
        "`spherical` (`r`, `theta` from the pole, `phi`), or a mapping of axes to kinds, see below",
    )
    geometry: GeometrySection | None = Field(
        None, description="where the domain is no box but a part of it, see below"
    )
    unknowns: Annotated[
        Annotated[list[Name], Field(min_length=1), Tag(LISTED)]
        | Annotated[dict[str, FieldSection], Field(min_length=1), Tag(MAPPED)],
        Discriminator(lambda value: MAPPED if isinstance(value, dict) else LISTED),
        Kind("a list of names, such as [u], or a mapping of them"),
    ] = Field(description="the fields to find; as a mapping with what is known of each, see below")
    constants: dict[str, NumberOrFormula] = Field(
        default_factory=dict,
        description="known numbers, or formulas in `pi` and constants stated before",
    )
    time: TimeSection | None = Field(
        None, description="from when on `t` counts, where data files write dates, see below"
    )
    inputs: dict[str, InputSection] = Field(
        default_factory=dict,
        description="known functions given as tables, such as logged weather, see below",
    )
    estimate: dict[str, EstimateSection] = Field(
        default_factory=dict, description="coefficients to infer with the fields, see below"
    )
    equations: Annotated[
        list[EquationText], Field(min_length=1), Kind("a list of equations, one or more")
    ] = Field(
        default_factory=list,
        description="`left = right`, or one expression with `= 0` understood; derivatives are "
        "the field, an underscore and axes: `u_t`, `u_xx`, `u_xt`, up to fourth order; "
        "`(a*u_x)_x` is the derivative of a bracket; `u(t - 0.1)` is a delayed value, see below",
        json_schema_extra={"default": "those of each of `candidates`, else required"},
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
        description="units of axes, fields, constants, inputs, coefficients and derived "
        "quantities, for reports and NetCDF files: "
        "`{x: m, t: s, u: K}`; nothing is converted",
    )
    experiments: list[ExperimentSection] = Field(
        default_factory=list,
        description="several runs of the same equations, see below; coefficients are common unless "
        "`estimate` says `each`",
    )
    candidates: dict[str, CandidateSection] = Field(
        default_factory=dict,
        description="several equations for the same data, of which the data are asked to choose, "
        "see below; names by letters, digits and _. A coefficient of `estimate` that a candidate "
        "does not name is none of its own",
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


__all__ = [
    "LISTED",
    "MAPPED",
    "AxisSection",
    "BallSection",
    "CandidateSection",
    "ConditionSection",
    "ConservedSection",
    "EllipseSection",
    "EstimateSection",
    "FieldSection",
    "Formula",
    "GeometrySection",
    "InputSection",
    "MeanSection",
    "NetworkSection",
    "NoiseSection",
    "ObservationSection",
    "PartSection",
    "ProblemFile",
    "Section",
    "ShapeSection",
    "SolveSection",
    "TimeSection",
    "TruthSection",
    "WeightsSection",
    "alternatives",
    "describe",
    "section_of",
]
