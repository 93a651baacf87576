"""Least squares through a solver, as an analyst does it: scipy's search through scipy's LSODA.

For ordinary differential equations. Unknown coefficients, in the logarithm where they are positive,
and initial values that no condition states are the parameters of `scipy.optimize.least_squares`;
intervals are those of its Jacobian. It begins from what the problem states, or from the truth,
which no analyst knows: then it is the best that data and model allow.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import OptimizeResult, least_squares
from scipy.stats import t as student

from pinngate.bench.methods.contract import (
    Array,
    Method,
    NotApplicable,
    Outcome,
    Task,
    data_alone,
    require_plain,
)
from pinngate.errors import InputError, SolveError
from pinngate.expression import evaluate
from pinngate.inference.posterior import CoefficientInterval
from pinngate.reference.evolution import evolution, initial_state
from pinngate.reference.runge_kutta import Rate, StiffError
from pinngate.statement.derivatives import Derivative, derivative_name
from pinngate.statement.problem import Problem, changed

RTOL = 1e-10  # of the integrator
STEP = 1e-4  # of central differences, whose error is then that of the integrator
MAX_EVALUATIONS = 20_000
FAR = 1e6  # residual, in units of the noise, where the integrator fails
TRUTH, STATED = "truth", "stated"


class _Model:
    """The parameters of one problem and what the solver says at them.

    Args:
        task: the problem and its data.
        is_from_truth: where unknown initial values start.
    """

    def __init__(self, task: Task, *, is_from_truth: bool) -> None:
        self.problem, self.sets = task.problem, task.observations
        self.free = _unstated(self.problem)
        stated = [np.log(c.initial) if c.is_positive else c.initial for c in self._coefficients]
        guessed = [self._guess(name, is_from_truth=is_from_truth) for name in self.free]
        self.start = np.array([*stated, *guessed], dtype=np.float64)
        self.values = np.concatenate([data.values for data in self.sets])
        self.std = np.concatenate([_std(data.values, data.std) for data in self.sets])

    @property
    def _coefficients(self) -> Any:
        return self.problem.coefficients

    def _guess(self, name: str, *, is_from_truth: bool) -> float:
        if is_from_truth and self.problem.truth is not None:
            return float(evaluate(self.problem.truth.clean[name], self.problem.constants, np))
        seen = [d for d in self.sets if d.of == name and d.is_of_field]
        return float(seen[0].values[np.argmin(seen[0].points[:, 0])]) if seen else 0.0

    def coefficients(self, theta: Array) -> dict[str, float]:
        """Return their values at θ."""
        pairs = zip(self._coefficients, theta.tolist(), strict=False)
        return {c.name: float(np.exp(v)) if c.is_positive else v for c, v in pairs}

    def slopes(self, theta: Array) -> dict[str, float]:
        """Return ∂ value / ∂θ of each coefficient."""
        values = self.coefficients(theta)
        return {c.name: values[c.name] if c.is_positive else 1.0 for c in self._coefficients}

    def fields(self, theta: Array, times: Array) -> dict[str, Array]:
        """Return the fields at θ, (n,) each, at times (n,) in any order.

        Raises:
            SolveError: the integration fails.
        """
        names = zip(self.free, theta[len(self._coefficients) :].tolist(), strict=True)
        initial = {name: _constant(value) for name, value in names}
        system = evolution(self.problem, self.coefficients(theta))
        start = np.array([float(value) for value in initial_state(system, initial, {})])
        size = np.maximum(np.abs(start), 1e-3 * (np.abs(start).max() or 1.0))
        rate, span = Rate(system, MAX_EVALUATIONS), self.problem.domain["t"]
        at, order = np.unique(times, return_inverse=True)
        found = solve_ivp(rate, span, start, "LSODA", at, rtol=RTOL, atol=RTOL * size)
        if not found.success:
            raise SolveError(str(found.message))
        rows = {f: i for i, (f, k) in enumerate(system.components) if k == 0}
        return {f: found.y[i][order] for f, i in rows.items()}

    def residuals(self, theta: Array) -> Array:
        """Return solver minus data in units of the noise, (n,)."""
        try:
            with np.errstate(all="ignore"):
                found = self._residuals(theta)
        except (SolveError, StiffError, InputError, ArithmeticError, ValueError):
            return np.full(len(self.values), FAR)
        return np.nan_to_num(found, nan=FAR, posinf=FAR, neginf=-FAR)

    def _residuals(self, theta: Array) -> Array:
        times = np.concatenate([data.points[:, 0] for data in self.sets])
        fields, read, at = self.fields(theta, times), [], 0
        known = dict(self.problem.constants) | self.coefficients(theta)
        for data in self.sets:
            own = slice(at, at := at + len(data.values))
            names = {**known, **{f: v[own] for f, v in fields.items()}, "t": times[own]}
            values = evaluate(data.expression, names, np)
            read.append(np.broadcast_to(values, data.values.shape))
        return np.asarray((np.concatenate(read) - self.values) / self.std)


def _constant(value: float) -> Any:
    return lambda axes: value


def _std(values: Array, std: Array | None) -> Array:
    return np.full_like(values, np.std(values) or 1.0) if std is None else std


def _unstated(problem: Problem) -> list[str]:
    """Return the names of initial values that no condition states: ``u``, ``u_t`` and so on."""
    system, found = evolution(problem, {c.name: c.initial for c in problem.coefficients}), []
    every = {
        derivative_name(Derivative(f, (order,)), problem.axes): (f, order)
        for f, order in system.components
    }
    for name in every:
        others: Mapping[str, Any] = {n: _constant(0.0) for n in every if n != name}
        try:
            initial_state(system, others, {})
        except InputError:
            found.append(name)
    return found


def _solve(task: Task) -> Outcome:
    require_plain(task.problem)
    if task.problem.space_axes:
        raise NotApplicable("it is for ordinary differential equations")
    began = time.perf_counter()
    model = _Model(task, is_from_truth=task.options["start"] == TRUTH)
    found = least_squares(model.residuals, model.start, "3-point", x_scale="jac", diff_step=STEP)
    fields = model.fields(found.x, task.points[:, 0])
    seconds = time.perf_counter() - began
    intervals = _intervals(model, found)
    estimates = {name: interval.estimate for name, interval in intervals.items()}
    return Outcome(
        fields, seconds, str(found.message), int(found.nfev), estimates, intervals=intervals
    )


def _intervals(model: _Model, found: OptimizeResult) -> dict[str, CoefficientInterval]:
    """Return intervals of the linearised model, those of positive ones in the logarithm."""
    free = len(found.fun) - len(found.x)
    variance = float(np.square(found.fun).sum()) / max(free, 1)
    stds = np.sqrt(np.maximum(variance * np.diag(np.linalg.pinv(found.jac.T @ found.jac)), 0.0))
    reach, intervals = student.ppf(0.975, max(free, 1)), {}
    slopes = model.slopes(found.x)
    for k, (name, value) in enumerate(model.coefficients(found.x).items()):
        is_positive = model.problem.coefficients[k].is_positive
        with np.errstate(over="ignore"):
            factor = np.exp(reach * stds[k])
        ends = (value / factor, value * factor)
        if not is_positive:
            ends = (value - reach * stds[k], value + reach * stds[k])
        std = float(slopes[name] * stds[k])
        intervals[name] = CoefficientInterval(value, std, float(ends[0]), float(ends[1]))
    return intervals


def _prepare(problem: Problem, options: Mapping[str, Any]) -> Problem:
    problem = data_alone(problem, options)
    if options["start"] != TRUTH:
        return problem
    true = problem.true_coefficients()
    coefficients = tuple(replace(c, initial=true[c.name]) for c in problem.coefficients)
    return changed(problem, coefficients=coefficients)


LEAST_SQUARES = [
    Method(
        "least-squares-solver",
        "classical",
        "least squares through a numerical solver, from the stated coefficients or from the truth",
        _solve,
        {"start": STATED},
        _prepare,
        source="scipy's least_squares and solve_ivp",
    )
]
