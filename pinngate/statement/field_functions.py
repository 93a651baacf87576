"""Unknown functions of fields, ``D(u)``: what stands for them in formulas, and their range.

A function f of a field is what a coefficient field is (`coefficient_fields`), with a spline S of
the field as its free variable, see `free_variables`. The weights of S are
coefficients of the problem that start at zero and that no result shows; how rough S is,
`data.priors` measures. Below the checks; `placed_functions` says on which range S lives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
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
    fields = {f.name: _at_one_place for f in own}
    return {LAPLACIAN: stands_for_laplacian, **functions, **fields}


def _at_one_place(place: Any) -> Any:
    """Stand for a function of a field while its formula is parsed."""
    return place


def as_typed(expression: Expression, functions: Iterable[FieldFunction]) -> Expression:
    """Return what `written` does of a formula that was typed.

    Raises:
        ExpressionError: a function of a field stands at anything but that field.
    """
    functions = tuple(functions)
    over = {f.name: Name(f.over[0]) for f in functions}
    for part in parts(expression):
        match part:
            case Applied(OwnFunction(name), (place,)) if over.get(name, place) != place:
                raise ExpressionError(
                    f"'{name}' is estimated as a function of {over[name].id}",
                    expected=f"{name}({over[name].id})",
                    offset=min(names(place).values(), default=0),
                )
    return written(expression, functions)


def written(expression: Expression, functions: Iterable[FieldFunction]) -> Expression:
    """Return a parsed formula with weights and splines in place of functions of fields."""
    by_name = {f.name: f for f in functions}

    def change(part: Expression) -> Expression:
        match part:
            case Applied(OwnFunction(name), (place,)) if name in by_name:
                return value_at(by_name[name], place)
        return part

    return transformed(expression, change) if by_name else expression


def value_at(function: FieldFunction, place: Expression) -> Expression:
    """Return a function of a field at an expression."""
    arguments = (*map(Name, function.weights), place)
    return substitute(value_of(function), {function.name: Applied(function.spline, arguments)})


__all__ = ["as_typed", "callable_in", "value_at", "weights_of", "written"]
