"""The rows of a problem on nodes: residuals of states and rates, and their exact derivatives.

Below `radau_march`. Everything that a row names is sampled at once by one sparse matrix, from
differences on unequal nodes (`reference.stencils`), evaluated for all nodes and stages together, and
differentiated symbolically, so that Jacobians and tangents are those of the discrete equations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from pinngate.expression import ZERO, Expression, differentiate, evaluate, names
from pinngate.optim.direct_fit.marching_form import Bracket, MarchingForm, Row, Symbol
from pinngate.reference.stencils import Line, stencil_weights

Array = NDArray[np.float64]
Indices = NDArray[np.intp]


class Parameters(Protocol):
    """What is unknown, as functions of time and place that formulas name."""

    count: int
    """P, numbers in all."""

    def values(self, name: str, t: Array, x: Array) -> Array | float | None:
        """Return a name's values (places, times), None where it is not one of them."""

    def slopes(self, name: str, t: Array, x: Array) -> tuple[slice, Array]:
        """Return which numbers it depends on and its derivatives (places or 1, times or 1, k)."""


@dataclass(frozen=True)
class _Sampled:
    """Where the samples of one name at some places stand, and the entries that made them."""

    part: slice
    row: Indices
    column: Indices
    weight: Array
    is_rate: bool


@dataclass(frozen=True)
class _Slope:
    """∂(an expression)/∂(a name), unless it is zero."""

    name: str
    expression: Expression


@dataclass(frozen=True)
class _Formula:
    """An expression at some places, with its slopes in symbols, brackets and parameters."""

    expression: Expression
    place: str
    in_symbols: tuple[_Slope, ...]
    in_brackets: tuple[_Slope, ...]
    in_parameters: tuple[_Slope, ...]


@dataclass(frozen=True)
class _Placed:
    """A row with the numbers of the unknowns that it stands for."""

    formula: _Formula
    numbers: Indices


