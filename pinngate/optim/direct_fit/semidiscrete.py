"""The rows of a problem on nodes: residuals of states and rates, and their exact derivatives.

Between `marching_form` and `radau_march`. All nodes and stages are evaluated together. Jacobians
and tangents are those of the discrete equations, by the chain rule through the differences of
brackets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from pinngate.optim.direct_fit.marching_form import MarchingForm, Row
from pinngate.optim.direct_fit.opened_brackets import Bracket
from pinngate.optim.direct_fit.placed_formulas import (
    Formula,
    Parameters,
    PlacedFormulas,
    Values,
)
from pinngate.optim.direct_fit.switching import SWITCH
from pinngate.reference.stencils import Line

Array = NDArray[np.float64]
Indices = NDArray[np.intp]
Entries = tuple[Indices, Indices]
Known = Mapping[str, Any]


@dataclass(frozen=True)
class _Difference:
    """∂x^order of a bracket at the places of a row: (m, width) places inside, and weights."""

    inside: Formula
    index: Indices
    weights: Array
    matrix: scipy.sparse.csr_array

    @cached_property
    def chained(self) -> dict[str, tuple[Indices, Array]]:
        """Columns and weights (m, width, width of the sample) of both differences, by name."""
        return {
            name: (
                sampled.columns[self.index],
                self.weights[:, :, None] * sampled.weights[self.index],
            )
            for name, sampled in self.inside.samples.items()
        }


@dataclass(frozen=True)
class _PlacedRow:
    """A row with the numbers (m,) of the unknowns that it stands for."""

    formula: Formula
    numbers: Indices
    differences: Mapping[str, _Difference]


@dataclass(frozen=True)
class Linear:
    """Residuals (N, s), entries of ∂R/∂U and ∂R/∂U' (entries, s), and ∂R/∂θ (N, s, P) if wanted."""

    residual: Array
    by_state: Array
    by_rate: Array
    by_parameter: Array | None


