"""Unknown functions of fields in a whole problem: where they stand, their range, their truth.

Above `field_functions`, which writes them into formulas. The range of a spline is known only where
the data are; the truth takes its place where a reference is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pinngate.expression import (
    Applied,
    Expression,
    UnknownSpline,
    differentiate,
    parts,
    substitute,
    transformed,
)
from pinngate.statement.components import Statement
from pinngate.statement.equations import Condition, Equation, Flux
from pinngate.statement.field_functions import weights_of
from pinngate.statement.free_variables import free_variable
from pinngate.statement.problem import Problem, changed
from pinngate.statement.unknown_quantities import FieldFunction

Ranges = tuple[tuple[float, float], ...]


def places_of(statement: Statement, name: str) -> tuple[tuple[Expression, ...], ...]:
    """Return at what a function stands in the equations: its arguments, of each experiment."""
    found = (part for residual in statement.solved_residuals for part in parts(residual))
    return tuple(dict.fromkeys(place for part in found for place in _places(part, name)))


def _places(part: Expression, name: str) -> Iterator[tuple[Expression, ...]]:
    """Yield the arguments of a function where a part of a formula is one."""
    match part:
        case Applied(UnknownSpline(name=own) as spline, arguments) if own == name:
            yield arguments[spline.count :]


def placed(problem: Problem, ranges: Mapping[str, Ranges]) -> Problem:
    """Return the problem with its functions of fields on these ranges, by their names."""
    functions = tuple(replace(f, ranges=ranges[f.name]) for f in problem.field_functions)
    splines = {f.name: f.spline for f in functions}

    def change(part: Expression) -> Expression:
        if isinstance(part, Applied) and isinstance(part.function, UnknownSpline):
            return replace(part, function=splines[part.function.name])
        return part

    return changed(_changed_formulas(problem, change), field_functions=functions)


def with_true_functions(problem: Problem) -> Problem:
    """Return the problem whose functions of fields are known, as far as their truth is stated."""
    known = {f.name: f for f in problem.field_functions if f.truth is not None}

    def change(part: Expression) -> Expression:
        match part:
            case Applied(UnknownSpline(name=name) as own, arguments, by) if name in known:
                return _true_spline(known[name], arguments[own.count :], own.orders(by))
        return part

    return _without(_changed_formulas(problem, change), known)


def _without(problem: Problem, known: Container[str]) -> Problem:
    """Return a problem without functions that no formula calls, by their names."""
    left = tuple(f for f in problem.field_functions if f.name not in known)
    return changed(
        problem,
        field_functions=left,
        coefficients=(*problem.shown_coefficients, *weights_of(left)),
    )


def _true_spline(
    function: FieldFunction, places: Sequence[Expression], orders: Sequence[int]
) -> Expression:
    """Return a derivative of what the spline of a function truly is, at its places."""
    found = free_variable(function)
    for over, order in zip(function.over, orders, strict=True):
        for _ in range(order):
            found = differentiate(found, over)
    return substitute(found, dict(zip(function.over, places, strict=True)))


def _changed_formulas(problem: Problem, change: Callable[[Expression], Expression]) -> Problem:
    """Return a problem with every part of its formulas changed, from the inside out."""

    def residual(stated: Equation | Condition) -> Any:
        return replace(stated, residual=transformed(stated.residual, change))

    def amounts(stated: Mapping[str, Expression]) -> dict[str, Expression]:
        return {name: transformed(amount, change) for name, amount in stated.items()}

    def flux(stated: Flux) -> Flux:
        return replace(stated, inside=transformed(stated.inside, change))

    def observed(stated: Any) -> Any:
        seen = stated.quantity
        return stated if seen is None else replace(stated, quantity=transformed(seen, change))

    return changed(
        problem,
        equations=tuple(map(residual, problem.equations)),
        conditions=tuple(map(residual, problem.conditions)),
        fluxes=tuple(map(flux, problem.fluxes)),
        observations=tuple(map(observed, problem.observations)),
        events=tuple(replace(e, add=amounts(e.add), set=amounts(e.set)) for e in problem.events),
        derived=tuple(
            replace(d, expression=transformed(d.expression, change)) for d in problem.derived
        ),
    )


__all__ = [
    "placed",
    "places_of",
    "with_true_functions",
]
