"""Residuals of a steady problem on elements, and their exact derivatives.

The number of field f at node i is i·F + f. Rows of nodes where a field is known are those of its
condition (`held_nodes`). Between `integrands` and `steady_model`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from pinngate.expression import ZERO, evaluate
from pinngate.optim.direct_fit.marched_states import CannotMarch
from pinngate.optim.steady_fit.banded import BandFactors, BandPattern
from pinngate.optim.steady_fit.element_grid import ElementGrid, Elements
from pinngate.optim.steady_fit.held_nodes import HeldNodes
from pinngate.optim.steady_fit.integrands import Integrand
from pinngate.optim.steady_fit.placed_values import PlacedValues, Values
from pinngate.optim.steady_fit.weak_form import SteadyForm
from pinngate.statement.derivatives import Derivative, parse_derivative

Array = NDArray[np.float64]
Indices = NDArray[np.intp]
Entries = tuple[Indices, Indices, Array]
Known = Mapping[str, Any]


class ElementSystem:
    """R(U, θ) = 0 on a grid.

    Args:
        form: balances and sides.
        grid: the elements.
        places: where names of unknown numbers are found.
    """

    def __init__(self, form: SteadyForm, grid: ElementGrid, places: PlacedValues) -> None:
        self.form, self.grid, self.places = form, grid, places
        self.problem = form.problem
        self._fields = self.problem.unknowns
        self._slopes = tuple(f"_{axis}" for axis in self.problem.axes)
        self.integrands = [*self._inside(), *self._on_sides()]
        self.held = HeldNodes(form, grid, places)
        self._samplers: dict[tuple[int, Derivative], tuple[Array, scipy.sparse.csr_array]] = {}
        self._by_state = [
            (own, slope, derivative)
            for own in self.integrands
            for name, slope in own.slopes.items()
            if (derivative := parse_derivative(name, self._fields, self.problem.axes)) is not None
        ]

    @property
    def size(self) -> int:
        """Unknown numbers of all fields."""
        return self.grid.size * len(self._fields)

    def _inside(self) -> Iterator[Integrand]:
        own = self.grid.inside
        for k, balance in enumerate(self.form.balances):
            if balance.source != ZERO:
                yield Integrand(k, balance.source, 1.0, own, own.shapes)
            for axis, flux in balance.fluxes.items():
                slopes = own.slopes[self.problem.axes.index(axis)]
                yield Integrand(k, flux, -1.0, own, slopes)

    def _on_sides(self) -> Iterator[Integrand]:
        for side in self.form.sides:
            if side.flux is not None and side.flux != ZERO:
                own = self.grid.side(side.axis, side.end)
                yield Integrand(side.field, side.flux, 2.0 * side.end - 1.0, own, own.shapes)

    def _known(self, elements: Elements, state: Array, at: Values) -> dict[str, Any]:
        """Return all that formulas name at the quadrature points, (E, Q) or (E, 1)."""
        axes = self.problem.axes
        known: dict[str, Any] = {**self.problem.constants}
        known |= self.places.known(at, elements.owners)
        known |= {axis: elements.points[:, :, k] for k, axis in enumerate(axes)}
        if not state.any():
            names = (f"{field}{along}" for field in self._fields for along in ("", *self._slopes))
            return known | dict.fromkeys(names, 0.0)
        for k, field in enumerate(self._fields):
            corners = state[k :: len(self._fields)][elements.nodes]
            known[field] = corners @ elements.shapes.T
            for slopes, axis in zip(elements.slopes, axes, strict=True):
                known[f"{field}_{axis}"] = np.einsum("eqc,ec->eq", slopes, corners)
        return known

    def knowns(self, state: Array, at: Values) -> list[Known]:
        """Return what the formula of each integrand names, the same for the same elements."""
        elements = {id(own.elements): own.elements for own in self.integrands}
        made = {key: self._known(own, state, at) for key, own in elements.items()}
        return [made[id(own.elements)] for own in self.integrands]

    def _rows(self, field: int, elements: Elements) -> Indices:
        return elements.nodes * len(self._fields) + field

    def residual(self, state: Array, at: Values, knowns: Sequence[Known]) -> Array:
        """Return R, (N,)."""
        found = np.zeros(self.size)
        for own, known in zip(self.integrands, knowns, strict=True):
            integrals = own.integrated(np.asarray(evaluate(own.formula, known, np)))
            rows = self._rows(own.field, own.elements)
            found += np.bincount(rows.ravel(), integrals.ravel(), self.size)
        for rows, values in self.held.residuals(state, at):
            found[rows] = values
        return found

    def factored(self, state: Array, at: Values, knowns: Sequence[Known]) -> BandFactors | None:
        """Return the factors of ∂R/∂U, (N, N); None where it is singular or not finite."""
        of = {id(own): known for own, known in zip(self.integrands, knowns, strict=True)}
        blocks = [
            own.block(evaluate(slope, of[id(own)], np), self._basis(own.elements, derivative))
            for own, slope, derivative in self._by_state
        ]
        held = [values for _, _, values in self.held.by_state(state, at)]
        values = np.concatenate([*(block.ravel() for block in blocks), *held])
        return self._pattern.factored(values) if np.isfinite(values).all() else None

    def sampler(self, derivative: Derivative, points: Array) -> scipy.sparse.csr_array:
        """Return what takes U to a derivative of a field at points (n, axes), (n, N).

        It is kept for arrays that come again.

        Raises:
            CannotMarch: the derivative is not of the first order.
        """
        if derivative.order > 1:
            raise CannotMarch("elements give fields and their first derivatives")
        key = (id(points), derivative)
        kept = self._samplers.get(key)
        if kept is None or kept[0] is not points:
            axis = derivative.orders.index(1) if derivative.order else None
            own = self.grid.sampler(points, axis)
            column, count = self._fields.index(derivative.field), len(self._fields)
            entries = own.data, own.indices * count + column, own.indptr
            kept = points, scipy.sparse.csr_array(entries, shape=(len(points), self.size))
            if len(self._samplers) > self.size:
                self._samplers.clear()
            self._samplers[key] = kept
        return kept[1]

    def _basis(self, elements: Elements, derivative: Derivative) -> Array:
        """Return what takes corners to a derivative at the quadrature points, (…, Q, c)."""
        if not derivative.order:
            return elements.shapes
        return np.asarray(elements.slopes[derivative.orders.index(1)])

    @cached_property
    def _pattern(self) -> BandPattern:
        """Where the entries of ∂R/∂U are; rows that conditions hold have no others."""
        rows, columns = [], []
        for own, _, derivative in self._by_state:
            one = self._rows(own.field, own.elements)[:, :, None]
            other = self._rows(self._fields.index(derivative.field), own.elements)[:, None, :]
            one, other = np.broadcast_arrays(one, other)
            rows.append(np.where(self.held.rows[one], self.size, one).ravel())
            columns.append(other.ravel())
        nothing = Values(*np.ones((2, len(self.places.names))))
        for one, other, _ in self.held.by_state(np.zeros(self.size), nothing):
            rows.append(one)
            columns.append(other)
        return BandPattern(np.concatenate(rows), np.concatenate(columns), self.size)

    def along_parameters(
        self, state: Array, at: Values, knowns: Sequence[Known]
    ) -> Iterator[Entries]:
        """Yield parts of ∂R/∂θ: rows (n, c), entries of θ (n,) and values (n, c)."""
        for own, known in zip(self.integrands, knowns, strict=True):
            rows = self._rows(own.field, own.elements)
            for name in own.slopes.keys() & self.places.columns.keys():
                columns = self.places.columns[name][own.elements.owners]
                slope = np.asarray(evaluate(own.slopes[name], known, np))
                values = own.integrated(slope * at.slopes[columns][:, None])
                yield rows, columns, np.where(self.held.rows[rows], 0.0, values)
        yield from self.held.along_parameters(state, at)


__all__ = ["ElementSystem"]
