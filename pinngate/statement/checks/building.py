"""From a tree that fits the schema to a `Statement`: everything that takes several keys to judge.

The last stage of the checks. Names are declared in the order axes, constants, unknowns, inputs,
coefficients; then equations, conditions and observations are read, each section by the module that
is named for it; `wellposedness` decides whether anything determines the fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pinngate.errors import InputError, Span, nearest
from pinngate.expression import Expression, names
from pinngate.expression.parser import NONE, Functions
from pinngate.statement.checks.amounts import refuse_large
from pinngate.statement.checks.called_fields import check_delays
from pinngate.statement.checks.condition_sections import build_conditions
from pinngate.statement.checks.conserved_section import build_conserved
from pinngate.statement.checks.declarations import declare_names
from pinngate.statement.checks.derived_section import build_derived
from pinngate.statement.checks.estimate_section import build_estimate
from pinngate.statement.checks.event_sections import build_events
from pinngate.statement.checks.geometry_section import build_geometry
from pinngate.statement.checks.input_sections import build_inputs
from pinngate.statement.checks.observation_sections import build_observations
from pinngate.statement.checks.pieces_section import members_of
from pinngate.statement.checks.regular_centre import with_regular_centre
from pinngate.statement.checks.schema import ObservationSection, ProblemFile
from pinngate.statement.checks.scope import Scope
from pinngate.statement.checks.solve_section import build_solve
from pinngate.statement.checks.source import Source
from pinngate.statement.checks.truth_section import build_truth, field_truths
from pinngate.statement.checks.wellposedness import require_determined
from pinngate.statement.components import Event, Statement, Truth
from pinngate.statement.equations import Equation
from pinngate.statement.field_functions import weights_of


def build(
    source: Source, file: ProblemFile, folder: Path, functions: Functions = NONE
) -> tuple[Statement, dict[Path, Span]]:
    """Make a statement, and for each data file that it names the place where it does.

    Args:
        source: the tree and its places.
        file: the tree as the schema reads it.
        folder: where relative paths start.
        functions: of the caller's own that formulas call.

    Raises:
        InputError: the statement contradicts itself.
    """
    refuse_large(source, file)
    declare_names(scope := Scope(source, folder, functions=functions), file)
    inputs = build_inputs(scope, file.inputs)
    geometry = build_geometry(scope, file.geometry)
    estimated = build_estimate(scope, file.estimate)
    equations = _equations(scope, file.equations)
    stated, periodic = build_conditions(scope, file.conditions, geometry)
    conditions = with_regular_centre(scope, equations, stated)
    conserved = build_conserved(scope, file.conditions)
    observations = build_observations(scope, file.observations)
    events = build_events(scope, file.events)
    residuals = [item.residual for item in equations] + [item.residual for item in conditions]
    residuals += [item.quantity for item in observations if item.quantity is not None]
    residuals += [*(f.inside for f in scope.fluxes), *(c.residual for c in conserved)]
    _require_used(scope, [*residuals, *_amounts(events)])
    truth = build_truth(scope, file, estimated.numbers, equations)
    fields = field_truths(scope, file, estimated.numbers, estimated.fields, truth)
    of_fields = field_truths(scope, file, estimated.numbers, estimated.functions, truth)
    pieces = field_truths(scope, file, estimated.numbers, estimated.pieces, truth)
    truth = None if truth == Truth() else truth  # coefficient fields know theirs themselves
    _require_truth(scope, file.observations, truth)
    _refuse_solver(scope, truth, has_geometry=geometry is not None, has_events=bool(events))
    statement = Statement(
        name=file.name,
        domain=scope.domain,
        unknowns=scope.unknowns,
        equations=equations,
        conditions=conditions,
        periodic=periodic,
        observations=observations,
        constants=dict(scope.constants),
        coefficients=(*estimated.numbers, *members_of(scope, pieces), *weights_of(of_fields)),
        coefficient_fields=fields,
        field_functions=of_fields,
        pieces=pieces,
        truth=truth,
        solve=build_solve(scope.source, file.solve),
        geometry=geometry,
        title=" ".join(file.title.split()),
        description=file.description.strip(),
        source=file.source.strip(),
        units=_units(scope, file.units, file.derived),
        functions=dict(scope.functions),
        fluxes=tuple(scope.fluxes),
        derived=build_derived(scope, file.derived),
        events=events,
        inputs=inputs,
        clock=scope.clock,
        sizes=dict(scope.sizes),
        guesses=dict(scope.guesses),
        coordinates=dict(scope.kinds),
        positive=scope.positive,
        conserved=conserved,
    )
    _check_whole(scope, statement)
    return statement, scope.files


def _check_whole(scope: Scope, statement: Statement) -> None:
    """Refuse delays beside what they cannot stand beside, and fields that nothing determines."""
    check_delays(scope, statement)
    if not statement.observations:
        require_determined(scope.source, statement)


def _amounts(events: Iterable[Event]) -> list[Expression]:
    return [a for event in events for a in (*event.add.values(), *event.set.values())]


def _equations(scope: Scope, texts: Sequence[str]) -> tuple[Equation, ...]:
    """Read `equations`; each unknown stands in one of them."""
    equations = tuple(
        Equation(" ".join(text.split()), scope.residual(text, ("equations", i), "an equation"))
        for i, text in enumerate(texts)
    )
    residuals = [*(item.residual for item in equations), *(flux.inside for flux in scope.fluxes)]
    found = {name for residual in residuals for name in scope.fields_in(residual)}
    for i, unknown in enumerate(scope.unknowns):
        if unknown not in found:
            raise InputError(
                f"no equation mentions the unknown '{unknown}'",
                span=_named_at(scope, unknown, i),
                expected="each unknown, or a derivative of it, in one equation at least",
            )
    return equations


def _named_at(scope: Scope, unknown: str, index: int) -> Span:
    """Return where an unknown is named: an item of a list, or a key of a mapping."""
    place = scope.unknown_place(unknown, index)
    return scope.source.key(place) if place[-1] == unknown else scope.source.span(place)


def _require_used(scope: Scope, expressions: Sequence[Expression]) -> None:
    """Refuse a coefficient that nothing could determine."""
    used: set[str] = set()
    for expression in expressions:
        used |= {*names(expression), *scope.fields_in(expression)}
    names_of = {name: name for name in (*scope.coefficients, *scope.over)}
    names_of |= {own.name: own.members[0] for own in scope.pieces}
    for name, seen in names_of.items():
        if seen not in used:
            raise _unused(scope, name)
    _require_called(scope, expressions)


def _unused(scope: Scope, name: str) -> InputError:
    return InputError(
        f"no equation or condition mentions the coefficient '{name}'",
        span=scope.source.key(("estimate", name)),
        expected="an equation that holds it, since nothing else determines it",
    )


def _require_called(scope: Scope, expressions: Sequence[Expression]) -> None:
    """Refuse a function of a field that nothing could determine."""
    used = {name for expression in expressions for name in names(expression)}
    for function in scope.field_functions:
        if function.weights[0] not in used:
            raise InputError(
                f"no equation or condition calls the function '{function.name}'",
                span=scope.source.key(("estimate", function.name)),
                expected=f"an equation that holds {function.name}({function.over[0]})",
            )


def _require_truth(
    scope: Scope, sections: Sequence[ObservationSection], truth: Truth | None
) -> None:
    """Refuse synthetic observations of what nothing states."""
    if truth is not None and (truth.fields or truth.solver or truth.file):
        return
    for i, section in enumerate(sections):
        if section.file is None:
            raise InputError(
                "a synthetic observation needs the truth, and there is none",
                span=scope.source.span(("observations", i)),
                expected="truth: with a formula for each unknown, a solver or a file",
                hint="measured values are stated with 'file'",
            )


def _refuse_solver(
    scope: Scope, truth: Truth | None, *, has_geometry: bool, has_events: bool
) -> None:
    """Refuse a computed truth inside a geometry, with events, and of brackets that hold steps."""
    obstacles = {
        "the reference solvers know no events": has_events,
        "the reference solvers know boxes only, and the problem states a geometry": has_geometry,
        "the reference solvers know no steps inside brackets that are differentiated": bool(
            scope.fluxes
        ),
    }
    if truth is None or truth.solver is None:
        return
    for what, holds in obstacles.items():
        if holds:
            raise InputError(
                what,
                span=scope.source.span(("truth", "solver")),
                expected="a formula for each unknown, or a file with values on a grid of the "
                "whole domain",
            )


def _units(scope: Scope, stated: dict[str, str], derived: Iterable[str]) -> dict[str, str]:
    """Read `units`; each belongs to an axis or to a quantity that the problem names."""
    functions = [*scope.over, *(own.name for own in scope.field_functions), *scope.tables]
    coefficients = [*scope.coefficients, *functions]
    known = [*scope.axes, *scope.unknowns, *coefficients, *scope.constants, *derived]
    for name in stated:
        if name not in known:
            raise InputError(
                f"a unit of '{name}', which is no quantity of this problem",
                span=scope.source.key(("units", name)),
                expected=f"units of {', '.join(known)}",
                hint=nearest(name, known),
            )
    return dict(stated)
