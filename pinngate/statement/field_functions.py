"""Unknown functions of fields, ``D(u)``: what stands for them in formulas, and their range.

A function f of a field, or of two or of a field and an axis, is what a coefficient field is
(`coefficient_fields`), with a spline S of these as its free variable, see `free_variables`. The
weights of S are coefficients of the problem that start at zero and that no result shows; how rough
S is, `data.priors` measures. Below the checks; `placed_functions` says on which range S lives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pinngate.errors import ExpressionError
from pinngate.expression import (
    Applied,
    Expression,
    Name,
    OwnFunction,
    names,
    parts,
    substitute,
    transformed,
)
from pinngate.statement.coordinates import LAPLACIAN, stands_for_laplacian
from pinngate.statement.free_variables import value_of
from pinngate.statement.unknown_quantities import Coefficient, FieldFunction

Functions = Mapping[str, Callable[..., Any]]


def weights_of(functions: Iterable[FieldFunction]) -> tuple[Coefficient, ...]:
    """Return the coefficients that stand for functions of fields."""
    return tuple(Coefficient(name, 0.0) for f in functions for name in f.weights)


def callable_in(functions: Functions, own: Iterable[FieldFunction]) -> Functions:
    """Return what formulas may call: the Laplacian, `functions`, and those of fields."""
    fields: Functions = {f.name: _STANDING[len(f.over)] for f in own}
    return {LAPLACIAN: stands_for_laplacian, **functions, **fields}


def _at_one_place(place: Any) -> Any:
    """Stand for a function of a field while its formula is parsed."""
    return place


def _at_two_places(place: Any, _: Any) -> Any:
    """Stand for a function of two arguments."""
    return place


_STANDING: Mapping[int, Callable[..., Any]] = {1: _at_one_place, 2: _at_two_places}


def as_typed(expression: Expression, functions: Iterable[FieldFunction]) -> Expression:
    """Return what `written` does of a formula that was typed.

    Raises:
        ExpressionError: a function of a field stands at anything but its own arguments.
    """
    by_name = {f.name: f for f in functions}
    for part in parts(expression):
        match part:
            case Applied(OwnFunction(name), places) if name in by_name:
                _refuse_elsewhere(by_name[name], places)
    return written(expression, by_name.values())


def _refuse_elsewhere(function: FieldFunction, places: Sequence[Expression]) -> None:
    """Refuse a call at anything but its own arguments, in their order."""
    for over, place in zip(function.over, places, strict=True):
        if place != Name(over):
            raise ExpressionError(
                f"'{function.name}' is estimated as a function of {' and '.join(function.over)}",
                expected=function.call,
                offset=min(names(place).values(), default=0),
            )


def written(expression: Expression, functions: Iterable[FieldFunction]) -> Expression:
    """Return a parsed formula with weights and splines in place of functions of fields."""
    by_name = {f.name: f for f in functions}

    def change(part: Expression) -> Expression:
        match part:
            case Applied(OwnFunction(name), places) if name in by_name:
                return value_at(by_name[name], *places)
        return part

    return transformed(expression, change) if by_name else expression


def value_at(function: FieldFunction, *places: Expression) -> Expression:
    """Return a function of a field at an expression for each of its arguments."""
    arguments = (*map(Name, function.weights), *places)
    return substitute(value_of(function), {function.name: Applied(function.spline, arguments)})


__all__ = ["as_typed", "callable_in", "value_at", "weights_of", "written"]
