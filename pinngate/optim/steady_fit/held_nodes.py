"""Nodes on sides where a condition gives the field: their rows, and the derivatives of these.

Where two sides meet, the condition that was stated first holds. Below `element_system`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.expression import ZERO, Expression, Number, differentiate, evaluate, names
from pinngate.optim.steady_fit.element_grid import ElementGrid
from pinngate.optim.steady_fit.placed_values import PlacedValues, Values
from pinngate.optim.steady_fit.weak_form import SteadyForm

Array = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class _Held:
    """A condition with its nodes, their rows and places (n, axes), and slopes by name."""

    formula: Expression
    slopes: dict[str, Expression]
    nodes: Indices
    rows: Indices
    points: Array


class HeldNodes:
    """The nodes whose field a condition gives.

    Args:
        form: the sides.
        grid: the nodes.
        places: where names of unknown numbers are found.

    Attributes:
        rows: which rows are those of conditions, (N + 1,); the last one is none.
    """

    def __init__(self, form: SteadyForm, grid: ElementGrid, places: PlacedValues) -> None:
        self.problem, self.places = form.problem, places
        self._count = count = len(form.problem.unknowns)
        self.rows = np.zeros(grid.size * count + 1, dtype=bool)
        self._held: list[_Held] = []
        for side in form.sides:
            if side.value is None:
                continue
            nodes = grid.nodes_on(side.axis, side.end)
            nodes = nodes[~self.rows[nodes * count + side.field]]
            rows = nodes * count + side.field
            self.rows[rows] = True
            found = {name: differentiate(side.value, name) for name in names(side.value)}
            slopes = {name: slope for name, slope in found.items() if slope != ZERO}
            self._held.append(_Held(side.value, slopes, nodes, rows, grid.points[nodes]))

    def _at(self, held: _Held, formula: Expression, state: Array, at: Values) -> Array:
        """Return a formula on the nodes, (n,)."""
        if isinstance(formula, Number):
            return np.broadcast_to(formula.value, held.nodes.shape)
        known: dict[str, Any] = {**self.problem.constants, **self.places.everywhere(at)}
        known |= dict(zip(self.problem.axes, held.points.T, strict=True))
        for k, field in enumerate(self.problem.unknowns):
            known[field] = state[k :: self._count][held.nodes]
        found = np.asarray(evaluate(formula, known, np), dtype=float)
        return np.broadcast_to(found, held.nodes.shape)

    def residuals(self, state: Array, at: Values) -> Iterator[tuple[Indices, Array]]:
        """Yield rows and residuals of the conditions."""
        for held in self._held:
            yield held.rows, self._at(held, held.formula, state, at)

    def by_state(self, state: Array, at: Values) -> Iterator[tuple[Indices, Indices, Array]]:
        """Yield rows, unknown numbers and the derivatives of ones by the others."""
        for held in self._held:
            for k, field in enumerate(self.problem.unknowns):
                if field in held.slopes:
                    values = self._at(held, held.slopes[field], state, at)
                    yield held.rows, held.nodes * self._count + k, values

    def along_parameters(
        self, state: Array, at: Values
    ) -> Iterator[tuple[Indices, Indices, Array]]:
        """Yield rows (n, 1), entries of θ (n,) and derivatives (n, 1)."""
        for held in self._held:
            for name in held.slopes.keys() & self.places.columns.keys():
                columns = self.places.columns[name][:1].repeat(len(held.rows))
                values = self._at(held, held.slopes[name], state, at) * at.slopes[columns]
                yield held.rows[:, None], columns, values[:, None]


__all__ = ["HeldNodes"]
