"""The map from θ to the field of a steady problem and to what sensors read, with its derivatives.

Newton's method on elements; tangents ∂U/∂θ = −(∂R/∂U)⁻¹ ∂R/∂θ where a Jacobian is asked for, one
adjoint solution where a gradient is. Above `element_system`; it answers what `direct_fit` asks of a
march.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from pinngate.data.observations import ObservationSet
from pinngate.data.quantities import mean_nodes
from pinngate.expression import ONE, Expression, differentiate, evaluate, names
from pinngate.optim.direct_fit.levenberg_marquardt import MOST_TRIED
from pinngate.optim.direct_fit.radau_march import MarchFailed
from pinngate.optim.direct_fit.unknowns import Unknowns
from pinngate.optim.steady_fit.banded import BandFactors
from pinngate.optim.steady_fit.element_grid import ElementGrid
from pinngate.optim.steady_fit.element_system import ElementSystem
from pinngate.optim.steady_fit.placed_values import PlacedValues, Values, columns_at
from pinngate.optim.steady_fit.weak_form import SteadyForm, on_names
from pinngate.statement.axis_places import share_at
from pinngate.statement.derivatives import Derivative, parse_derivative
from pinngate.statement.kinks import kink_places
from pinngate.statement.linearity import has_linear_equations

Array = NDArray[np.float64]

RESTING = float(np.sqrt(np.finfo(float).eps))  # of U: a step after which the next is rounding


@dataclass(frozen=True)
class Reading:
    """What sensors read: values (n,), ∂/∂U of them (n, N) and ∂/∂θ at a given U (n, P)."""

    values: Array
    by_state: scipy.sparse.csr_array
    by_parameter: Array


@dataclass(frozen=True)
class SteadySolution:
    """U at θ, with what its derivatives are made of."""

    system: ElementSystem
    state: Array
    at: Values
    factor: BandFactors
    count: int

    num_steps = 0

    @property
    def num_nodes(self) -> int:
        """Nodes of the grid."""
        return self.system.grid.size

    @cached_property
    def tangents(self) -> Array:
        """∂U/∂θ, (N, P). Cost: a solution for each number."""
        system = self.system
        found = np.zeros((system.size, self.count))
        knowns = system.knowns(self.state, self.at)
        for rows, columns, values in system.along_parameters(self.state, self.at, knowns):
            np.add.at(found, (rows, columns[:, None]), values)
        return -np.asarray(self.factor.solve(found))

    def pulled_back(self, by_state: Array) -> Array:
        """Return (∂U/∂θ)ᵀ g of a gradient g (N,), (P,). Cost: one solution."""
        adjoint = self.factor.solve(by_state, is_transposed=True)
        found = np.zeros(self.count)
        knowns = self.system.knowns(self.state, self.at)
        for rows, columns, values in self.system.along_parameters(self.state, self.at, knowns):
            along = (adjoint[rows] * values).sum(1)
            found -= np.bincount(columns, along, self.count)
        return found

    def read(self, derivative: Derivative, points: Array) -> tuple[Array, Array]:
        """Return a derivative of a field at points (n, axes), (n,), and ∂/∂θ of it (n, P)."""
        matrix = self.system.sampler(derivative, points)
        return matrix @ self.state, np.asarray(matrix @ self.tangents)


class SteadyModel:
    """θ ↦ solution.

    Args:
        form: the balances.
        unknowns: what θ is.
    """

    accuracy = 2
    windowing = None

    def __init__(self, form: SteadyForm, unknowns: Unknowns) -> None:
        self.form, self.unknowns, self.problem = form, unknowns, form.problem
        self._kinks = kink_places(self.problem)
        self._is_linear = has_linear_equations(self.problem)
        self._systems: dict[int, ElementSystem] = {}
        self._last: Array | None = None

    def describe(self, solution: SteadySolution) -> str:
        """Return how it was solved, one sentence."""
        shape = " × ".join(str(n - 1) for n in solution.system.grid.shape)
        return f"Least squares through {shape} elements, linear along each axis."

    def grid(self, count: int) -> ElementGrid:
        """Return at least `count` elements along each axis, with a line at each kink."""
        return ElementGrid([self._lines(axis, count) for axis in self.problem.axes])

    def _lines(self, axis: str, count: int) -> Array:
        bounds = self.problem.domain[axis]
        ends = share_at(bounds, np.array([bounds[0], *self._kinks[axis], bounds[1]]))
        parts = np.maximum(1, np.ceil(count * np.diff(ends))).astype(int)
        pairs = zip(pairwise(ends), parts, strict=True)
        shares = [np.linspace(a, b, n + 1)[:-1] for (a, b), n in pairs]
        places = np.concatenate([*shares, ends[-1:]])
        low, high = bounds
        return np.asarray(low + places * (high - low))

    def system(self, count: int) -> ElementSystem:
        """Return the system on that grid."""
        if count not in self._systems:
            grid = self.grid(count)
            places = PlacedValues(self.problem, self.unknowns, grid)
            self._systems[count] = ElementSystem(self.form, grid, places)
        return self._systems[count]

    def first_resolution(self, count: int, tolerance: float) -> int:
        """Return elements along each axis for about `count` of them in all."""
        return round(count ** (1 / len(self.problem.axes)))

    def derivative(
        self, solution: SteadySolution, wanted: Derivative, points: Array
    ) -> tuple[Array, Array]:
        """Return a derivative of an unknown at points (n, axes), (n,), and ∂/∂θ of it, (n, P)."""
        return solution.read(wanted, points)

    def solve(self, theta: Array, count: int) -> SteadySolution:
        """Return the solution at θ on `count` elements along each axis.

        Raises:
            MarchFailed: there is none.
        """
        system = self.system(count)
        at = Values(*self.unknowns.scalar_values(theta))
        state = np.zeros(system.size)
        if self._last is not None and len(self._last) == system.size and not self._is_linear:
            state = self._last
        with np.errstate(all="ignore"):
            state, factor = _newton(system, at, state, is_linear=self._is_linear)
        self._last = state
        return SteadySolution(system, state, at, factor, self.unknowns.count)

    def fields(self, solution: SteadySolution, theta: Array, points: Array) -> tuple[Array, Array]:
        """Return unknowns at points: (n, F), ∂/∂θ (n, F, P)."""
        nothing = (0,) * len(self.problem.axes)
        found = [solution.read(Derivative(f, nothing), points) for f in self.problem.unknowns]
        return np.stack([v for v, _ in found], 1), np.stack([s for _, s in found], 1)

    def readings(
        self, solution: SteadySolution, theta: Array, data: ObservationSet
    ) -> tuple[Array, Array]:
        """Return what the sensors of one set read, (n,), and ∂/∂θ of it, (n, P)."""
        found = self.reading(solution, data)
        if not found.by_state.nnz:
            return found.values, found.by_parameter
        return found.values, found.by_state @ solution.tangents + found.by_parameter

    def reading(self, solution: SteadySolution, data: ObservationSet) -> Reading:
        """Return the same with its derivatives by U and by θ apart."""
        if data.mean is None:
            return self._at_points(solution, data.expression, data.points)
        nodes, weights = mean_nodes(data.points, data.mean, self.problem.domain)
        count, q = nodes.shape[:2]
        found = self._at_points(solution, data.expression, nodes.reshape(-1, nodes.shape[2]))
        shares = np.broadcast_to(weights, (count, q)).ravel()
        rows, columns = np.arange(count).repeat(q), np.arange(count * q)
        mean = scipy.sparse.csr_array((shares, (rows, columns)), shape=(count, count * q))
        return Reading(mean @ found.values, mean @ found.by_state, mean @ found.by_parameter)

    def quantity(
        self, solution: SteadySolution, theta: Array, expression: Expression, points: Array
    ) -> tuple[Array, Array]:
        """Return an expression at points (n, axes), (n,), and ∂/∂θ of it (n, P)."""
        found = self._at_points(solution, expression, points)
        return found.values, found.by_state @ solution.tangents + found.by_parameter

    def _at_points(
        self, solution: SteadySolution, expression: Expression, points: Array
    ) -> Reading:
        problem, expression = self.problem, on_names(expression)
        columns = columns_at(problem, self.unknowns, points, names(expression))
        matrices = self._samplers(solution, expression, points)
        known: dict[str, Any] = {**problem.constants}
        known |= dict(zip(problem.axes, points.T, strict=True))
        known |= {name: solution.at.values[own] for name, own in columns.items()}
        known |= {name: matrix @ solution.state for name, matrix in matrices.items()}

        def at(formula: Expression) -> Array:
            found = np.asarray(evaluate(formula, known, np), dtype=float)
            return np.broadcast_to(found, (len(points),))

        by_state = scipy.sparse.csr_array((len(points), solution.system.size))
        for name, matrix in matrices.items():
            along = differentiate(expression, name)
            own = matrix if along == ONE else matrix.multiply(at(along)[:, None]).tocsr()
            by_state = by_state + own
        by_parameter = np.zeros((len(points), self.unknowns.count))
        for name in names(expression) & columns.keys():
            entries = np.arange(len(points)), columns[name]
            slope = at(differentiate(expression, name))
            by_parameter[entries] += slope * solution.at.slopes[columns[name]]
        return Reading(at(expression), by_state, by_parameter)

    def _samplers(
        self, solution: SteadySolution, expression: Expression, points: Array
    ) -> dict[str, scipy.sparse.csr_array]:
        """Return what takes U to every derivative of a field that an expression names."""
        problem = self.problem
        seen = {n: parse_derivative(n, problem.unknowns, problem.axes) for n in names(expression)}
        return {n: solution.system.sampler(d, points) for n, d in seen.items() if d is not None}


def _newton(
    system: ElementSystem, at: Values, state: Array, *, is_linear: bool
) -> tuple[Array, BandFactors]:
    """Return U with R(U) = 0 and the factors of ∂R/∂U there.

    Steps are halved until they lower ‖R‖. Source: J. E. Dennis, R. B. Schnabel, Numerical Methods
    for Unconstrained Optimization and Nonlinear Equations (1983), chapter 6.
    """
    knowns = system.knowns(state, at)
    residual = system.residual(state, at, knowns)
    for _ in range(2 * MOST_TRIED):
        factor = _factored(system, state, at, knowns)
        step = -factor.solve(residual)
        if is_linear:
            return state + step, factor
        state, knowns, residual, length = _halved(system, at, state, step, residual)
        if np.abs(length * step).max() <= RESTING * np.abs(state).max(initial=1e-300):
            return state, _factored(system, state, at, knowns)
    raise MarchFailed("Newton's method does not come to rest")


def _halved(
    system: ElementSystem, at: Values, state: Array, step: Array, residual: Array
) -> tuple[Array, Any, Array, float]:
    length, before = 1.0, float(np.linalg.norm(residual))
    for _ in range(MOST_TRIED):
        tried = state + length * step
        knowns = system.knowns(tried, at)
        found = system.residual(tried, at, knowns)
        if np.isfinite(found).all() and np.linalg.norm(found) <= max(before, 1e-300):
            return tried, knowns, found, length
        length /= 2
    raise MarchFailed("no step of Newton's method is short enough")


def _factored(
    system: ElementSystem, state: Array, at: Values, knowns: Sequence[Mapping[str, Any]]
) -> BandFactors:
    found = system.factored(state, at, knowns)
    if found is None:
        raise MarchFailed("the equations have no finite derivative, or a singular one")
    return found


__all__ = ["Reading", "SteadyModel", "SteadySolution"]
