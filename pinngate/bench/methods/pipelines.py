"""Classical pipelines as methods of a benchmark: smooth the data, then solve.

The smoothing spline with the reference solver is what every run is compared with
(`pinngate.classical`). Beside it stand a Gaussian process (scikit-learn, hyper-parameters by
maximum marginal likelihood) and least-squares sines whose number is chosen by generalised
cross-validation, both before the same solver; and the Gaussian process before an ordinary
physics-informed network, which then takes the smoothed initial condition for exact.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pinngate.bench.methods.contract import (
    Array,
    Method,
    NotApplicable,
    Outcome,
    Task,
    require_plain,
)
from pinngate.bench.methods.own import prepare, solve_keys, watched
from pinngate.classical import classical
from pinngate.classical.baseline import Initial, Smoother, fixed_ends, stated_precision
from pinngate.data.observations import ObservationSet
from pinngate.errors import InputError
from pinngate.limits.modes import Family, Mode, family_of
from pinngate.statement.problem import MeasuredObservations, Plane, Problem, changed

NUM_RESTARTS = 4  # of the search for the process's hyper-parameters, which has local optima
NUM_SMOOTHED = 200  # values of the smoothed initial condition that the network is given
MAX_MODES = 100


def _samples(problem: Problem, seen: Sequence[ObservationSet]) -> tuple[str, Array, Array]:
    if len(problem.space_axes) != 1:
        raise InputError("this smoother is for one space axis")
    axis = problem.space_axes[0]
    points = np.concatenate([data.points for data in seen])
    return axis, points[:, problem.axes.index(axis)], np.concatenate([d.values for d in seen])


def _lift(problem: Problem, f: str, axis: str) -> tuple[Initial, bool]:
    """Return the straight line through known end values, and whether both ends are known."""
    low, high = problem.domain[axis]
    ends = fixed_ends(problem, f, axis)
    a, b = ends.get(low, 0.0), ends.get(high, 0.0)
    return lambda axes: a + (b - a) * (axes[axis] - low) / (high - low), len(ends) == 2


def gaussian_process(problem: Problem, f: str, seen: Sequence[ObservationSet]) -> Initial:
    """Return the posterior mean of a Gaussian process of the noisy initial condition.

    RBF kernel (its periodic form where the axis is periodic) plus white noise. Known end values
    enter as a thousand times more precise data, as an analyst would tell them to the process.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, ExpSineSquared, WhiteKernel

    axis, x, y = _samples(problem, seen)
    low, high = problem.domain[axis]
    length = high - low
    centre, size = float(np.mean(y)), float(np.std(y)) or 1.0
    targets = (y - centre) / size
    shape: Any = RBF(0.2 * length, (1e-2 * length, 10 * length))
    if axis in problem.periodic:
        shape = ExpSineSquared(1.0, length, (1e-2, 1e2), "fixed")
    kernel = ConstantKernel(1.0, (1e-2, 1e2)) * shape
    model = GaussianProcessRegressor(
        kernel + WhiteKernel(0.3, (1e-6, 1e1)), n_restarts_optimizer=NUM_RESTARTS, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a bound of the search was met
        model.fit(x[:, None], targets)
    fitted, noise = model.kernel_.k1, float(model.kernel_.k2.noise_level)
    precision = stated_precision(seen)
    spread = np.full(len(x), noise)
    if precision is not None:
        spread = noise * float(np.mean(precision)) / precision
    ends = fixed_ends(problem, f, axis)
    places = np.concatenate([x, list(ends)])
    values = np.concatenate([targets, (np.array(list(ends.values())) - centre) / size])
    spread = np.concatenate([spread, np.full(len(ends), 1e-6 * noise)])
    weights = np.linalg.solve(fitted(places[:, None]) + np.diag(spread), values)

    def mean(axes: dict[str, Array]) -> Array:
        at = np.asarray(axes[axis], dtype=float)
        found = fitted(at.reshape(-1, 1), places[:, None]) @ weights
        return np.asarray(centre + size * found.reshape(at.shape))

    return mean


def least_squares_modes(problem: Problem, f: str, seen: Sequence[ObservationSet]) -> Initial:
    """Return a sum of the first K modes of the boundary conditions, fitted by least squares.

    K minimises n Σ(y − fit)²/(n − p)², p the number of amplitudes.

    Raises:
        InputError: the conditions at the ends are not such that sines, cosines or waves fit them.
    """
    axis, x, y = _samples(problem, seen)
    family = family_of(problem, f, axis)
    if family is None or not family.is_exact:
        raise InputError("no family of modes fits the conditions at the ends")
    line, _ = _lift(problem, f, axis)
    precision = stated_precision(seen)
    root = np.ones(len(x)) if precision is None else np.sqrt(precision / precision.mean())
    chosen = _best_modes(family, x, root * (y - line({axis: x})), root)

    def fit(axes: dict[str, Array]) -> Array:
        waves = [a * mode(axes[axis]) for mode, a in zip(*chosen, strict=True)]
        return np.asarray(line(axes) + sum(waves, np.zeros_like(axes[axis])))

    return fit


def _best_modes(family: Family, x: Array, data: Array, root: Array) -> tuple[list[Mode], Array]:
    """Return the first modes of least score and their amplitudes.

    Args:
        family: of the boundary conditions.
        x: positions, (n,).
        data: values times `root`, (n,).
        root: square roots of the weights, (n,).
    """
    n = len(x)
    modes: list[Mode] = []
    best = np.inf
    chosen: tuple[list[Mode], Array] = ([], np.empty(0))
    for unit in family.units(MAX_MODES):
        modes = [*modes, *unit]
        if len(modes) > n // 2:
            break
        matrix = root[:, None] * np.stack([mode(x) for mode in modes], axis=1)
        amplitudes, *_ = np.linalg.lstsq(matrix, data, rcond=None)
        misfit = float(np.sum((data - matrix @ amplitudes) ** 2))
        score = n * misfit / (n - len(modes)) ** 2
        if score < best:
            best, chosen = score, (modes, np.asarray(amplitudes, dtype=np.float64))
    return chosen


def _solved(task: Task, smoother: tuple[str, Smoother] | None) -> Outcome:
    started = time.perf_counter()
    found = classical(task.problem, task.observations, smoother=smoother)
    if found is None:
        raise NotApplicable("the problem is not of the class of this pipeline")
    fields = found(task.points)
    seconds = time.perf_counter() - started
    if set(fields) != set(task.problem.unknowns):
        raise NotApplicable("not every unknown is found")
    return Outcome(fields, seconds, found.method)


def _gaussian_process_network(task: Task) -> Outcome:
    _require_noisy_start(task)
    problem = task.problem
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="pinngate-bench-") as folder:
        smoothed = _smoothed_start(task, Path(folder))
        smoothing = time.perf_counter() - began
        exact = changed(problem, observations=smoothed)
        outcome = watched(replace(task, problem=exact))
    iterations = outcome.metrics["iterations"] if outcome.metrics else None
    # What our own verdict says of noise and coverage is of the smoothed values: it is left out.
    return replace(
        outcome, seconds=smoothing + outcome.seconds, iterations=iterations, metrics=None
    )


