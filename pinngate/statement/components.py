"""A checked problem as it is stated: the `Statement`, its inputs, events, answers and truth.

The checks make a `Statement` of them, from a problem file or from Python arguments alike, and
`problem.Problem` is what users and the rest of the package hold. Everything here is immutable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pinngate.expression import Applied, Expression, Name, Tabulated, names
from pinngate.expression.printing import to_text
from pinngate.statement.derivatives import Derivative, parse_derivative
from pinngate.statement.equations import Condition, Conserved, Equation, Flux, Plane
from pinngate.statement.measurement import Table
from pinngate.statement.options import SolveOptions
from pinngate.statement.shapes import Geometry
from pinngate.statement.stated_observations import MeasuredObservations, StatedObservations
from pinngate.statement.unknown_quantities import (
    Coefficient,
    CoefficientField,
    FieldFunction,
    Pieces,
    Spread,
)
from pinngate.tables.clock import Clock
from pinngate.tables.in_memory import InMemoryTable


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
    pieces: tuple[Pieces, ...] = ()
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


def named_tables(statement: Statement) -> dict[str, Applied]:
    """Return what stands in formulas for inputs and for coefficients on pieces, by their names."""
    inputs = {given.name: given.expression for given in statement.inputs}
    return inputs | {own.name: own.expression for own in statement.pieces}


def single_coefficients(statement: Statement) -> tuple[Coefficient, ...]:
    """Return the coefficients that were stated one by one: not the values of pieces."""
    members = {name for own in statement.pieces for name in own.members}
    return tuple(c for c in statement.shown_coefficients if c.name not in members)


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