@dataclass(frozen=True)
class Linear:
    """Residuals (N, s), entries of ∂R/∂U and ∂R/∂U' (entries, s), and ∂R/∂θ (N, s, P)."""

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
        constants: known numbers.
        accuracy: order of the differences, 2 or 4.

    Attributes:
        size: N, unknowns.
        state_entries: (rows, columns) of `Linear.by_state`, sorted by row; `rate_entries` likewise.
    """

    def __init__(
        self,
        form: MarchingForm,
        line: Line,
        parameters: Parameters,
        constants: Mapping[str, float],
        accuracy: int,
    ) -> None:
        self.form, self.line, self.parameters, self.accuracy = form, line, parameters, accuracy
        self.num_nodes, self.num_states = len(line.nodes), len(form.states)
        self.size = self.num_nodes * self.num_states
        self._constants = dict(constants)
        self._places: dict[str, Array] = {}
        self._samples: dict[tuple[str, str], _Sampled] = {}
        self._blocks: list[scipy.sparse.csr_array] = []
        self._num_samples = 0
        n = self.num_nodes
        fold = np.minimum(2 * np.arange(n), 2 * np.arange(n)[::-1] + 1)
        self.position = fold if line.period is not None else np.arange(n)
        middles = (line.nodes[1:] + line.nodes[:-1]) / 2
        if line.period is not None:
            last = (line.nodes[-1] + line.nodes[0] + line.period) / 2
            middles = np.append(middles, last)
        self._middles = Line(middles, line.period)
        self._insides = {name: self._inside(b) for name, b in form.brackets.items()}
        self._rows = self._placed_rows()
        self._sampler = scipy.sparse.csr_array(scipy.sparse.vstack(self._blocks))
        self._sort_entries()

    def numbers(self, state: int) -> Indices:
        """Return the number of a state at each node, (n,)."""
        return self.position * self.num_states + state

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
        samples = self._sampler @ np.concatenate([states, rates])
        s = len(t)
        residual = np.zeros((self.size, s))
        slopes = np.zeros((self.size, s, self.parameters.count)) if with_parameters else None
        by_symbol, by_rate = [], []
        insides = {}
        for name, formula in self._insides.items():
            known = self._known(formula, samples, t)
            insides[name] = known
        brackets = {
            name: self._values(formula, insides[name], s) for name, formula in self._insides.items()
        }
        for row in self._rows:
            formula = row.formula
            known = self._known(formula, samples, t)
            for slope in formula.in_brackets:
                known[slope.name] = self._outer[slope.name, formula.place] @ brackets[slope.name]
            for name in formula_brackets(formula) - known.keys():
                known[name] = self._outer[name, formula.place] @ brackets[name]
            residual[row.numbers] = self._values(formula, known, s)
            for slope in formula.in_symbols:
                c = self._at_places(slope.expression, known, formula.place, s)
                entries = self._samples[formula.place, slope.name]
                (by_rate if entries.is_rate else by_symbol).append(
                    c[entries.row] * entries.weight[:, None]
                )
            if slopes is not None:
                for slope in formula.in_parameters:
                    columns, basis = self.parameters.slopes(
                        slope.name, t, self._places[formula.place]
                    )
                    c = self._at_places(slope.expression, known, formula.place, s)
                    slopes[row.numbers, :, columns] += c[:, :, None] * basis
            for outer_slope in formula.in_brackets:
                c = self._at_places(outer_slope.expression, known, formula.place, s)
                inner, inside = self._insides[outer_slope.name], insides[outer_slope.name]
                for slope in inner.in_symbols:
                    d = self._at_places(slope.expression, inside, inner.place, s)
                    outer, middle, weight = self._chained[
                        outer_slope.name, formula.place, slope.name
                    ]
                    by_symbol.append(c[outer] * d[middle] * weight[:, None])
                if slopes is None:
                    continue
                for slope in inner.in_parameters:
                    columns, basis = self.parameters.slopes(
                        slope.name, t, self._places[inner.place]
                    )
                    d = self._at_places(slope.expression, inside, inner.place, s)
                    varied = d[:, :, None] * basis
                    flat = self._outer[outer_slope.name, formula.place] @ varied.reshape(
                        len(varied), -1
                    )
                    slopes[row.numbers, :, columns] += c[:, :, None] * flat.reshape(
                        len(c), s, -1
                    )
        values = np.concatenate(by_symbol) if by_symbol else np.zeros((0, s))
        rate_values = np.concatenate(by_rate) if by_rate else np.zeros((0, s))
        return Linear(residual, values[self._state_order], rate_values[self._rate_order], slopes)

    def _known(self, formula: _Formula, samples: Array, t: Array) -> dict[str, Any]:
        known: dict[str, Any] = dict(self._constants)
        x = self._places[formula.place]
        known["t"] = t[None, :]
        if self.form.axis is not None:
            known[self.form.axis] = x[:, None]
        for name in names(formula.expression):
            if (formula.place, name) in self._samples:
                known[name] = samples[self._samples[formula.place, name].part]
            elif name not in known:
                value = self.parameters.values(name, t, x)
                if value is not None:
                    known[name] = value
        return known

    def _values(self, formula: _Formula, known: Mapping[str, Any], s: int) -> Array:
        return self._at_places(formula.expression, known, formula.place, s)

    def _at_places(self, e: Expression, known: Mapping[str, Any], place: str, s: int) -> Array:
        shape = (len(self._places[place]), s)
        return np.broadcast_to(np.asarray(evaluate(e, known, np), dtype=float), shape)

    def _formula(self, expression: Expression, place: str) -> _Formula:
        """Prepare an expression: its slopes, and samples of every symbol it names."""
        groups: tuple[list[_Slope], list[_Slope], list[_Slope]] = ([], [], [])
        for name in names(expression):
            symbol = self.form.symbol(name)
            if symbol is not None:
                self._sample(place, name, symbol)
            slope = differentiate(expression, name)
            is_known = name in self._constants or name == self.form.axis or name == "t"
            if slope == ZERO or (symbol is None and is_known):
                continue
            group = 0 if symbol is not None else 1 if name in self.form.brackets else 2
            probe = np.zeros(1)
            if group == 2 and self.parameters.values(name, probe, probe) is None:
                continue
            groups[group].append(_Slope(name, slope))
        return _Formula(expression, place, *(tuple(g) for g in groups))

    def _inside(self, bracket: Bracket) -> _Formula:
        place = "middles" if bracket.is_staggered else "nodes"
        self._places["middles"], self._places["nodes"] = self._middles.nodes, self.line.nodes
        return self._formula(bracket.inside, place)

    def _sample(self, place: str, name: str, symbol: Symbol) -> None:
        if (place, name) in self._samples:
            return
        x = self._places[place]
        index, weight = self._differences(self.line, x, symbol.order, place == "middles")
        columns = self.numbers(symbol.state)[index]
        rows = np.repeat(np.arange(len(x)), index.shape[1])
        flat, weights = columns.ravel(), weight.ravel()
        shift = self.size if symbol.is_rate else 0
        shape = (len(x), 2 * self.size)
        self._blocks.append(scipy.sparse.csr_array((weights, (rows, flat + shift)), shape=shape))
        part = slice(self._num_samples, self._num_samples + len(x))
        self._num_samples += len(x)
        self._samples[place, name] = _Sampled(part, rows, flat, weights, symbol.is_rate)

    def _differences(
        self, line: Line, at: Array, order: int, is_staggered: bool
    ) -> tuple[Indices, Array]:
        """Return indices and weights (m, width) of ∂^order, on nodes of `line` or between them."""
        if is_staggered:
            width = 2 * (order // 2) + self.accuracy
        elif order == 0:
            width = 1
        else:
            width = order - 1 + self.accuracy + (order + self.accuracy) % 2
        index, offset = line.stencils(at, min(width, len(line.nodes)))
        return index, stencil_weights(offset, order)

    def _placed_rows(self) -> list[_Placed]:
        taken: dict[int, list[int]] = {k: [] for k in range(self.num_states)}
        placed = []
        last = self.num_nodes - 1
        for row in self.form.rows:
            if row.end is not None:
                node = row.layer if row.end == 0 else last - row.layer
                taken[row.state].append(node)
                end = np.array([0 if row.end == 0 else last])
                placed.append(self._place(row, f"end {row.end}", end, np.array([node])))
        for row in self.form.rows:
            if row.end is None:
                free = np.setdiff1d(np.arange(self.num_nodes), taken[row.state])
                placed.append(self._place(row, f"row {row.state}", free, free))
        self._chain(placed)
        return placed

    def _place(self, row: Row, place: str, at: Indices, nodes: Indices) -> _Placed:
        self._places[place] = self.line.nodes[at]
        return _Placed(self._formula(row.residual, place), self.numbers(row.state)[nodes])

    def _chain(self, placed: list[_Placed]) -> None:
        """Prepare the differences of brackets and the chain rule through them."""
        self._outer: dict[tuple[str, str], scipy.sparse.csr_array] = {}
        self._chained: dict[tuple[str, str, str], tuple[Indices, Indices, Array]] = {}
        for row in placed:
            place = row.formula.place
            for name in formula_brackets(row.formula):
                bracket = self.form.brackets[name]
                line = self._middles if bracket.is_staggered else self.line
                at = self._places[place]
                index, weight = self._differences(line, at, bracket.order, bracket.is_staggered)
                rows = np.repeat(np.arange(len(at)), index.shape[1])
                entries = weight.ravel(), (rows, index.ravel())
                shape = (len(at), len(line.nodes))
                outer = scipy.sparse.csr_array(entries, shape=shape)
                self._outer[name, place] = outer
                for slope in self._insides[name].in_symbols:
                    key = (name, place, slope.name)
                    self._chained[key] = self._triples(outer, self._insides[name].place, slope)
        self._entries_of(placed)

    def _triples(
        self, outer: scipy.sparse.csr_array, place: str, slope: _Slope
    ) -> tuple[Indices, Indices, Array]:
        """Return row, place inside and weight of every product of the two differences."""
        sampled = self._samples[place, slope.name]
        width = len(sampled.row) // len(self._places[place])
        coo = outer.tocoo()
        inner = coo.col[:, None] * width + np.arange(width)
        weight = (coo.data[:, None] * sampled.weight[inner]).ravel()
        return np.repeat(coo.row, width), np.repeat(coo.col, width), weight

    def _entries_of(self, placed: list[_Placed]) -> None:
        """Collect rows and columns in the order in which `linearised` makes the entries."""
        found: dict[bool, list[tuple[Indices, Indices]]] = {False: [], True: []}
        empty = np.empty(0, np.intp)
        for row in placed:
            formula = row.formula
            for slope in formula.in_symbols:
                s = self._samples[formula.place, slope.name]
                found[s.is_rate].append((row.numbers[s.row], s.column))
            for outer in formula.in_brackets:
                inner = self._insides[outer.name]
                for slope in inner.in_symbols:
                    s = self._samples[inner.place, slope.name]
                    width = len(s.row) // len(self._places[inner.place])
                    rows, middles, _ = self._chained[outer.name, formula.place, slope.name]
                    k = np.tile(np.arange(width), len(rows) // width)
                    found[False].append((row.numbers[rows], s.column[middles * width + k]))
        self._raw = {
            key: (
                np.concatenate([r for r, _ in pairs] or [empty]),
                np.concatenate([c for _, c in pairs] or [empty]),
            )
            for key, pairs in found.items()
        }

    def _sort_entries(self) -> None:
        orders = {key: np.argsort(rows, kind="stable") for key, (rows, _) in self._raw.items()}
        self._state_order, self._rate_order = orders[False], orders[True]
        self.state_entries = tuple(a[orders[False]] for a in self._raw[False])
        self.rate_entries = tuple(a[orders[True]] for a in self._raw[True])


def formula_brackets(formula: _Formula) -> set[str]:
    """Return the brackets that a formula names."""
    return {name for name in names(formula.expression) if name.startswith("bracket ")}
