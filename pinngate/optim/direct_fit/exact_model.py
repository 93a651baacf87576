"""The map from θ to fields and to what sensors read, with its Jacobian: one march of the solver.

Between `unknowns` and `through_solver`. Nodes and tolerance belong to a `Resolution`, so that two
of them tell the error of the solver itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from pinngate.data.observations import ObservationSet
from pinngate.data.quantities import mean_nodes
from pinngate.expression import Expression, names
from pinngate.optim.direct_fit.chain_rule import chain_rule
from pinngate.optim.direct_fit.jumps import Jumps, jump_times
from pinngate.optim.direct_fit.marched_states import CannotMarch, Symbol
from pinngate.optim.direct_fit.marching_form import MarchingForm
from pinngate.optim.direct_fit.node_density import (
    BEYOND,
    bending_density,
    first_density,
    placed_nodes,
    probe_places,
)
from pinngate.optim.direct_fit.radau_march import NO_LENGTH, March, MarchFailed, RadauMarch
from pinngate.optim.direct_fit.semidiscrete import SemiDiscrete
from pinngate.optim.direct_fit.switches import Switches
from pinngate.optim.direct_fit.unknowns import Unknowns
from pinngate.reference.stencils import Line, stencil_weights
from pinngate.statement.axis_bounds import is_logarithmic
from pinngate.statement.derivatives import Derivative, parse_derivative
from pinngate.statement.kinks import formula_kinks, kink_places, knot_stops

Array = NDArray[np.float64]

MOST_STEPS = 5000  # in time, and two a knot; then at most five times those of the last solution
EARLY = 1e-5  # of the time axis: before that a solution does not place nodes


@dataclass(frozen=True)
class Resolution:
    """Nodes in space (n,) and the tolerance of steps in time."""

    line: Line
    tolerance: float


@dataclass(frozen=True)
class Solution:
    """A march of a problem, read at points."""

    system: SemiDiscrete
    march: March

    @property
    def num_nodes(self) -> int:
        """Nodes in space."""
        return len(self.system.line.nodes)

    @property
    def num_steps(self) -> int:
        """Steps in time."""
        return self.march.num_steps

    def read(self, symbol: Symbol, points: Array) -> tuple[Array, Array]:
        """Return a derivative of a state at points (m, axes), (m,), and ∂/∂θ of it (m, P).

        Cost: a sparse product with the tangents at all steps.
        """
        form, line = self.system.form, self.system.line
        axes = form.problem.axes
        t = points[:, axes.index("t")]
        numbers = self.system.numbers[symbol.state]
        if form.axis is None:
            window = np.searchsorted(line.nodes, t - self.march.ends[0], side="right") - 1
            window = np.maximum(window, 0)
            t = t - line.nodes[window]
            index, in_space = window[:, None], np.ones((len(points), 1))
        else:
            width = min(4 + symbol.order + symbol.order % 2, len(line.nodes))
            index, offset = line.stencils(points[:, axes.index(form.axis)], width)
            in_space = stencil_weights(offset, symbol.order)
        row, in_time = self.march.weights(t, int(symbol.is_rate))
        columns = row[:, :, None] * self.system.size + numbers[index][:, None, :]
        weights = in_time[:, :, None] * in_space[:, None, :]
        starts = np.arange(len(points) + 1) * (weights.size // max(1, len(points)))
        shape = (len(points), len(self.march.states) * self.system.size)
        matrix = scipy.sparse.csr_array((weights.ravel(), columns.ravel(), starts), shape=shape)
        values = matrix @ self.march.states.ravel()
        return values, np.asarray(matrix @ self.march.tangents.reshape(shape[1], -1))


class ExactModel:
    """θ ↦ solution.

    Args:
        form: the rows.
        unknowns: what θ is.
        sizes: of the states, below whose thousandth, `floors`, errors do not count.

    Attributes:
        accuracy: order of the differences in space.
        horizon: where a solution ends in time, the end of the domain but for parts of a record.
        windowing: coordinates of θ in windows, see `JoinedModel`.
    """

    windowing: Any = None
    growth = 0.0

    def __init__(self, form: MarchingForm, unknowns: Unknowns, sizes: Array) -> None:
        self.form, self.unknowns, self.sizes = form, unknowns, sizes
        self.floors = 1e-3 * sizes
        self.problem = form.problem
        kinks = kink_places(self.problem)
        self._jumps = jump_times(self.problem)
        start = self.problem.domain["t"][0]
        self._stops = sorted({*formula_kinks(self.problem)["t"], *self._jumps} - {start})
        self._knots = knot_stops(self.problem)
        self._fixed: list[float] = list(kinks.get(form.axis or "", ()))
        self.horizon = self.problem.domain["t"][1]
        self._most_at_first = self._most_steps = MOST_STEPS + 2 * len(self._knots)
        self.accuracy = 2 if form.is_quasilinear or self._fixed else 4
        if form.axis is not None:
            self.domain = self.problem.domain[form.axis]
            length = self.domain[1] - self.domain[0]
            low, high = self.domain
            self.bounds = (
                low - BEYOND * length * form.open_ends[0],
                high + BEYOND * length * form.open_ends[1],
            )
            self._fixed += [end for end in self.domain if end not in self.bounds]
            self._probes = probe_places(self.bounds, self.domain)

    @property
    def is_periodic(self) -> bool:
        """Whether the space axis is periodic."""
        return self.form.axis in self.problem.periodic

    def first_resolution(self, count: int, tolerance: float) -> Resolution:
        """Return nodes that know nothing of a solution."""
        if self.form.axis is None:
            return Resolution(Line(np.zeros(1)), tolerance)
        if self.is_periodic:
            return self._periodic(count, tolerance)
        is_log = is_logarithmic(self.problem.domain[self.form.axis])
        density = first_density(
            self.domain,
            self._probes,
            crowded=max(self.form.states.orders.values()) == 1,
            is_log=is_log,
        )
        return self._resolution(density, count, tolerance)

    def adapted_resolution(self, solution: Solution, count: int, tolerance: float) -> Resolution:
        """Return nodes that follow a solution."""
        if self.form.axis is None or self.is_periodic:
            return self.first_resolution(count, tolerance)
        start, end = self.problem.domain["t"]
        march, system = solution.march, solution.system
        late = march.ends[1:] - start > EARLY * (end - start)
        rows = march.states[3::3][late]
        fields = [
            rows[:, system.numbers[k]] for k, (_, j) in enumerate(self.form.states.all) if j == 0
        ]
        density = bending_density(system.line.nodes, fields, self._probes, self.domain)
        return self._resolution(density, count, tolerance)

    def _resolution(self, density: Array, count: int, tolerance: float) -> Resolution:
        return Resolution(Line(placed_nodes(density, self._probes, count, self._fixed)), tolerance)

    def _periodic(self, count: int, tolerance: float) -> Resolution:
        low, high = self.domain
        nodes = np.linspace(low, high, count + 1)[:-1]
        return Resolution(Line(nodes, high - low), tolerance)

    def solve(self, theta: Array, resolution: Resolution) -> Solution:
        """Return the solution at θ with its tangents, up to `horizon`.

        Raises:
            MarchFailed: there is none.
        """
        with np.errstate(all="ignore"):
            values, slopes = self.unknowns.initial_state(theta, resolution.line.nodes)
        return self.marched(theta, resolution, values, slopes)

    def marched(
        self,
        theta: Array,
        resolution: Resolution,
        values: Array,
        slopes: Array,
        length: float | None = None,
    ) -> Solution:
        """Return the march from states at the initial time, up to `horizon`.

        Nodes of ordinary equations are windows, by their times after the initial one.

        Args:
            theta: (P,).
            resolution: of the march.
            values: states at its nodes, (S, n).
            slopes: their tangents, (S, n, P) or, by further numbers too, (S, n, P + …).
            length: of a window; None for what makes up the whole.

        Raises:
            MarchFailed: there is none.
        """
        start, num_more = self.problem.domain["t"][0], slopes.shape[2] - self.unknowns.count
        parameters = self.unknowns.at(theta, num_more)
        offsets = resolution.line.nodes if self.form.axis is None else np.zeros(1)
        length = length or (self.horizon - start) / len(offsets)
        with np.errstate(all="ignore"):
            system = SemiDiscrete(self.form, resolution.line, parameters, self.accuracy)
            initial = np.zeros(system.size)
            tangents = np.zeros((system.size, slopes.shape[2]))
            for k in range(system.num_states):
                initial[system.numbers[k]] = values[k]
                tangents[system.numbers[k]] = slopes[k]
            if not np.isfinite(initial).all():
                raise MarchFailed("the initial state is not finite")
            switches = Switches(system, parameters) if self.form.switches else None
            march = RadauMarch(system, resolution.tolerance, self.floors, switches)
            events = Jumps(system, parameters).after if self._jumps else None
            found = march.run(
                initial,
                tangents,
                (start, start + length),
                self._within(self._stops, offsets, length),
                self._most_steps,
                self._within(self._knots, offsets, length),
                events,
                self._jumps,
            )
        in_all = found.num_steps * len(offsets)
        self._most_steps = min(self._most_at_first, max(500, 5 * in_all))
        return Solution(system, found)

    def _within(self, times: Sequence[float], offsets: Array, length: float) -> list[float]:
        """Return times that lie in a window, as times of the first one."""
        start = self.problem.domain["t"][0]
        after = np.subtract.outer(np.array(times) - start, offsets)
        near = NO_LENGTH * length
        inside = np.unique(after[(after > near) & (after < length - near)])
        apart = np.diff(inside, prepend=0.0) > near
        return [start + float(t) for t in inside[apart]]

    def describe(self, solution: Solution) -> str:
        """Return how it was solved, one sentence, and where the domain was taken to go on."""
        method = f"{solution.num_steps} steps of the Radau IIA method of fifth order in time"
        if (axis := self.form.axis) is None:
            return f"Least squares through {method}."
        differences = (
            f"differences of order {self.accuracy} on {solution.num_nodes} nodes in {axis}"
        )
        ends = zip(self.domain, self.form.open_ends, strict=True)
        beyond = [
            f" No condition holds at {axis} = {end:g}: the domain goes on there."
            for end, is_open in ends
            if is_open
        ]
        return f"Least squares through {method} and {differences}." + "".join(beyond)

    def derivative(
        self, solution: Solution, wanted: Derivative, points: Array
    ) -> tuple[Array, Array]:
        """Return a derivative of an unknown at points (n, axes), (n,), and ∂/∂θ of it, (n, P)."""
        return solution.read(self.form.states.symbol_of(wanted), points)

    def fields(self, solution: Solution, theta: Array, points: Array) -> tuple[Array, Array]:
        """Return unknowns, then coefficient functions, at points: (n, F), ∂/∂θ (n, F, P)."""
        values, slopes = [], []
        for f in self.problem.unknowns:
            value, slope = solution.read(Symbol(self.form.states.number(f, 0), 0, False), points)
            values.append(value)
            slopes.append(slope)
        for name in self.unknowns.functions:
            places = points[:, self.problem.axes.index(self.unknowns.over(name))]
            value, slope = self.unknowns.function_values(name, theta, places)
            values.append(value)
            slopes.append(slope)
        return np.stack(values, 1), np.stack(slopes, 1)

    def readings(
        self, solution: Solution, theta: Array, data: ObservationSet
    ) -> tuple[Array, Array]:
        """Return what the sensors of one set read, (n,), and ∂/∂θ of it, (n, P)."""
        if data.mean is None:
            return self.quantity(solution, theta, data.expression, data.points)
        nodes, weights = mean_nodes(
            data.points, data.mean, self.problem.domain, self.problem.coordinates
        )
        flat = nodes.reshape(-1, nodes.shape[2])
        values, slopes = self.quantity(solution, theta, data.expression, flat)
        count, q = nodes.shape[:2]
        weights = np.broadcast_to(weights, (count, q))
        return (values.reshape(count, q) * weights).sum(1), np.einsum(
            "nqp,nq->np", slopes.reshape(count, q, -1), weights
        )

    def quantity(
        self, solution: Solution, theta: Array, expression: Expression, points: Array
    ) -> tuple[Array, Array]:
        """Return an expression at points (n, axes), (n,), and ∂/∂θ of it (n, P): the chain rule."""
        problem = self.problem
        seen = {n: self._named(solution, theta, n, points) for n in names(expression)}
        found = {name: pair for name, pair in seen.items() if pair is not None}
        known: dict[str, Any] = {**problem.constants}
        known |= {axis: points[:, k] for k, axis in enumerate(problem.axes)}
        return chain_rule(expression, found, known, (len(points), self.unknowns.count))

    def _named(
        self, solution: Solution, theta: Array, name: str, points: Array
    ) -> tuple[Array, Array] | None:
        """Return what a name is at points (n,) and ∂/∂θ of it, None where it is no unknown."""
        problem, unknowns = self.problem, self.unknowns
        if name in unknowns.coefficients.names:
            k = unknowns.coefficients.names.index(name)
            values, slopes = unknowns.scalar_values(theta)
            jacobian = np.zeros((len(points), unknowns.count))
            jacobian[:, k] = slopes[k]
            return np.full(len(points), values[k]), jacobian
        found = parse_derivative(name, problem.outputs, problem.axes)
        if found is None:
            return None
        if found.field in unknowns.functions:
            if found.order:
                raise CannotMarch(f"a sensor sees {name}, a derivative of a coefficient")
            places = points[:, problem.axes.index(unknowns.over(name))]
            return unknowns.function_values(name, theta, places)
        if found.field not in problem.unknowns:
            raise CannotMarch(f"a sensor sees {name}, which is no unknown")
        return solution.read(self.form.states.symbol_of(found), points)


def stacked(parts: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Return values and tangents of several sets, one below the other."""
    return np.concatenate([v for v, _ in parts]), np.concatenate([s for _, s in parts])
