"""What of θ a formula names at elements: one number on each, and which entry of θ it comes from.

A coefficient is the same on all elements; a function on pieces is the number of the piece that an
element lies in. Between `element_grid` and `element_system`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinngate.optim.direct_fit.unknowns import Unknowns
from pinngate.optim.steady_fit.element_grid import ElementGrid
from pinngate.statement.components import single_coefficients
from pinngate.statement.problem import Problem

Array = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Values:
    """The coefficients at θ: all of them (K,), and their slopes in the raw numbers."""

    values: Array
    slopes: Array


def columns_at(
    problem: Problem, unknowns: Unknowns, points: Array, wanted: Collection[str]
) -> dict[str, Indices]:
    """Return which entry of θ the names of unknown numbers are at points (n, axes), (n,).

    Args:
        problem: states the pieces.
        unknowns: θ.
        points: where.
        wanted: names, of which others are left out.
    """
    names = unknowns.coefficients.names
    found = {name: np.full(len(points), k) for k, name in enumerate(names) if name in wanted}
    for own in (own for own in problem.pieces if own.name in wanted):
        places = [points[:, problem.axes.index(axis)] for axis in own.over]
        members = np.array([names.index(name) for name in own.members])
        found[own.name] = members[own.function.cells(places)[-1]]
    return found


class PlacedValues:
    """Where every name of an unknown number is found in θ, by element.

    Args:
        problem: states the pieces.
        unknowns: θ.
        grid: the elements.

    Attributes:
        names: of the numbers, in the order of θ.
        columns: entries of θ by name, (E,).
    """

    def __init__(self, problem: Problem, unknowns: Unknowns, grid: ElementGrid) -> None:
        self.names = unknowns.coefficients.names
        self._single = [c.name for c in single_coefficients(problem)]
        kept = (*self._single, *(own.name for own in problem.pieces))
        self.columns = columns_at(problem, unknowns, grid.inside.points.mean(1), kept)

    def known(self, at: Values, owners: Indices) -> Mapping[str, Array]:
        """Return the numbers of all names on elements, (E, 1)."""
        return {name: at.values[own[owners]][:, None] for name, own in self.columns.items()}

    def everywhere(self, at: Values) -> Mapping[str, float]:
        """Return the numbers that are the same on all elements."""
        return {name: float(at.values[self.columns[name][0]]) for name in self._single}


__all__ = ["PlacedValues", "Values"]
