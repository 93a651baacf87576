"""Weak-constraint 4D-Var: what data assimilation does with scattered data and coefficients.

The fields on a grid of space and time, and the coefficients, minimise together the misfit of the
data, a heavily weighted discrete equation and condition, and the roughness of the fields in space
at the initial time, whose strength is chosen by generalised cross-validation. Residuals are
expression trees, so the Jacobian is exact and sparse: sums of diagonal matrices times difference
matrices. Sources: Trémolet, Quarterly Journal of the Royal Meteorological Society 132 (2006) 2483;
Girard, Numerische Mathematik 56 (1989) 1 for the randomised trace.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray
from scipy.sparse.linalg import splu

from pinngate.bench.methods.contract import (
    Array,
    Method,
    NotApplicable,
    Outcome,
    Task,
    require_plain,
)
from pinngate.errors import SolveError
from pinngate.expression import Expression, differentiate, evaluate, names
from pinngate.model.scales import characteristic_size
from pinngate.reference.stencils import Line
from pinngate.statement.derivatives import Derivative
from pinngate.statement.problem import Equation, Problem

MAX_ITERATIONS = 20
TOLERANCE = 1e-5  # relative change of the fields at which iterations end
NUM_PROBES = 8  # of the randomised trace
# The first fit meets data before equation: with the full weight from the start, fields and
# coefficients can only creep along the equation together.
RAMP = (0.01, 0.03, 0.1, 0.3, 1.0)
DAMPING = (1e-10, 10.0)  # first Levenberg–Marquardt damping, and its factor up or down
DEFAULTS: Mapping[str, Any] = {
    "num_space": 129,
    "num_time": 65,
    # of the equation and conditions against the data, per unit of their characteristic size
    "equation_weight": 100.0,
    "smoothness": [1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3],
}


@dataclass(frozen=True)
class _Block:
    """One residual on some nodes; `weight` multiplies its rows."""

    residual: Expression
    nodes: NDArray[np.intp]
    weight: float


class _Discrete:
    """A problem on a grid: stacked residuals and their sparse Jacobian.

    Unknowns are ordered field by field, nodes in the order space × time, coefficients last.
    """

    def __init__(self, task: Task) -> None:
        self.problem = problem = task.problem
        (self.space,), options = problem.space_axes, task.options
        num_space, num_time = options["num_space"], options["num_time"]
        low, high = problem.domain[self.space]
        is_periodic = self.space in problem.periodic
        x = np.linspace(low, high, num_space, endpoint=not is_periodic)
        self.lines = {
            self.space: Line(x, high - low if is_periodic else None),
            "t": Line(np.linspace(*problem.domain["t"], num_time)),
        }
        self.order = [self.space, "t"]
        self.shape = (len(x), num_time)
        self.size = len(x) * num_time
        mesh = np.meshgrid(*(self.lines[a].nodes for a in self.order), indexing="ij")
        self.at = {a: m.ravel() for a, m in zip(self.order, mesh, strict=True)}
        self.coefficients = [c.name for c in problem.coefficients]
        self.num_unknowns = self.size * len(problem.unknowns) + len(self.coefficients)
        self._matrices: dict[tuple[int, ...], Any] = {}
        num_data = sum(len(o.values) for o in task.observations)
        heavy = options["equation_weight"] * np.sqrt(num_data / self.size)
        self.blocks = [
            _Block(e.residual, self._inside(e), heavy / characteristic_size(problem, e.residual))
            for e in problem.equations
        ]
        for condition in problem.conditions:
            along = self.at[condition.where.axis]
            gap = np.abs(along - condition.where.value)
            on_plane = np.flatnonzero(gap <= gap.min() + 1e-12)
            weight = options["equation_weight"] * np.sqrt(num_data / len(on_plane))
            size = characteristic_size(problem, condition.residual)
            self.blocks.append(_Block(condition.residual, on_plane, weight / size))
        self.observed, self.values = self._data(task)
        start = np.flatnonzero(self.at["t"] == self.lines["t"].nodes[0])
        bend = self.matrix((2, 0))[start] * ((high - low) / 2) ** 2 * np.sqrt(num_data / len(start))
        self.roughness = sparse.hstack(
            [
                sparse.block_diag([bend] * len(problem.unknowns)),
                sparse.csr_array((len(start) * len(problem.unknowns), len(self.coefficients))),
            ],
            format="csr",
        )

    def _inside(self, equation: Equation) -> NDArray[np.intp]:
        """Return the nodes of an equation: without the ends of space where it is of second order.

        One-sided differences of a second derivative are off by percents there.
        """
        found = self.problem.derivatives(equation.residual).values()
        highest = max(self._orders(d)[0] for d in found)
        nodes = np.arange(self.size).reshape(self.shape)
        if highest >= 2 and self.space not in self.problem.periodic:
            nodes = nodes[1:-1]
        return nodes.ravel()

    def matrix(self, orders: tuple[int, int]) -> Any:
        """Return the (nodes, nodes) matrix of ∂^orders, orders along space and time."""
        if orders not in self._matrices:
            parts = [self.lines[a].derivative(k) for a, k in zip(self.order, orders, strict=True)]
            self._matrices[orders] = sparse.kron(*parts, format="csr")
        return self._matrices[orders]

    def _orders(self, derivative: Derivative) -> tuple[int, int]:
        by_axis = dict(zip(self.problem.axes, derivative.orders, strict=True))
        return by_axis[self.space], by_axis["t"]

    def interpolation(self, points: Array) -> Any:
        """Return the (n, nodes) matrix of local cubic interpolation at points (n, axes)."""
        axes = self.problem.axes
        (i, a), (j, b) = (self.lines[s].interpolation(points[:, axes.index(s)]) for s in self.order)
        columns = (i[:, :, None] * self.shape[1] + j[:, None, :]).reshape(len(points), -1)
        weights = (a[:, :, None] * b[:, None, :]).reshape(len(points), -1)
        rows = np.repeat(np.arange(len(points)), columns.shape[1])
        entries = (weights.ravel(), (rows, columns.ravel()))
        return sparse.csr_array(entries, shape=(len(points), self.size))

    def _data(self, task: Task) -> tuple[Any, Array]:
        rows, values = [], []
        for o in task.observations:
            weight = np.ones(len(o.values)) if o.std is None else np.mean(o.std) / o.std
            parts: list[Any] = [
                sparse.csr_array((len(o.values), self.size)) for _ in self.problem.unknowns
            ]
            parts[self.problem.unknowns.index(o.of)] = self.interpolation(o.points)
            parts.append(sparse.csr_array((len(o.values), len(self.coefficients))))
            rows.append(sparse.diags_array(weight) @ sparse.hstack(parts, format="csr"))
            values.append(weight * o.values)
        return sparse.vstack(rows, format="csr"), np.concatenate(values)

    def physics(self, state: Array, stiffness: float = 1.0) -> tuple[Array, Any]:
        """Return the weighted residuals of equations and conditions, and their Jacobian."""
        found = [self._block(block, state) for block in self.blocks]
        jacobian = sparse.vstack([j for _, j in found], format="csr")
        return stiffness * np.concatenate([r for r, _ in found]), stiffness * jacobian

    def _block(self, block: _Block, state: Array) -> tuple[Array, Any]:
        problem, nodes = self.problem, block.nodes
        fields = state[: self.size * len(problem.unknowns)].reshape(-1, self.size)
        named = problem.derivatives(block.residual)
        matrices = {n: self.matrix(self._orders(d))[nodes] for n, d in named.items()}
        places = {n: problem.unknowns.index(d.field) for n, d in named.items()}
        values = self._known(state, nodes) | {n: matrices[n] @ fields[places[n]] for n in named}

        def column(expression: Expression) -> Array:
            found = block.weight * np.asarray(evaluate(expression, values, np), dtype=float)
            return np.broadcast_to(found, (len(nodes),))

        parts: list[Any] = [sparse.csr_array((len(nodes), self.size)) for _ in problem.unknowns]
        for name in named:
            slope = sparse.diags_array(column(differentiate(block.residual, name)))
            parts[places[name]] = parts[places[name]] + slope @ matrices[name]
        present = names(block.residual)
        for name in self.coefficients:
            slope = differentiate(block.residual, name)
            dense = column(slope) if name in present else np.zeros(len(nodes))
            parts.append(sparse.csr_array(dense[:, None]))
        return column(block.residual).copy(), sparse.hstack(parts, format="csr")

    def _known(self, state: Array, nodes: NDArray[np.intp]) -> dict[str, Any]:
        """Return constants, coefficients and the axes at some nodes, by name."""
        found = state[len(state) - len(self.coefficients) :]
        coefficients = dict(zip(self.coefficients, map(float, found), strict=True))
        axes = {a: at[nodes] for a, at in self.at.items()}
        return {**self.problem.constants, **coefficients, **axes}

    def clipped(self, state: Array) -> Array:
        """Return the state with the coefficients inside their bounds."""
        state = state.copy()
        for k, c in enumerate(self.problem.coefficients, len(state) - len(self.coefficients)):
            low = -np.inf if c.lower is None else c.lower + 1e-9
            state[k] = np.clip(state[k], low, np.inf if c.upper is None else c.upper)
        return state

    def start(self) -> Array:
        """Return fields of zero and the coefficients' initial values."""
        fields = np.zeros(self.size * len(self.problem.unknowns))
        return np.concatenate([fields, [c.initial for c in self.problem.coefficients]])


