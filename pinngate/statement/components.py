"""The parts of a checked problem: equations, conditions, observations, coefficients and truth.

The checks make a `Statement` of them, from a problem file or from Python arguments alike, and
`problem.Problem` is what users and the rest of the package hold. Everything here is immutable.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from pinngate.expression import (
    Applied,
    Expression,
    Name,
    Tabulated,
    UnknownSpline,
    names,
    subtract,
)
from pinngate.expression.printing import to_text
from pinngate.statement.axis_bounds import like
from pinngate.statement.derivatives import Derivative, parse_derivative
from pinngate.statement.measurement import Holdout, Mean, Table
from pinngate.statement.options import SolveOptions
from pinngate.statement.shapes import WHOLE, Geometry
from pinngate.tables.clock import Clock
from pinngate.tables.in_memory import InMemoryTable

NUM_WEIGHTS = 12  # of a function of a field; how many of them count, its smoothness tells


@dataclass(frozen=True)
class Plane:
    """The part of the domain's closure where one axis has one value, ``x = 0``."""

    axis: str
    value: float

    def __str__(self) -> str:
        return f"{self.axis} = {self.value:g}"


@dataclass(frozen=True)
class BoundaryPart:
    """A part of the boundary of the geometry, at all times, by its name there.

    It fixes no axis: `axis` is empty where that of a plane has a name.
    """

    name: str
    axis: ClassVar[str] = ""
    value: ClassVar[float] = math.nan

    def __str__(self) -> str:
        return "the boundary" if self.name == WHOLE else f"the boundary part {self.name}"


