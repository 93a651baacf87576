"""A direct fit: everything that is unknown in a problem, by least squares through its solver.

The front door of `direct_fit`. The fields meet equations and conditions up to the error of the
solver, which is told; so intervals are those of the exact model. From a bad start least squares ends
in the nearest minimum: the start comes from elsewhere, but for one or two positive coefficients,
which are searched for in half-decades where the first fit is poor.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

from pinngate.data.observations import ObservationSet
from pinngate.model.coefficients import Coefficients
from pinngate.optim.direct_fit.exact_model import ExactModel, Resolution, Solution, stacked
from pinngate.optim.direct_fit.levenberg_marquardt import (
    Iterate,
    LevenbergMarquardt,
    NoiseScales,
)
from pinngate.optim.direct_fit.marching_form import CannotMarch, MarchingForm
from pinngate.optim.direct_fit.radau_march import MarchFailed
from pinngate.optim.direct_fit.ridge_choice import Ridges
from pinngate.optim.direct_fit.unknowns import Guess, Unknowns
from pinngate.statement.problem import Problem

Array = NDArray[np.float64]

NUM_NODES = {2: 200, 4: 100}  # to begin with, by order of the differences
MOST_NODES = 900
TOLERANCE = 1e-4
FINER_NODES, FINER_STEPS = 1.6, 0.25
SHIFT = 0.25  # of a standard deviation: a solver's error beyond which it is refined
FUNCTION_RIDGE, STATE_RIDGE = 10.0, 0.1  # to begin with
POOR = 0.5  # of the data's variance left unexplained: the start was bad
DECADES = {1: 10.0, 2: 2.0}  # how far half-decades are searched, by number of coefficients


@dataclass(frozen=True)
class SolverError:
    """What a finer solver changes.

    Attributes:
        values: largest change of what sensors read, in standard deviations of the noise.
        shift: of any coefficient, or of all unknowns in the mean, in their standard deviations.
    """

    values: float
    shift: float


@dataclass(frozen=True)
class DirectFit:
    """The answer of a direct fit.

    Attributes:
        names: of the coefficients.
        raw: their raw numbers (K,), see `model.coefficients`.
        raw_covariance: of those, (K, K).
        coefficients: value and standard deviation by name.
        residuals: observed minus read, by name of the set.
        leave_one_out: errors of values that were left out, by name of the set.
        noise_std: standard deviation of the noise of each set: its own, or as estimated.
        risk: mean squared leave-one-out error over the noise, over all values.
        is_converged: whether the search came to an end by itself.
        iterations: steps of the search.
        seconds: in all.
        num_nodes: in space.
        num_steps: in time.
        solver_error: what a finer solver changes.
        description: how it was solved, one sentence.
    """

    names: tuple[str, ...]
    raw: Array
    raw_covariance: Array
    coefficients: Mapping[str, tuple[float, float]]
    residuals: Mapping[str, Array]
    leave_one_out: Mapping[str, Array]
    noise_std: Mapping[str, float]
    risk: float
    is_converged: bool
    iterations: int
    seconds: float
    num_nodes: int
    num_steps: int
    solver_error: SolverError
    description: str
    _model: ExactModel = field(repr=False)
    _solution: Solution = field(repr=False)
    _theta: Array = field(repr=False)
    _root: Array = field(repr=False)

    def fields(self, points: Array) -> Array:
        """Return unknowns, then coefficient functions, at points (n, axes): (n, F)."""
        return self._model.fields(self._solution, self._theta, points)[0]

    def std(self, points: Array) -> Array:
        """Return standard deviations of the same, (n, F)."""
        slopes = self._model.fields(self._solution, self._theta, points)[1]
        return np.asarray(np.sqrt(np.square(slopes @ self._root).sum(axis=2)))


def direct_fit(
    problem: Problem,
    sets: Sequence[ObservationSet],
    coefficients: Coefficients,
    start: Guess | None = None,
    *,
    max_iterations: int = 40,
) -> DirectFit:
    """Fit a problem to its data through a solver.

    Args:
        problem: time and at most one space axis; its truth is never read.
        sets: the observations.
        coefficients: the scalar coefficients at their initial values; they are not changed.
        start: points (n, axes) → guesses of the unknowns, then of the coefficient functions, (n, F),
            for initial states that are not stated; zeros where None.
        max_iterations: steps of the search on each resolution.

    Raises:
        CannotMarch: the problem is none that this solver takes, or no solution was found.

    Cost: each iteration one march with all tangents, see `radau_march`.
    """
    began = time.perf_counter()
    if not sets:
        raise CannotMarch("there are no observations")
    search = _Search(problem, sets, coefficients, max_iterations)
    found = search.run(search.unknowns.start(start))
    return search.answer(found, began)


class _Search:
    """The search on one problem; `resolution` is what its model marches on."""

    def __init__(
        self,
        problem: Problem,
        sets: Sequence[ObservationSet],
        coefficients: Coefficients,
        max_iterations: int,
    ) -> None:
        self.problem, self.sets, self.max_iterations = problem, list(sets), max_iterations
        form = MarchingForm(problem)
        sizes = _state_sizes(form, sets)
        self.unknowns = Unknowns(form, coefficients, sizes)
        self.model = ExactModel(form, self.unknowns, sizes)
        self.values = np.concatenate([data.values for data in sets])
        ends = np.cumsum([len(data.values) for data in sets])
        parts = [slice(int(e) - len(d.values), int(e)) for e, d in zip(ends, sets, strict=True)]
        spreads = [float(np.std(d.values)) or float(np.abs(d.values).max()) or 1.0 for d in sets]
        self.noise = NoiseScales(parts, [data.std for data in sets], spreads)
        self._spreads = spreads
        blocks, functions = self.unknowns.blocks, self.unknowns.functions
        first = [FUNCTION_RIDGE if b.name in functions else STATE_RIDGE for b in blocks]
        self.ridges = Ridges([b.part for b in blocks], self.unknowns.num_free, first)
        self.steps = LevenbergMarquardt(
            self.residuals, self.noise, self.ridges, self.unknowns.length
        )
        count = NUM_NODES[self.model.accuracy]
        self.resolution = self.model.first_resolution(count, TOLERANCE)
        self.solution: Solution | None = None

    def residuals(self, theta: Array) -> tuple[Array, Array] | None:
        """Return read minus observed, and its Jacobian; None where there is no solution."""
        try:
            # tangents are asked for at once: most steps are taken
            if self.solution is None or self._solved_at is not theta:
                self.solution = self.model.solve(theta, self.resolution, with_tangents=True)
                with np.errstate(all="ignore"):
                    self._read = stacked(
                        [self.model.readings(self.solution, theta, data) for data in self.sets]
                    )
                self._solved_at = theta
        except MarchFailed:
            self.solution = None
            return None
        values, jacobian = self._read
        if not (np.isfinite(values).all() and np.isfinite(jacobian).all()):
            return None
        return values - self.values, jacobian

    def run(self, theta: Array) -> Iterate:
        """Return the best iterate on a resolution whose error is small."""
        self._adapt(theta, self._count)
        found = self.steps.run(theta, self.max_iterations)
        if self._is_poor(found):
            found = self._scanned(theta, found)
        if found is None:
            raise CannotMarch("no solution was found from the start")
        self._adapt(found.theta, self._count)
        found = self.steps.run(found.theta, self.max_iterations) or found
        return self._refined(found)

    @property
    def _count(self) -> int:
        return len(self.resolution.line.nodes)

    def _adapt(self, theta: Array, count: int, tolerance: float = TOLERANCE) -> None:
        self._resolve(theta)
        if self.solution is not None:
            adapted = self.model.adapted_resolution(self.solution, count, tolerance)
            self.resolution, self.solution = adapted, None

    def _resolve(self, theta: Array) -> None:
        if self.solution is None or self._solved_at is not theta:
            self.residuals(theta)

    def _is_poor(self, found: Iterate | None) -> bool:
        if found is None:
            return True
        pairs = zip(self.noise.parts, self._spreads, strict=True)
        left = [float(np.square(found.residual[p] / s).mean()) for p, s in pairs]
        return max(left) > POOR

    def _scanned(self, theta: Array, found: Iterate | None) -> Iterate | None:
        """Return the better of an iterate and the one from the best start in half-decades."""
        coefficients = self.unknowns.coefficients.specifications
        if len(coefficients) not in DECADES or not all(c.is_positive for c in coefficients):
            return found
        reach = DECADES[len(coefficients)]
        half = np.log(10) * np.arange(-reach, reach + 0.1, 0.5)
        best, least = None, np.inf
        for shift in itertools.product(half, repeat=len(coefficients)):
            tried = theta.copy()
            tried[self.unknowns.scalars] += shift
            here = self.residuals(tried)
            if here is not None and (size := self._size(here[0])) < least:
                best, least = tried, size
        if best is None or (found is not None and least >= self._size(found.residual)):
            return found
        again = self.steps.run(best, self.max_iterations)
        return again or found

    def _size(self, residual: Array) -> float:
        pairs = zip(self.noise.parts, self._spreads, strict=True)
        return sum(float(np.square(residual[p] / s).sum()) for p, s in pairs)

    def _refined(self, found: Iterate) -> Iterate:
        """Refine the solver until it changes little."""
        tolerance, count = TOLERANCE, self._count
        while True:
            coarse = found.residual
            tolerance *= FINER_STEPS
            count = count if self.model.form.axis is None else round(count * FINER_NODES)
            self._adapt(found.theta, count, tolerance)
            fine = self.steps.at(found.theta)
            if fine is None:
                raise CannotMarch("the refined solver finds no solution")
            change = float(np.abs((fine.residual - coarse) / self.noise.values).max())
            self.error = SolverError(change, self._shift(fine, coarse))
            found = self.steps.run(fine.theta, self.max_iterations) or fine
            if self.error.shift < SHIFT or count * FINER_NODES > MOST_NODES:
                return found

    def _shift(self, fine: Iterate, coarse: Array) -> float:
        """Return how far the change of the residuals moves the unknowns, in their deviations."""
        std = self.noise.values
        j = fine.jacobian / std[:, None]
        slope = j.T @ ((fine.residual - coarse) / std)
        root = _root_of_covariance(j, self.ridges.diagonal)
        moved = root.T @ slope
        each = np.abs(root @ moved) / np.maximum(np.linalg.norm(root, axis=1), 1e-300)
        mean = np.linalg.norm(moved) / np.sqrt(max(1, len(moved)))
        return float(max(mean, each[self.unknowns.scalars].max(initial=0.0)))

    def answer(self, found: Iterate, began: float) -> DirectFit:
        """Return the answer at an iterate."""
        std = self.noise.values
        for _ in range(2):
            fit = self.ridges.fit(found.jacobian / std[:, None], found.residual / std, found.theta)
            self.noise.follow(found.residual, fit.leverage.numpy())
        self._resolve(found.theta)
        assert self.solution is not None
        root = _root_of_covariance(found.jacobian / std[:, None], self.ridges.diagonal)
        unknowns = self.unknowns
        names, at = unknowns.coefficients.names, unknowns.scalars
        covariance = root[at] @ root[at].T
        values, slopes = unknowns.scalar_values(found.theta)
        deviations = np.abs(slopes) * np.sqrt(covariance.diagonal())
        by_set = list(zip(self.sets, self.noise.parts, strict=True))
        left_out = fit.leave_one_out.numpy()
        num_steps = self.solution.march.num_steps
        return DirectFit(
            names=names,
            raw=found.theta[at].copy(),
            raw_covariance=covariance,
            coefficients={
                n: (float(v), float(d)) for n, v, d in zip(names, values, deviations, strict=True)
            },
            residuals={d.name: -found.residual[p] for d, p in by_set},
            leave_one_out={d.name: -left_out[p] * std[p] for d, p in by_set},
            noise_std={d.name: float(np.sqrt(np.square(std[p]).mean())) for d, p in by_set},
            risk=float(np.square(left_out).mean()),
            is_converged=self.steps.has_converged,
            iterations=self.steps.iterations,
            seconds=time.perf_counter() - began,
            num_nodes=self._count,
            num_steps=num_steps,
            solver_error=self.error,
            description=self._description(num_steps),
            _model=self.model,
            _solution=self.solution,
            _theta=found.theta,
            _root=root,
        )

    def _description(self, num_steps: int) -> str:
        method = f"{num_steps} steps of the Radau IIA method of fifth order in time"
        if self.model.form.axis is None:
            return f"Least squares through {method}."
        return (
            f"Least squares through {method} and differences of order {self.model.accuracy} on "
            f"{self._count} nodes in {self.model.form.axis}."
        )


def _root_of_covariance(jacobian: Array, ridge: Array) -> Array:
    """Return L with L Lᵀ = (JᵀJ + Λ)⁻¹, (P, P), from a QR factorisation of both."""
    rows = np.concatenate([jacobian, np.diag(np.sqrt(ridge))])
    scale = 1 / np.maximum(np.linalg.norm(rows, axis=0), 1e-300)
    r = np.linalg.qr(rows * scale, mode="r")
    floor = 1e-13 * np.abs(r.diagonal()).max(initial=1e-300)
    r[np.diag_indices(len(r))] = np.where(
        np.abs(r.diagonal()) < floor, floor, r.diagonal()
    )
    inverse = solve_triangular(r, np.eye(len(r)))
    return np.asarray(scale[:, None] * inverse)


def _state_sizes(form: MarchingForm, sets: Sequence[ObservationSet]) -> Array:
    """Return a size of each state: of the observed field, that over the duration for rates."""
    start, end = form.problem.domain["t"]
    seen: dict[str, float] = {}
    for data in sets:
        if data.is_of_field:
            size = float(np.abs(data.values).max())
            seen[data.of] = max(seen.get(data.of, 0.0), size)
    typical = max(seen.values(), default=1.0) or 1.0
    sizes = [(seen.get(f, 0.0) or typical) / (end - start) ** j for f, j in form.states]
    return np.array(sizes)


__all__ = ["DirectFit", "Resolution", "SolverError", "cholesky", "direct_fit"]
