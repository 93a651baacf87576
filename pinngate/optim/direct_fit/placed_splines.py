"""Unknown functions of fields in formulas at places: each stands there as one name.

A function has a weight for every knot, and a formula that holds it one slope for each. All of them
are one slope in the value of the function times what the weights add to it, which is one array.
Below `placed_formulas`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.expression import (
    Applied,
    Expression,
    Name,
    UnknownSpline,
    evaluate,
    names,
    parts,
    transformed,
)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PlacedSpline:
    """A function, or a derivative of it, at its arguments.

    Attributes:
        function: of weights and arguments.
        weights: their values, (k,).
        part: which of the numbers that are searched for the weights are.
        size: the slope of a weight in its number.
        arguments: expressions in what formulas name.
        orders: of the derivative by each of them.
    """

    function: UnknownSpline
    weights: Array
    part: slice
    size: float
    arguments: tuple[Expression, ...]
    orders: tuple[int, ...]

    def slopes(self, known: Mapping[str, Any]) -> Array:
        """Return the slopes in the numbers that stand for the weights, (places, times, k)."""
        return self.size * self._rows(known)

    def value(self, known: Mapping[str, Any]) -> Array:
        """Return its values, (places, times)."""
        return np.asarray(self._rows(known) @ self.weights)

    def _rows(self, known: Mapping[str, Any]) -> Array:
        """Return what every weight adds to it, (places, times, k)."""
        return self.function.rows([_at(a, known) for a in self.arguments], self.orders)


def _at(argument: Expression, known: Mapping[str, Any]) -> Any:
    """Return the values of an argument, which most often is a field itself."""
    return known[argument.id] if isinstance(argument, Name) else evaluate(argument, known, np)


class PlacedSplines:
    """The functions of fields in the formulas of a problem, by the names that stand for them.

    Args:
        weight: name of a weight → its place in θ, its value and its slope there.
    """

    def __init__(self, weight: Callable[[str], tuple[int, float, float]]) -> None:
        self._weight = weight
        self._names: dict[Applied, str] = {}
        self._splines: dict[str, PlacedSpline] = {}

    def named(self, expression: Expression) -> Expression:
        """Return an expression in which names stand for functions."""

        def change(part: Expression) -> Expression:
            if not isinstance(part, Applied) or not isinstance(part.function, UnknownSpline):
                return part
            return Name(self._names.get(part) or self._entered(part, part.function))

        return transformed(expression, change)

    def _entered(self, part: Applied, function: UnknownSpline) -> str:
        name = f"function {len(self._names)}"  # no formula can hold it
        own = [self._weight(n) for a in part.arguments[: function.count] for n in names(a)]
        first, _, size = own[0]
        self._names[part] = name
        self._splines[name] = PlacedSpline(
            function,
            np.array([value for _, value, _ in own]),
            slice(first, first + function.count),
            size,
            part.arguments[function.count :],
            function.orders(part.by),
        )
        return name

    def within(self, expressions: list[Expression]) -> dict[str, PlacedSpline]:
        """Return the functions whose names stand in some expressions."""
        found = dict.fromkeys(name for e in expressions for name in names(e))
        return {name: self._splines[name] for name in found if name in self._splines}


def weights_in(expression: Expression) -> set[str]:
    """Return the names of the weights of all functions in an expression."""
    found = {p for p in parts(expression) if isinstance(p, Applied)}
    splines = [(p, p.function) for p in found if isinstance(p.function, UnknownSpline)]
    return {n for p, own in splines for a in p.arguments[: own.count] for n in names(a)}


__all__ = ["PlacedSpline", "PlacedSplines", "weights_in"]