@dataclass(frozen=True)
class Window:
    """A part of a plane: where other axes lie between bounds, ``x = 0 and t > 1``.

    It fixes no whole plane: `axis` is empty where that of a plane has a name. `bounds` are
    (axis, low, high), each within the domain.
    """

    plane: Plane
    bounds: tuple[tuple[str, float, float], ...]
    axis: ClassVar[str] = ""
    value: ClassVar[float] = math.nan

    def domain(self, whole: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        """Return the axes with the bounds of the window."""
        return {**whole, **{axis: like(whole[axis], low, high) for axis, low, high in self.bounds}}

    def __str__(self) -> str:
        parts = (f"{low:g} < {axis} < {high:g}" for axis, low, high in self.bounds)
        return " and ".join([str(self.plane), *parts])


Where = Plane | BoundaryPart | Window


@dataclass(frozen=True)
class Equation:
    """``residual = 0`` inside the domain; derivative names are canonical."""

    text: str
    residual: Expression


@dataclass(frozen=True)
class Flux:
    """A field that nobody stated: the `inside` of a bracket whose derivative would lose a step.

    It is solved for together with the unknowns, and no result shows it (`brackets`).
    """

    name: str
    inside: Expression

    @property
    def equation(self) -> Equation:
        """The equation that defines it."""
        return Equation(
            f"{self.name} = {to_text(self.inside)}", subtract(Name(self.name), self.inside)
        )


@dataclass(frozen=True)
class Condition:
    """``residual = 0`` exactly: Dirichlet, Neumann, Robin, initial value or velocity.

    On a plane, as far as it is inside the geometry; or on a part of the geometry's boundary, where
    the residual may name components ``n_x`` … of the outward unit normal; or on a window of a
    plane.
    """

    where: Where
    text: str
    residual: Expression


@dataclass(frozen=True)
class Conserved:
    """A mean that is known: that of `residual` over the axes `over` is zero at all other places.

    Attributes:
        of: text of what the mean is taken of.
        equals: text of what it is.
        over: the axes.
        residual: of − equals.
        equal: what it is, in the other axes, constants and coefficients.
    """

    of: str
    equals: str
    over: tuple[str, ...]
    residual: Expression
    equal: Expression

    def __str__(self) -> str:
        return f"mean of {self.of} over {', '.join(self.over)} = {self.equals}"


@dataclass(frozen=True)
class Prior:
    """What is known of a number beforehand: normal, of it or `is_of_logarithm` of its logarithm."""

    mean: float
    std: float
    is_of_logarithm: bool = False

    def __str__(self) -> str:
        if self.is_of_logarithm:
            return f"{math.exp(self.mean):.4g}, within a factor of {math.exp(self.std):.4g}"
        return f"{self.mean:.4g} ± {self.std:.4g}"


@dataclass(frozen=True)
class Coefficient:
    """A scalar to infer. Bounds are None where there is none; `positive` means lower bound 0."""

    name: str
    initial: float
    lower: float | None = None
    upper: float | None = None
    truth: float | None = None
    prior: Prior | None = None

    @property
    def is_positive(self) -> bool:
        """Whether the coefficient is searched for through its logarithm."""
        return self.lower == 0.0 and self.upper is None


@dataclass(frozen=True)
class Spread:
    """Coefficients of several experiments that scatter normally about a common one.

    Attributes:
        name: of the common one.
        members: those of the experiments.
        is_of_logarithm: whether their logarithms do.
    """

    name: str
    members: tuple[str, ...]
    is_of_logarithm: bool


@dataclass(frozen=True)
class CoefficientField:
    """A coefficient to infer that varies with the axes `over`; bounds as of a `Coefficient`.

    `truth` is an expression in those axes, in constants and in true values of coefficients.
    """

    name: str
    over: tuple[str, ...]
    initial: float
    lower: float | None = None
    upper: float | None = None
    truth: Expression | None = None

    @property
    def is_positive(self) -> bool:
        """Whether the field is searched for through its logarithm."""
        return self.lower == 0.0 and self.upper is None


@dataclass(frozen=True)
class FieldFunction(CoefficientField):
    """A function to infer of a field or of a derivative, `over` its one name; else as its base.

    Its free variable is an `UnknownSpline` of `NUM_WEIGHTS` places on `range`, which is that of the
    measured values where none is stated. `truth` is an expression in that name and in constants.
    """

    range: tuple[float, float] | None = None

    @property
    def spline(self) -> UnknownSpline:
        """What it is free in; on the unit interval while nobody knows its range."""
        return UnknownSpline(self.name, NUM_WEIGHTS, *(self.range or (0.0, 1.0)))

    @property
    def weights(self) -> tuple[str, ...]:
        """Names of its weights, which no formula can hold: ``D(0)``, ``D(1)`` …"""
        return tuple(f"{self.name}({k})" for k in range(NUM_WEIGHTS))


@dataclass(frozen=True)
class Input:
    """A known function given as a table, which equations and conditions name like a constant.

    Attributes:
        name: that formulas use.
        over: the axes with which it varies, in the order of the domain.
        function: of those axes.
        file: where the table comes from.
        table: how the file calls its columns.
    """

    name: str
    over: tuple[str, ...]
    function: Tabulated
    file: Path | InMemoryTable
    table: Table = field(default_factory=lambda: Table({}))

    @property
    def expression(self) -> Applied:
        """The function at its axes."""
        return Applied(self.function, tuple(Name(axis) for axis in self.over))


@dataclass(frozen=True)
class Remembrance:
    """Errors of covariance exp(−|Δ|/`length`) along the axis `over`, at one place of the others."""

    over: str
    length: float

    def __str__(self) -> str:
        return f"correlated over {self.over} with length {self.length:g}"


@dataclass(frozen=True)
class Noise:
    """How observations scatter about the field.

    `std` is in data units; `relative` is a fraction of the standard deviation of the clean values
    (one of the two is given, or none where it is estimated). ``student-t`` has three degrees of
    freedom, scaled to the stated standard deviation. ``outliers`` replaces a `fraction` of gaussian
    errors by errors of `scale` standard deviations. ``log-normal`` values are off by factors, of
    which `factor` is typical, exp of the standard deviation of their logarithm; ``proportional``
    ones by a share `relative` of the value; ``poisson`` ones are counts; ``censored`` ones at or
    beyond `below` or `above` are that bound. Errors that are `correlated` remember each other.
    `model` is a model of the
    caller's own, a `pinngate.inference.noise_model.NoiseModel`, which no file can state; `kind` is
    then ``own``.
    """

    std: float | None = None
    relative: float | None = None
    kind: Literal[
        "gaussian",
        "student-t",
        "outliers",
        "log-normal",
        "proportional",
        "poisson",
        "censored",
        "own",
    ] = "gaussian"
    fraction: float = 0.1
    scale: float = 10.0
    model: object | None = None
    factor: float | None = None
    below: float | None = None
    above: float | None = None
    correlated: Remembrance | None = None

    @property
    def details(self) -> str:
        """Bounds and memory in words, each after a comma; empty where there are none."""
        ends = {"below": self.below, "above": self.above}
        parts = [f"censored {end} {x:g}" for end, x in ends.items() if x is not None]
        parts += [str(self.correlated)] if self.correlated else []
        return "".join(f", {part}" for part in parts)

    @property
    def is_stated(self) -> bool:
        """Whether its size is known."""
        sizes = (self.std, self.relative, self.factor)
        return self.kind == "poisson" or any(size is not None for size in sizes)


@dataclass(frozen=True)
class SyntheticObservations:
    """Values made from the truth plus noise; `where` None is the whole domain.

    `of` is the observed field; where a sensor sees something else, `of` is its text and `quantity`
    the expression of fields and derivatives. With `mean` the values are means of it. A `layout`
    that maps axes to counts is a grid with so many points along each of them. Sets of one `group`,
    the same sensor in several experiments, have one noise.
    """

    of: str
    count: int
    noise: Noise
    where: Plane | None = None
    layout: Literal["random", "grid"] | dict[str, int] = "random"
    quantity: Expression | None = None
    mean: Mean | None = None
    holdout: Holdout | None = None
    group: str = ""


@dataclass(frozen=True)
class MeasuredObservations:
    """Values from a CSV or NPZ file, or from memory; `noise` is what is assumed of them.

    `of`, `quantity` and `mean` as for synthetic ones.
    """

    of: str
    file: Path | InMemoryTable
    noise: Noise | None = None
    quantity: Expression | None = None
    mean: Mean | None = None
    holdout: Holdout | None = None
    table: Table = field(default_factory=lambda: Table({}))
    group: str = ""


StatedObservations = SyntheticObservations | MeasuredObservations


def label_of(observations: StatedObservations) -> str:
    """Return what was observed: the field, the formula, or ``mean of u over x``."""
    mean = observations.mean
    return observations.of if mean is None else f"mean of {observations.of} {mean}"


@dataclass(frozen=True)
class Event:
    """What happens at instants: amounts that are added to fields, and values that they are set to.

    Amounts are formulas in constants, coefficients, axes and the fields before the event; what is
    set goes first. A field's value at the time of an event is the one after it.
    """

    times: tuple[float, ...]
    add: dict[str, Expression]
    set: dict[str, Expression]

    def __str__(self) -> str:
        changes = [f"{name} is set to {to_text(amount)}" for name, amount in self.set.items()]
        changes += [f"{to_text(amount)} is added to {name}" for name, amount in self.add.items()]
        return f"at t = {', '.join(f'{t:g}' for t in self.times)}: {', '.join(changes)}"


REDUCTIONS = ("mean", "max", "min", "integral")


@dataclass(frozen=True)
class Derived:
    """A quantity of interest: a formula in what is found, read at a place or reduced over axes.

    Attributes:
        name: of it.
        text: as stated, ``mean(C, t) at x = 0``.
        expression: the formula inside, in fields, derivatives, axes and coefficients.
        reduction: one of `REDUCTIONS`, or empty.
        over: the axes that are reduced over; of others it is a function, unless `at` fixes them.
        at: where the other axes are held.
    """

    name: str
    text: str
    expression: Expression
    reduction: str = ""
    over: tuple[str, ...] = ()
    at: tuple[Plane, ...] = ()


@dataclass(frozen=True)
class Truth:
    """The answer to judge by; never seen in training.

    Exactly one of: `fields` (an expression of the axes for each unknown), `solver` with the exact
    initial data in `clean` (keys such as ``u`` and ``u_t``: expressions at t = 0), `file`.
    `constants` holds true values of estimated coefficients.
    """

    fields: dict[str, Expression] = field(default_factory=dict)
    solver: Literal["finite-difference", "spectral", "cole-hopf", "runge-kutta"] | None = None
    clean: dict[str, Expression] = field(default_factory=dict)
    file: Path | None = None
    constants: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Statement:
    """What a problem states.

    Of several `experiments`, which are kept as they were stated, with the coefficients that `each`
    has of its own, everything else is that of all together (`statement.experiments`).
    Of several `candidates`, each of them whole, everything else is that of the first. Coefficients
    that are `optional` may be zero: which are is asked of the data.
    `domain` maps axis names to (low, high) in the order in which arrays hold them. `equations` and
    `conditions` may name the `fluxes` that stand for brackets of theirs; their texts do not.
    With a `geometry`, the domain is a box around it and everything holds inside it only. Every
    array of points in the package has shape (points, axes) with columns in that order.
    """

    name: str
    domain: dict[str, tuple[float, float]]
    unknowns: tuple[str, ...]
    equations: tuple[Equation, ...]
    conditions: tuple[Condition, ...] = ()
    periodic: tuple[str, ...] = ()
    observations: tuple[StatedObservations, ...] = ()
    constants: dict[str, float] = field(default_factory=dict)
    coefficients: tuple[Coefficient, ...] = ()
    coefficient_fields: tuple[CoefficientField, ...] = ()
    field_functions: tuple[FieldFunction, ...] = ()
    truth: Truth | None = None
    solve: SolveOptions = field(default_factory=SolveOptions)
    geometry: Geometry | None = None
    title: str = ""
    description: str = ""
    source: str = ""
    units: dict[str, str] = field(default_factory=dict)
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict, compare=False)
    fluxes: tuple[Flux, ...] = ()
    derived: tuple[Derived, ...] = ()
    events: tuple[Event, ...] = ()
    spreads: tuple[Spread, ...] = ()
    experiments: Mapping[str, Statement] = field(default_factory=dict)
    candidates: Mapping[str, Statement] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    each: Mapping[str, bool] = field(default_factory=dict)
    inputs: tuple[Input, ...] = ()
    clock: Clock | None = None
    sizes: dict[str, float] = field(default_factory=dict)
    guesses: dict[str, Expression] = field(default_factory=dict)
    coordinates: dict[str, str] = field(default_factory=dict)
    positive: tuple[str, ...] = ()
    conserved: tuple[Conserved, ...] = ()

    @property
    def axes(self) -> tuple[str, ...]:
        """Axis names in order."""
        return tuple(self.domain)

    @property
    def space_axes(self) -> tuple[str, ...]:
        """Axis names without time."""
        return tuple(a for a in self.domain if a != "t")

    @property
    def has_time(self) -> bool:
        """Whether one axis is time."""
        return "t" in self.domain

    @property
    def normal(self) -> tuple[str, ...]:
        """Names of the components of the outward unit normal, ``n_x`` …; none for a box."""
        return tuple(f"n_{axis}" for axis in self.space_axes) if self.geometry else ()

    @property
    def beyond_networks(self) -> str:
        """What of the problem only a fit through a solver follows, in words; empty if nothing."""
        if self.events:
            return "fields jump at events"
        if self.spreads:
            return "coefficients spread between experiments"
        return "a function of a field is unknown" if self.field_functions else ""

    @property
    def shown_coefficients(self) -> tuple[Coefficient, ...]:
        """The coefficients that were stated: all but the weights of functions, which come last."""
        hidden = sum(len(function.weights) for function in self.field_functions)
        return self.coefficients[: len(self.coefficients) - hidden]

    @property
    def hidden(self) -> tuple[str, ...]:
        """Names of the fluxes: fields that are solved for and never shown."""
        return tuple(flux.name for flux in self.fluxes)

    @property
    def solved_fields(self) -> tuple[str, ...]:
        """The unknowns, then the fluxes."""
        return (*self.unknowns, *self.hidden)

    @property
    def solved_equations(self) -> tuple[Equation, ...]:
        """The equations that were stated, then those that define the fluxes."""
        return (*self.equations, *(flux.equation for flux in self.fluxes))

    @property
    def solved_residuals(self) -> tuple[Expression, ...]:
        """The residuals of those equations, then those of the conditions."""
        equations = (equation.residual for equation in self.solved_equations)
        return (*equations, *(condition.residual for condition in self.conditions))

    @property
    def outputs(self) -> tuple[str, ...]:
        """What a network gives: unknowns, fluxes, then the coefficients that vary with the axes."""
        return (*self.solved_fields, *(f.name for f in self.coefficient_fields))

    @property
    def shown_outputs(self) -> tuple[str, ...]:
        """The outputs that results show: all but the fluxes."""
        return (*self.unknowns, *(f.name for f in self.coefficient_fields))

    def derivatives(self, expression: Expression) -> dict[str, Derivative]:
        """Return the outputs and derivatives that an expression names, in order of their place."""
        found = {}
        for name, _ in sorted(names(expression).items(), key=lambda item: item[1]):
            derivative = parse_derivative(name, self.outputs, self.axes)
            if derivative is not None:
                found[name] = derivative
        return found

    def data_files(self) -> list[Path | InMemoryTable]:
        """Return every file or table that holds data, each once, in the order of the statement."""
        files: list[Path | InMemoryTable] = [given.file for given in self.inputs]
        for observed in self.observations:
            if isinstance(observed, MeasuredObservations):
                files.append(observed.file)
            if observed.holdout is not None and observed.holdout.file is not None:
                files.append(observed.holdout.file)
        if self.truth is not None and self.truth.file is not None:
            files.append(self.truth.file)
        return list(dict.fromkeys(files))

    def true_coefficients(self) -> dict[str, float]:
        """Return the true values of the estimated coefficients that are known."""
        given = dict(self.truth.constants) if self.truth else {}
        own = {c.name: c.truth for c in self.coefficients if c.truth is not None}
        return given | own


def has_true_coefficients(statement: Statement) -> bool:
    """Whether the true values of all estimated coefficients are known."""
    known = statement.true_coefficients()
    return all(c.name in known for c in statement.coefficients)


def is_before_events(statement: Statement, condition: Condition) -> bool:
    """Whether an event at the initial time hides an initial condition: nobody sees it then."""
    if not statement.events or not statement.has_time:
        return False
    start = statement.domain["t"][0]
    is_initial = condition.where == Plane("t", start)
    return is_initial and any(start in event.times for event in statement.events)
