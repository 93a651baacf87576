"""Formulas at places of the space axis: samples of what they name, values and slopes.

Below `semidiscrete`. Every derivative that a formula names is sampled by differences on unequal
nodes (`reference.stencils`); all samples of all formulas are one sparse matrix. Slopes are
symbolic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from pinngate.expression import ZERO, Expression, differentiate, names
from pinngate.expression.program import Program
from pinngate.optim.direct_fit.marched_states import MarchedStates, Symbol
from pinngate.optim.direct_fit.opened_brackets import BRACKET
from pinngate.optim.direct_fit.placed_splines import PlacedSpline, PlacedSplines, weights_in
from pinngate.reference.stencils import Line, stencil_weights

Array = NDArray[np.float64]
Indices = NDArray[np.intp]
Slopes = Mapping[str, Expression]


class Parameters(Protocol):
    """What is unknown, as functions of time and place that formulas name."""

    count: int
    """P, numbers in all."""

    def values(self, name: str, t: Array, x: Array) -> Array | float | None:
        """Return a name's values (places, times), None where it is not one of them."""

    def slopes(self, name: str, t: Array, x: Array) -> tuple[slice, Array]:
        """Return which numbers it depends on and its derivatives (places or 1, times or 1, k)."""


@dataclass(frozen=True)
class Sampled:
    """The rows `part` of the samples, and the (m, width) entries that make them."""

    part: slice
    columns: Indices
    weights: Array
    is_rate: bool

    @cached_property
    def is_plain(self) -> bool:
        """Whether it is a state or a rate itself, no difference."""
        return self.weights.shape[1] == 1 and bool((self.weights == 1).all())

    def entries(self, slope: Array) -> Array:
        """Return a slope in it (m, s) as one in the states or rates that make it, (m width, s)."""
        if self.is_plain:
            return slope
        return (slope[:, None] * self.weights[..., None]).reshape(-1, slope.shape[1])


@dataclass(frozen=True)
class Values:
    """What a formula and its slopes come to, (m, times) each; slopes by name.

    `known` is what they were made of.
    """

    known: Mapping[str, Any]
    value: Array
    in_samples: Mapping[str, Array]
    in_brackets: Mapping[str, Array]
    in_parameters: Mapping[str, Array]


