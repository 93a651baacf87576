"""The child process that solves one task with DeepXDE; nothing else may import it.

Reads ``task.pickle`` from the folder it is given and leaves ``result.npz`` and ``result.json``
there. Every part of a problem has its counterpart: the box and time are a geometry, equations and
conditions are our expression trees with derivatives by `dde.grad`, conditions hold on point sets,
observations are a `PointSetBC`, unknown coefficients `dde.Variable`s.
"""

from __future__ import annotations

import json
import pickle
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import deepxde as dde
import numpy as np
import torch

from pinngate.expression import Expression, evaluate
from pinngate.statement.derivatives import Derivative
from pinngate.statement.problem import Condition, Problem

CURVE_POINTS = 120  # states kept of each stage
LBFGS_PER_CALL = 50  # iterations between looks at the clock; its memory lives on between calls


class Translation:
    """A problem in DeepXDE's terms. Its axes are ours with time moved to the end."""

    def __init__(self, problem: Problem, options: dict[str, Any]) -> None:
        self.problem, self.options = problem, options
        self.axes = problem.space_axes + (("t",) if problem.has_time else ())
        self.order = [problem.axes.index(a) for a in self.axes]
        self.coefficients = {c.name: dde.Variable(c.initial) for c in problem.coefficients}
        self.random = np.random.default_rng(problem.solve.seed)

    def geometry(self) -> Any:
        """Return the box, times the span of time where there is one."""
        low, high = zip(*(self.problem.domain[a] for a in self.problem.space_axes), strict=True)
        match len(low):
            case 1:
                box = dde.geometry.Interval(low[0], high[0])
            case 2:
                box = dde.geometry.Rectangle(low, high)
            case 3:
                box = dde.geometry.Cuboid(low, high)
        if not self.problem.has_time:
            return box
        return dde.geometry.GeometryXTime(box, dde.geometry.TimeDomain(*self.problem.domain["t"]))

    def residual(self, expression: Expression, x: Any, y: Any) -> Any:
        """Evaluate an expression at a batch, (n, 1), derivatives by automatic differentiation."""
        values: dict[str, Any] = {**self.problem.constants, **self.coefficients}
        values |= {a: x[:, k : k + 1] for k, a in enumerate(self.axes)}
        for name, derivative in self.problem.derivatives(expression).items():
            values[name] = self.derivative(derivative, x, y)
        return evaluate(expression, values, torch) * torch.ones_like(x[:, :1])

    def derivative(self, derivative: Derivative, x: Any, y: Any) -> Any:
        """Return ∂^α of one field: the Jacobian, the Hessian, and Jacobians of that beyond."""
        field = self.problem.unknowns.index(derivative.field)
        along = [
            self.axes.index(a)
            for a, k in zip(self.problem.axes, derivative.orders, strict=True)
            for _ in range(k)
        ]
        if not along:
            return y[:, field : field + 1]
        if len(along) == 1:
            return dde.grad.jacobian(y, x, i=field, j=along[0])
        value = dde.grad.hessian(y, x, component=field, i=along[0], j=along[1])
        for axis in along[2:]:
            value = dde.grad.jacobian(value, x, i=0, j=axis)
        return value

    def equations(self, x: Any, y: Any) -> list[Any]:
        """Return every equation's residual."""
        return [self.residual(e.residual, x, y) for e in self.problem.equations]

    def condition(self, condition: Condition) -> Any:
        """Return an exact condition on points drawn on its plane."""
        is_initial = condition.where.axis == "t"
        count = self.options["num_initial" if is_initial else "num_boundary"]
        columns = [
            np.full(count, condition.where.value)
            if a == condition.where.axis
            else self.random.uniform(*self.problem.domain[a], count)
            for a in self.axes
        ]
        return dde.icbc.PointSetOperatorBC(
            np.stack(columns, axis=1),
            0.0,
            lambda x, y, _: self.residual(condition.residual, x, y),
        )

    def periodic(self, geometry: Any, axis: str) -> list[Any]:
        """Return that values, and slopes where an equation is of second order, repeat."""
        k, ours = self.axes.index(axis), self.problem.axes.index(axis)
        orders = [
            d.orders[ours]
            for e in self.problem.equations
            for d in self.problem.derivatives(e.residual).values()
        ]
        low, high = self.problem.domain[axis]

        def at_end(x: Any, on_boundary: bool) -> bool:
            return bool(on_boundary and min(abs(x[k] - low), abs(x[k] - high)) < 1e-6)

        return [
            dde.icbc.PeriodicBC(geometry, k, at_end, derivative_order=order, component=field)
            for field in range(len(self.problem.unknowns))
            for order in range(min(2, max(orders)))
        ]

    def data(self, observations: list[Any]) -> Any:
        """Return DeepXDE's data set of equations, conditions and observations."""
        geometry = self.geometry()
        terms = [self.condition(c) for c in self.problem.conditions]
        for axis in self.problem.periodic:
            terms += self.periodic(geometry, axis)
        for of, points, values in observations:
            field = self.problem.unknowns.index(of)
            term = dde.icbc.PointSetBC(points[:, self.order], values[:, None], component=field)
            terms.append(term)
        counts = {key: self.options[key] for key in ("num_domain", "num_boundary")}
        if self.problem.has_time:
            counts["num_initial"] = self.options["num_initial"]
            return dde.data.TimePDE(geometry, self.equations, terms, **counts)
        return dde.data.PDE(geometry, self.equations, terms, **counts)