class SemiDiscrete:
    """R(t, U, U', θ) = 0 on nodes.

    Unknown (node i, state k) has the number position(i)·S + k, where positions keep neighbours near
    each other: those of a periodic axis are folded, 0, n − 1, 1, n − 2 …

    Args:
        form: the rows.
        line: nodes of the space axis; one node for ordinary differential equations.
        parameters: what is unknown.
        accuracy: order of the differences, 2 or 4.

    Attributes:
        numbers: of every state at every node, (S, n).
        state_entries: rows and columns of `Linear.by_state`, sorted by row.
        rate_entries: those of `Linear.by_rate`.
        sides: of every switch, ±1, by its name; whoever marches moves them.
    """

    def __init__(
        self, form: MarchingForm, line: Line, parameters: Parameters, accuracy: int
    ) -> None:
        self.form, self.line, self._parameters = form, line, parameters
        self.num_states, n = len(form.states.all), len(line.nodes)
        folded = np.minimum(2 * np.arange(n), 2 * np.arange(n)[::-1] + 1)
        position = np.arange(n) if line.period is None else folded
        self.numbers = position * self.num_states + np.arange(self.num_states)[:, None]
        self.sides = {f"{SWITCH}{k}": 1.0 for k in range(len(form.switches))}
        self._formulas = PlacedFormulas(
            form.states,
            line,
            self.numbers,
            parameters,
            form.problem.constants,
            self.sides,
            accuracy,
        )
        self._middles = Line(_middles(line), line.period)
        self._insides = {name: self._inside(b) for name, b in form.brackets.items()}
        self._rows = list(self._placed_rows())
        entries = [self._sorted(self._entries(is_rate)) for is_rate in (False, True)]
        (self._state_order, self.state_entries), (self._rate_order, self.rate_entries) = entries

    @property
    def size(self) -> int:
        """N, unknowns."""
        return self.numbers.size

    def linearised(
        self, t: Array, states: Array, rates: Array, *, with_parameters: bool = False
    ) -> Linear:
        """Return residuals and derivatives.

        Args:
            t: times (s,).
            states: U (N, s).
            rates: U' (N, s).
            with_parameters: whether ∂R/∂θ is wanted.

        Cost: a pass through every formula and each of its slopes, on arrays (n, s).
        """
        samples = self._formulas.sampled(states, rates)
        inside = {
            name: f.at(self._formulas.known(f, samples, t), len(t), with_parameters=with_parameters)
            for name, f in self._insides.items()
        }
        residual = np.zeros(states.shape)
        slopes = np.zeros((*states.shape, self._parameters.count)) if with_parameters else None
        by_state: list[Array] = [np.empty((0, len(t)))]
        by_rate: list[Array] = [np.empty((0, len(t)))]
        for row in self._rows:
            known = self._formulas.known(row.formula, samples, t)
            known |= {name: d.matrix @ inside[name].value for name, d in row.differences.items()}
            found = row.formula.at(known, len(t), with_parameters=with_parameters)
            residual[row.numbers] = found.value
            for is_rate, values in self._values(row, found, inside):
                (by_rate if is_rate else by_state).append(values)
            if slopes is not None:
                self._add_parameters(slopes, row, found, inside, t)
        state_values, rate_values = np.concatenate(by_state), np.concatenate(by_rate)
        return Linear(
            residual, state_values[self._state_order], rate_values[self._rate_order], slopes
        )

    def residual(self, t: Array, states: Array, rates: Array) -> Array:
        """Return the residuals of `linearised` alone, (N, s)."""
        samples = self._formulas.sampled(states, rates)
        inside = {
            name: f.value(self._formulas.known(f, samples, t), len(t))
            for name, f in self._insides.items()
        }
        residual = np.zeros(states.shape)
        for row in self._rows:
            known = self._formulas.known(row.formula, samples, t)
            known |= {name: d.matrix @ inside[name] for name, d in row.differences.items()}
            residual[row.numbers] = row.formula.value(known, len(t))
        return residual

    def _values(
        self, row: _PlacedRow, found: Values, inside: Mapping[str, Values]
    ) -> Iterator[tuple[bool, Array]]:
        """Yield entries (…, s) of a row's Jacobian, in the order of `_entries`."""
        for name, c in found.in_samples.items():
            sampled = row.formula.samples[name]
            yield sampled.is_rate, sampled.entries(c)
        for outer, c in found.in_brackets.items():
            difference = row.differences[outer]
            for name, slope in inside[outer].in_samples.items():
                _, weights = difference.chained[name]
                d = slope[difference.index]
                product = c[:, None, None] * d[:, :, None] * weights[..., None]
                yield False, product.reshape(-1, c.shape[1])

    def _entries(self, is_rate: bool) -> Iterator[Entries]:
        """Yield numbers of rows and columns of the Jacobian's entries."""
        for row in self._rows:
            for name in row.formula.in_samples:
                sampled = row.formula.samples[name]
                if sampled.is_rate == is_rate:
                    yield _spread(row.numbers, sampled.columns)
            for outer in row.formula.in_brackets if not is_rate else ():
                difference = row.differences[outer]
                for name in difference.inside.in_samples:
                    columns, _ = difference.chained[name]
                    yield _spread(row.numbers, columns)

    @staticmethod
    def _sorted(entries: Iterator[Entries]) -> tuple[Indices, Entries]:
        """Return the order that sorts entries by row, and the entries in it."""
        nothing = np.empty(0, np.intp)
        rows, columns = (np.concatenate(a) for a in zip((nothing, nothing), *entries, strict=True))
        order = np.argsort(rows, kind="stable")
        return order, (rows[order], columns[order])

    def _add_parameters(
        self, slopes: Array, row: _PlacedRow, found: Values, inside: Mapping[str, Values], t: Array
    ) -> None:
        """Add a row's slopes in θ, those through its brackets too, to (N, s, P)."""
        for name, slope in found.in_parameters.items():
            part, basis = self._varied(row.formula, name, found.known, t)
            slopes[row.numbers, :, part] += slope[..., None] * basis
        for outer, c in found.in_brackets.items():
            difference = row.differences[outer]
            for name, slope in inside[outer].in_parameters.items():
                part, basis = self._varied(difference.inside, name, inside[outer].known, t)
                varied = slope[..., None] * basis
                differed = difference.matrix @ varied.reshape(len(varied), -1)
                slopes[row.numbers, :, part] += c[..., None] * differed.reshape(*c.shape, -1)

    def _varied(self, formula: Formula, name: str, known: Known, t: Array) -> tuple[slice, Array]:
        """Return a part of θ and ∂(a name)/∂ it, (m or 1, s or 1, k)."""
        spline = formula.splines.get(name)
        if spline is not None:
            return spline.part, spline.slopes(known)
        return self._parameters.slopes(name, t, formula.places)

    def _inside(self, bracket: Bracket) -> Formula:
        places = self._middles.nodes if bracket.is_staggered else self.line.nodes
        return self._formulas.make(bracket.inside, places, is_staggered=bracket.is_staggered)

    def _placed_rows(self) -> Iterator[_PlacedRow]:
        last = len(self.line.nodes) - 1
        taken: list[list[int]] = [[] for _ in range(self.num_states)]
        for row in self.form.rows:
            if row.end is not None:
                node = last - row.layer if row.end else row.layer
                taken[row.state].append(node)
                yield self._place(row, np.array([last * row.end]), np.array([node]))
        for row in self.form.rows:
            if row.end is None:
                free = np.setdiff1d(np.arange(last + 1), taken[row.state])
                yield self._place(row, free, free)

    def _place(self, row: Row, at: Indices, nodes: Indices) -> _PlacedRow:
        places = self.line.nodes[at]
        formula = self._formulas.make(row.residual, places, is_staggered=False)
        found = {name: self._difference(name, places) for name in formula.in_brackets}
        return _PlacedRow(formula, self.numbers[row.state][nodes], found)

    def _difference(self, name: str, places: Array) -> _Difference:
        bracket = self.form.brackets[name]
        line = self._middles if bracket.is_staggered else self.line
        index, weights = self._formulas.differences(
            line, places, bracket.order, is_staggered=bracket.is_staggered
        )
        starts = np.arange(len(places) + 1) * index.shape[1]
        shape = (len(places), len(line.nodes))
        matrix = scipy.sparse.csr_array((weights.ravel(), index.ravel(), starts), shape=shape)
        return _Difference(self._insides[name], index, weights, matrix)


def _middles(line: Line) -> Array:
    middles = (line.nodes[1:] + line.nodes[:-1]) / 2
    if line.period is None:
        return middles
    return np.append(middles, (line.nodes[-1] + line.nodes[0] + line.period) / 2)


def _spread(rows: Indices, columns: Indices) -> Entries:
    """Return rows (m,) beside columns (m, …), both flat."""
    return np.repeat(rows, columns[0].size if len(columns) else 0), columns.ravel()