def _factored(matrix: Any) -> Any:
    """Factor a symmetric positive definite matrix, with an ordering and pivots for such."""
    return splu(
        matrix.tocsc(),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )


def _minimise(
    system: _Discrete, smoothness: float, state: Array, stiffness: float = 1.0
) -> tuple[Array, Any, int]:
    """Return the minimiser, the factored normal matrix there and the number of iterations.

    `stiffness` multiplies the rows of equations and conditions.
    """
    rough = np.sqrt(smoothness) * system.roughness
    steady = system.observed.T @ system.observed + rough.T @ rough
    scale = steady.diagonal().max()
    damping, factor = DAMPING

    def cost(state: Array, physics: Array) -> float:
        misfit = system.observed @ state - system.values
        return float(misfit @ misfit + np.sum((rough @ state) ** 2) + physics @ physics)

    r, jac = system.physics(state, stiffness)
    before = cost(state, r)
    for iteration in range(1, MAX_ITERATIONS + 1):
        gradient = jac.T @ r + steady @ state - system.observed.T @ system.values
        normal = steady + jac.T @ jac
        while True:
            damped = normal + sparse.diags_array(damping * (normal.diagonal() + 1e-8 * scale))
            step = _factored(damped).solve(-gradient)
            trial = system.clipped(state + step)
            r_trial, jac_trial = system.physics(trial, stiffness)
            after = cost(trial, r_trial)
            if after <= before * (1 + 1e-10):
                damping = max(damping / factor, 1e-14)
                break
            damping *= factor
            if damping > 1e6:
                return state, _factored(normal), iteration
        change = np.linalg.norm(trial - state) / (np.linalg.norm(trial) + 1e-12)
        state, r, jac, before = trial, r_trial, jac_trial, after
        if change < TOLERANCE:
            break
    normal = steady + jac.T @ jac + sparse.diags_array(np.full(len(state), 1e-14 * scale))
    return state, _factored(normal), iteration