class Clock(dde.callbacks.Callback):
    """Keeps states along the way and stops when the time is up; its own time does not count."""

    def __init__(self, evaluate_at: Callable[[], Any], every: int) -> None:
        super().__init__()
        self.evaluate_at = evaluate_at
        self.every = every
        self.deadline: float | None = None
        self.began, self.paused = time.perf_counter(), 0.0
        self.seconds: list[float] = []
        self.iterations: list[int] = []
        self.states: list[Any] = []
        self.is_up = False

    @property
    def elapsed(self) -> float:
        """Seconds of work so far."""
        return time.perf_counter() - self.began - self.paused

    def keep(self) -> None:
        """Keep the present state."""
        elapsed, stopped = self.elapsed, time.perf_counter()
        self.seconds.append(elapsed)
        self.iterations.append(int(self.model.train_state.iteration))
        self.states.append(self.evaluate_at())
        self.paused += time.perf_counter() - stopped

    def on_epoch_end(self) -> None:
        """Keep a state now and then, and look at the time."""
        iteration = int(self.model.train_state.iteration)
        early = iteration < self.every and iteration & (iteration - 1) == 0
        if early or iteration % self.every == 0:
            self.keep()
        if self.deadline is not None and self.elapsed > self.deadline:
            self.is_up = self.model.stop_training = True


def _settle_lbfgs(maximum: int) -> None:
    settings = dde.optimizers.config.LBFGS_options
    dde.optimizers.set_LBFGS_options(maxiter=maximum)
    settings["iter_per_step"] = LBFGS_PER_CALL
    settings["fun_per_step"] = settings["maxfun"] * LBFGS_PER_CALL // maximum


def _warm_up() -> None:
    """Let torch load what its first optimizer step needs, so that no method pays for it."""
    weight = torch.zeros(1, requires_grad=True)
    weight.square().sum().backward()
    torch.optim.Adam([weight]).step()


@dataclass(frozen=True)
class Stage:
    """One optimizer of a run: how many iterations it has at most, and until when, in seconds."""

    name: str
    num_iterations: int
    deadline: float | None
    options: dict[str, Any]


def _stages(options: dict[str, Any]) -> list[Stage]:
    """Return the stages in order; all but the last have half of the budget at most."""
    names, budget = options["steps"], options["budget"]
    first = {"lr": options["learning_rate"]}
    stages = []
    for k, name in enumerate(names):
        share = 1.0 if k == len(names) - 1 else 0.5
        count = options["iterations" if k == 0 else "second_iterations"]
        deadline = None if budget is None else budget * share
        stages.append(Stage(name, count, deadline, first if name == "adam" else {}))
    return stages


def _train(model: Any, stage: Stage, clock: Clock, variables: list[Any] | None) -> str:
    """Train by one stage and return in words why it ended."""
    count = stage.num_iterations
    clock.every = max(1, count // CURVE_POINTS)
    clock.deadline, clock.is_up = stage.deadline, False
    if stage.name == "L-BFGS":
        clock.every = LBFGS_PER_CALL
        _settle_lbfgs(count)
    model.compile(stage.name, external_trainable_variables=variables, **stage.options)
    model.train(iterations=count, callbacks=[clock], display_every=count)
    why = "the time was up" if clock.is_up else "its iterations were done or it converged"
    return f"{stage.name}: {why} at iteration {model.train_state.iteration}"


def solve(folder: Path) -> None:
    """Solve the task of a folder."""
    request = pickle.loads((folder / "task.pickle").read_bytes())
    problem, options = request["problem"], request["options"]
    dde.config.set_default_float(options["precision"])
    dde.config.set_random_seed(problem.solve.seed)
    torch.set_num_threads(1)

    def predict(points: Any) -> Any:
        with torch.no_grad():
            ordered = torch.as_tensor(points[:, translation.order], dtype=torch.get_default_dtype())
            return net(ordered).double().numpy()

    _warm_up()
    began = time.perf_counter()
    translation = Translation(problem, options)
    layers = [len(problem.axes)] + [options["width"]] * options["depth"] + [len(problem.unknowns)]
    net = dde.nn.FNN(layers, "tanh", "Glorot normal")
    model = dde.Model(translation.data(request["observations"]), net)
    variables = list(translation.coefficients.values()) or None
    clock = Clock(lambda: predict(request["watched"]), 1)
    clock.began = began
    reasons = [_train(model, stage, clock, variables) for stage in _stages(options)]
    clock.keep()
    values = predict(request["points"])
    if not np.isfinite(values).all():
        raise FloatingPointError("the solution is not finite")
    np.savez(folder / "result.npz", values=values, states=np.stack(clock.states))
    told = {
        "seconds": clock.seconds,
        "iterations": clock.iterations,
        "total": clock.seconds[-1],
        "reason": "; ".join(reasons),
        "coefficients": {n: float(v.detach()) for n, v in translation.coefficients.items()},
        "library": f"deepxde {dde.__version__}",
    }
    (folder / "result.json").write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    solve(Path(sys.argv[1]))