@dataclass(frozen=True)
class Formula:
    """An expression at places (m,), with its slopes that are not zero.

    Attributes:
        samples: of the derivatives of states that it names.
        in_samples: slopes in those.
        in_brackets: slopes in brackets.
        in_parameters: slopes in what is unknown.
        splines: functions of fields that names stand for in it and in its slopes.
        unknown: names of what is unknown, in the arguments of steps too.
    """

    expression: Expression
    places: Array
    samples: Mapping[str, Sampled]
    in_samples: Slopes
    in_brackets: Slopes
    in_parameters: Slopes
    splines: Mapping[str, PlacedSpline]
    unknown: frozenset[str] = frozenset()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every name in it, and in the arguments of its functions."""
        inside = [argument for own in self.splines.values() for argument in own.arguments]
        return tuple(dict.fromkeys(n for e in (self.expression, *inside) for n in names(e)))

    @cached_property
    def _program(self) -> Program:
        slopes = [*self.in_samples.values(), *self.in_brackets.values()]
        return Program([self.expression, *slopes], np)

    @cached_property
    def _whole_program(self) -> Program:
        groups = (self.in_samples, self.in_brackets, self.in_parameters)
        return Program([self.expression, *(e for g in groups for e in g.values())], np)

    @cached_property
    def _short_program(self) -> Program:
        return Program([self.expression], np)

    def value(self, known: Mapping[str, Any], num_times: int) -> Array:
        """Return its values (m, times)."""
        return _spread(self._short_program.values(known)[0], (len(self.places), num_times))

    def at(self, known: Mapping[str, Any], num_times: int, *, with_parameters: bool) -> Values:
        """Return its values and slopes, those in what is unknown where they are wanted."""
        program = self._whole_program if with_parameters else self._program
        shape = len(self.places), num_times
        rest = (_spread(value, shape) for value in program.values(known))
        value, parameters = next(rest), self.in_parameters if with_parameters else ()
        by_name = [
            dict(zip(group, rest, strict=False))
            for group in (self.in_samples, self.in_brackets, parameters)
        ]
        return Values(known, value, *by_name)


def _spread(value: Any, shape: tuple[int, int]) -> Array:
    """Return a number or an array as one of a shape."""
    if isinstance(value, np.ndarray) and value.shape == shape:
        return value
    found = np.empty(shape)
    found[...] = value
    return found


class PlacedFormulas:
    """Makes formulas and samples what they name.

    Args:
        states: what is marched.
        line: the nodes.
        numbers: of every state at every node, (S, n).
        parameters: what is unknown.
        constants: known numbers.
        sides: of switches, by name, as they are.
        accuracy: order of the differences, 2 or 4.
    """

    def __init__(
        self,
        states: MarchedStates,
        line: Line,
        numbers: Indices,
        parameters: Parameters,
        constants: Mapping[str, float],
        sides: Mapping[str, float],
        accuracy: int,
    ) -> None:
        self._states, self._line, self._numbers = states, line, numbers
        self._sides = sides
        self._parameters, self._constants = parameters, dict(constants)
        self._accuracy = accuracy
        self._blocks: list[scipy.sparse.csr_array] = []
        self._num_samples = 0
        self._splines = PlacedSplines(self._weight)

    def sampled(self, states: Array, rates: Array) -> Array:
        """Return the samples of all formulas from states and rates (N, s)."""
        both = np.concatenate([states, rates])
        return both[self._picked] if self._picked is not None else self._sampler @ both

    @cached_property
    def _sampler(self) -> scipy.sparse.csr_array:
        """The matrix that turns states above rates, (2N, s), into all samples."""
        return scipy.sparse.csr_array(scipy.sparse.vstack(self._blocks))

    @cached_property
    def _picked(self) -> Indices | None:
        """Which states and rates the samples are, where none is a difference."""
        rows, matrix = self._num_samples, self._sampler
        is_picked = matrix.nnz == rows and bool((np.diff(matrix.indptr) == 1).all())
        return matrix.indices if is_picked and bool((matrix.data == 1).all()) else None

    def make(self, expression: Expression, places: Array, *, is_staggered: bool) -> Formula:
        """Return an expression as a formula at places (m,), between the nodes or on them."""
        symbols = self._states.named_in(expression)
        samples = {n: self._sampled(s, places, is_staggered) for n, s in symbols.items()}
        shown = self._splines.named(expression)
        splines = self._splines.within([shown])
        groups: tuple[dict[str, Expression], ...] = ({}, {}, {})
        groups[2].update({name: differentiate(shown, name) for name in splines})
        unknown = set()
        for name in names(expression).keys() - weights_in(expression):
            group = self._group(name, symbols)
            if group == 2:
                unknown.add(name)
            slope = ZERO if group is None else differentiate(expression, name)
            if group is not None and slope != ZERO:
                groups[group][name] = self._splines.named(slope)
        every = [shown, *(slope for group in groups for slope in group.values())]
        by_sample, by_bracket, by_parameter = groups
        splines = self._splines.within(every)
        slopes = by_sample, by_bracket, by_parameter
        return Formula(shown, places, samples, *slopes, splines, frozenset(unknown))

    def _weight(self, name: str) -> tuple[int, float, float]:
        """Return the place of a weight in θ, its value and its slope there."""
        nowhere = np.zeros(1)
        value = self._parameters.values(name, nowhere, nowhere)
        assert isinstance(value, float)
        part, slopes = self._parameters.slopes(name, nowhere, nowhere)
        return part.start, value, float(slopes.flat[0])

    def _group(self, name: str, symbols: Mapping[str, Symbol]) -> int | None:
        if name in symbols:
            return 0
        if name in self._constants or name in self._states.problem.domain:
            return None
        if name.startswith(BRACKET):
            return 1
        nowhere = np.zeros(1)
        return None if self._parameters.values(name, nowhere, nowhere) is None else 2

    def known(self, formula: Formula, samples: Array, t: Array) -> dict[str, Any]:
        """Return the values of all that a formula names but brackets, at times (s,)."""
        known: dict[str, Any] = {**self._constants, **self._sides, "t": t[None, :]}
        if self._states.axis is not None:
            known[self._states.axis] = formula.places[:, None]
        else:
            known["t"] = formula.places[:, None] + t
        for name in formula.names:
            if name in formula.samples:
                known[name] = samples[formula.samples[name].part]
            elif name in formula.unknown:
                known[name] = self._parameters.values(name, t, formula.places)
        known |= {name: spline.value(known) for name, spline in formula.splines.items()}
        return known

    def differences(
        self, line: Line, at: Array, order: int, *, is_staggered: bool
    ) -> tuple[Indices, Array]:
        """Return indices and weights (m, width) of ∂^order, on nodes of a line or between them."""
        if is_staggered:
            width = 2 * (order // 2) + self._accuracy
        elif order == 0:
            width = 1
        else:
            width = order - 1 + self._accuracy + (order + self._accuracy) % 2
        index, offset = line.stencils(at, min(width, len(line.nodes)))
        return index, stencil_weights(offset, order)

    def _sampled(self, symbol: Symbol, places: Array, is_staggered: bool) -> Sampled:
        index, weights = self.differences(
            self._line, places, symbol.order, is_staggered=is_staggered
        )
        columns = self._numbers[symbol.state][index]
        size, (m, width) = self._numbers.size, index.shape
        entries = weights.ravel(), columns.ravel() + size * symbol.is_rate
        starts = np.arange(m + 1) * width
        self._blocks.append(scipy.sparse.csr_array((*entries, starts), shape=(m, 2 * size)))
        self._num_samples += m
        part = slice(self._num_samples - m, self._num_samples)
        return Sampled(part, columns, weights, symbol.is_rate)