def _score(system: _Discrete, state: Array, factored: Any, random: np.random.Generator) -> float:
    """Return n Σ misfit² / (n − tr A)², the trace of A = H N⁻¹ Hᵀ by random signs."""
    n = len(system.values)
    misfit = system.observed @ state - system.values
    signs = random.choice([-1.0, 1.0], size=(n, NUM_PROBES))
    answers = system.observed @ factored.solve(system.observed.T @ signs)
    trace = float(np.sum(signs * answers)) / NUM_PROBES
    return n * float(misfit @ misfit) / max(n - trace, 1e-12) ** 2


def _candidates(task: Task, system: _Discrete) -> Iterator[tuple[float, Array, Any, int, float]]:
    state, random = system.start(), np.random.default_rng(task.seed)
    strengths = sorted(task.options["smoothness"], reverse=True)
    for stiffness in RAMP[:-1]:
        state, *_ = _minimise(system, strengths[0], state, stiffness)
    for smoothness in strengths:
        state, factored, iterations = _minimise(system, smoothness, state)
        yield _score(system, state, factored, random), state, factored, iterations, smoothness


def _applies(problem: Problem) -> None:
    require_plain(problem)
    if len(problem.space_axes) != 1 or not problem.has_time:
        raise NotApplicable("it is for time and one space axis")


def assimilate(task: Task) -> Outcome:
    """Minimise for each strength of the smoothness and keep that of least score.

    Raises:
        NotApplicable: the problem has more space axes than one, or no time.
        SolveError: the normal equations are singular.
    """
    _applies(task.problem)
    began = time.perf_counter()
    system = _Discrete(task)
    try:
        found = min(_candidates(task, system), key=lambda candidate: candidate[0])
    except RuntimeError as error:
        raise SolveError(f"the normal equations are singular ({error})") from None
    _, state, _, iterations, smoothness = found
    matrix = system.interpolation(task.points)
    fields = state[: system.size * len(task.problem.unknowns)].reshape(-1, system.size)
    values = {f: matrix @ fields[k] for k, f in enumerate(task.problem.unknowns)}
    seconds = time.perf_counter() - began
    estimates = state[len(state) - len(system.coefficients) :]
    return Outcome(
        values,
        seconds,
        f"smoothness {smoothness:g} had the least score",
        iterations=iterations,
        coefficients=dict(zip(system.coefficients, map(float, estimates), strict=True)),
    )


VARIATIONAL = [
    Method(
        "4d-var",
        "classical",
        "weak-constraint 4D-Var: fields on a grid and coefficients from data, discrete equation "
        "and smoothness, the latter by generalised cross-validation",
        assimilate,
        DEFAULTS,
        source="Trémolet 2006",
    ),
]