def _require_noisy_start(task: Task) -> None:
    """Refuse a task that observes anything but the start of fields on a line."""
    problem = task.problem
    require_plain(problem)
    if not problem.has_time or len(problem.space_axes) != 1:
        raise NotApplicable("it needs time and one space axis")
    start = Plane("t", problem.domain["t"][0])
    if not task.observations or any(o.where != start for o in task.observations):
        raise NotApplicable("not all observations are at the initial time")


def _smoothed_start(task: Task, folder: Path) -> tuple[MeasuredObservations, ...]:
    """Write the Gaussian process of each observed field as a file of exact values."""
    problem, observations = task.problem, task.observations
    start, axis = problem.domain["t"][0], problem.space_axes[0]
    x = np.linspace(*problem.domain[axis], NUM_SMOOTHED)
    smoothed = []
    for f in dict.fromkeys(o.of for o in observations):
        values = gaussian_process(problem, f, [o for o in observations if o.of == f])({axis: x})
        file = folder / f"{f}.npz"
        columns: dict[str, Any] = {axis: x, "t": np.full(len(x), start), f: values}
        np.savez(file, **columns)
        smoothed.append(MeasuredObservations(f, file))
    return tuple(smoothed)


PIPELINES = [
    Method(
        "spline-solver",
        "classical",
        "smoothing spline by generalised cross-validation, then a numerical solver; of scattered "
        "data a thin-plate spline, which ignores the equation",
        lambda task: _solved(task, None),
        source="Wahba 1990",
    ),
    Method(
        "gp-solver",
        "classical",
        "Gaussian process by maximum marginal likelihood, then a numerical solver",
        lambda task: _solved(task, ("Gaussian process", gaussian_process)),
        module="sklearn",
        source="Rasmussen & Williams 2006",
    ),
    Method(
        "modes-solver",
        "classical",
        "least-squares sines by generalised cross-validation, then a numerical solver",
        lambda task: _solved(task, ("least-squares modes", least_squares_modes)),
        source="Craven & Wahba 1979",
    ),
    Method(
        "gp-pinn",
        "classical",
        "Gaussian process, then an ordinary network that takes its mean for exact",
        _gaussian_process_network,
        solve_keys("adam"),
        partial(prepare, optimizer="adam"),
        "sklearn",
    ),
]
