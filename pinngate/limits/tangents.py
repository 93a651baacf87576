"""Tangent equations: how the fields answer to each initial amplitude and each coefficient.

The general way to the limit on the error: v = ∂u/∂θ solves the linearised problem along the true
field, with v(0) = a mode of the initial condition, or with the forcing of a coefficient. Nodes
crowd where the truth is steep, steps follow the fastest oscillation of the highest mode.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from pinngate.errors import SolveError
from pinngate.expression import differentiate, evaluate, names
from pinngate.limits.linearised_equation import FieldValues, Linearisation, grid_points
from pinngate.limits.modes import Mode
from pinngate.limits.nodes import adapted_nodes
from pinngate.limits.radau import RADAU_NODES, RadauMarch
from pinngate.reference.stencils import Line
from pinngate.statement.derivatives import Derivative
from pinngate.statement.linearity import has_linear_equations
from pinngate.statement.problem import Condition, Plane, Problem

Array = NDArray[np.float64]

MIN_STEPS, MAX_STEPS = 200, 1200
RADIANS_PER_STEP = 0.25  # Radau IIA then damps a wave by less than 1e-4 a step
MIN_NODES, MAX_NODES = 240, 720
NODES_PER_WAVE = 16  # fourth-order differences then keep a wave's speed to about a percent


@dataclass(frozen=True)
class InitialTangent:
    """One unknown number: the amplitude of `mode` in ∂t^time_order `of` at the initial time."""

    of: str
    time_order: int
    mode: Mode


@dataclass(frozen=True)
class Tangents:
    """Solved tangents; call it to interpolate. `values[f]` is (times, nodes, parameters)."""

    at_x: int
    at_t: int
    line: Line
    times: Line
    values: dict[str, Array]

    def __call__(self, of: str, points: Array) -> Array:
        """Return ∂u/∂θ of one field at points (m, axes), shape (m, parameters)."""
        table = self.values[of]
        num_times, n, num_parameters = table.shape
        in_x, weight_x = self.line.interpolation(points[:, self.at_x])
        in_t, weight_t = self.times.interpolation(points[:, self.at_t])
        columns = (in_t[:, :, None] * n + in_x[:, None, :]).reshape(len(points), -1)
        weights = (weight_t[:, :, None] * weight_x[:, None, :]).ravel()
        starts = np.arange(len(points) + 1) * columns.shape[1]
        shape = (len(points), num_times * n)
        matrix = scipy.sparse.csr_array((weights, columns.ravel(), starts), shape=shape)
        return np.asarray(matrix @ table.reshape(num_times * n, num_parameters))


def solve_tangents(
    problem: Problem,
    truth: FieldValues,
    coefficients: Mapping[str, float],
    initial: Sequence[InitialTangent],
    axis: str,
    *,
    period: float | None = None,
    num_nodes: int | None = None,
    num_steps: int | None = None,
) -> Tangents:
    """Solve the tangents of all initial amplitudes, then of all coefficients, in this order.

    Args:
        problem: one space axis and time; as many equations as unknowns.
        truth: the true fields at points (m, axes).
        coefficients: true values of the estimated coefficients.
        initial: the unknown initial amplitudes.
        axis: the space axis.
        period: its period, or None.
        num_nodes: number of nodes; chosen from the highest wavenumber where None.
        num_steps: equal steps in time; 200 to 1200 where None.

    Cost: in each step one sparse factorisation and solve with twice the number of nodes; one
    factorisation for all where the linearised problem does not change in time.

    Raises:
        SolveError: the problem cannot be marched in time, or the linear systems are singular.
    """
    start, end = problem.domain["t"]
    line = _place_nodes(problem, truth, coefficients, initial, axis, period, num_nodes)
    if num_steps is None:
        probe = np.linspace(start, end, 9)
        frozen = Linearisation(problem, truth, coefficients, axis, line, probe)
        angle = _fastest_oscillation(frozen, _highest_wavenumber(initial)) * (end - start)
        num_steps = int(np.clip(angle / RADIANS_PER_STEP, MIN_STEPS, MAX_STEPS))
    times = np.linspace(start, end, num_steps + 1)
    step = (end - start) / num_steps
    stage_times = (times[:-1, None] + step * RADAU_NODES).ravel()
    system = Linearisation(problem, truth, coefficients, axis, line, stage_times)
    states, n = system.states, len(line.nodes)

    current = np.zeros((n, len(states), len(initial) + len(coefficients)))
    for i, tangent in enumerate(initial):
        current[:, states.index((tangent.of, tangent.time_order)), i] = tangent.mode(line.nodes)
    _respond_initially(problem, system, current, len(initial))
    march = RadauMarch(system, step, len(initial))
    values = {f: np.empty((num_steps + 1, n, current.shape[2])) for f in problem.unknowns}
    flat = current.reshape(n * len(states), -1)
    for k in range(num_steps + 1):
        if k:
            flat = march.advance(flat, k - 1)
        for f in problem.unknowns:
            values[f][k] = flat[states.index((f, 0)) :: len(states)]
    at_x, at_t = problem.axes.index(axis), problem.axes.index("t")
    return Tangents(at_x, at_t, line, Line(times), values)


def _place_nodes(
    problem: Problem,
    truth: FieldValues,
    coefficients: Mapping[str, float],
    initial: Sequence[InitialTangent],
    axis: str,
    period: float | None,
    count: int | None,
) -> Line:
    low, high = problem.domain[axis]
    if count is None:
        waves = _highest_wavenumber(initial) * (high - low) / (2 * np.pi)
        # half of the nodes are spread evenly
        count = int(np.clip(2 * NODES_PER_WAVE * waves, MIN_NODES, MAX_NODES))
    probe = np.linspace(low, high, 1025)
    slope = np.zeros_like(probe)
    if coefficients or not has_linear_equations(problem):
        instants = np.linspace(*problem.domain["t"], 17)
        fields = truth(grid_points(problem, axis, probe, instants))
        for f in problem.unknowns:
            values = np.asarray(fields[f]).reshape(len(instants), len(probe))
            spread = float(np.ptp(values)) or 1.0
            slope += np.abs(np.gradient(values, probe, axis=1)).max(axis=0) / spread
    nodes = adapted_nodes(slope, low, high, count + (period is not None))
    return Line(nodes[:-1] if period is not None else nodes, period)


def _highest_wavenumber(initial: Sequence[InitialTangent]) -> float:
    return max((tangent.mode.wavenumber for tangent in initial), default=0.0)


def _fastest_oscillation(system: Linearisation, wavenumber: float) -> float:
    """Return the largest |Im s| of waves e^{ikx + st} under coefficients frozen at single points.

    Points on a coarse subset of nodes stand for all; boundary rows are left out.
    """
    num_states, n = len(system.states), len(system.line.nodes)
    chosen = np.linspace(n // 8, n - 1 - n // 8, 16).astype(int)
    shape = (len(system.times), len(chosen), num_states, num_states)
    mass, stiffness = np.zeros(shape, complex), np.zeros(shape, complex)
    for term in system.terms:
        column = np.searchsorted(term.nodes, chosen)
        if len(term.nodes) == 1:
            continue
        target = mass if term.is_rate else stiffness
        symbol = (1j * wavenumber) ** term.order
        target[:, :, term.row_state, term.column_state] += term.coefficient[:, column] * symbol
    try:
        rates = np.linalg.eigvals(np.linalg.solve(mass, -stiffness))
    except np.linalg.LinAlgError:
        return 0.0
    return float(np.abs(rates.imag).max())


def _respond_initially(
    problem: Problem, system: Linearisation, current: Array, num_initial: int
) -> None:
    """Fill ∂u(0)/∂c where an exact initial condition holds an unknown coefficient."""
    start = Plane("t", problem.domain["t"][0])
    for condition in problem.conditions:
        used = [c for c in system.coefficients if c in names(condition.residual)]
        if condition.where == start and used:
            derivative, responses = _responses(problem, system, condition, used)
            at_t = problem.axes.index("t")
            state = system.states.index((derivative.field, derivative.orders[at_t]))
            for c, response in responses.items():
                column = num_initial + list(system.coefficients).index(c)
                current[:, state, column] = response


def _responses(
    problem: Problem, system: Linearisation, condition: Condition, used: Sequence[str]
) -> tuple[Derivative, dict[str, Array]]:
    """Return what an initial condition is of and ∂(that)/∂c at the nodes for coefficients c."""
    (name, d), *others = problem.derivatives(condition.residual).items()
    if others or d.order != d.orders[problem.axes.index("t")]:
        raise SolveError("an initial condition with a coefficient must hold one field only")
    nodes = system.line.nodes
    environment = {
        **problem.constants,
        **system.coefficients,
        system.axis: nodes,
        "t": problem.domain["t"][0],
        name: np.zeros_like(nodes),
    }
    slope, *slopes = (
        evaluate(differentiate(condition.residual, n), environment, np) for n in (name, *used)
    )
    return d, {c: -response / slope for c, response in zip(used, slopes, strict=True)}
