"""A direct fit: everything that is unknown in a problem, by least squares through its solver.

The front door of `direct_fit`. The fields meet equations and conditions up to the error of the
solver, which is told; so intervals are those of the exact model. From a bad start least squares
ends in the nearest minimum: the start comes from elsewhere, but for one or two positive
coefficients, which are searched for in half-decades where the first fit is poor.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.data.observations import ObservationSet
from pinngate.expression import Expression
from pinngate.inference.draws import SampledPosterior
from pinngate.model.coefficients import Coefficients
from pinngate.optim.direct_fit import frames
from pinngate.optim.direct_fit.exact_model import ExactModel, Solution
from pinngate.optim.direct_fit.first_values import first_values, state_sizes
from pinngate.optim.direct_fit.fitted_record import POOR, TOLERANCE, FittedRecord
from pinngate.optim.direct_fit.joined_model import JoinedModel
from pinngate.optim.direct_fit.kept_search import kept, rebuilt
from pinngate.optim.direct_fit.levenberg_marquardt import Iterate
from pinngate.optim.direct_fit.marched_states import CannotMarch
from pinngate.optim.direct_fit.marching_form import MarchingForm
from pinngate.optim.direct_fit.profile import Profile
from pinngate.optim.direct_fit.staged_search import (
    FINER,
    SHIFT,
    SolverError,
    StagedSearch,
    root_of_covariance,
)
from pinngate.optim.direct_fit.unknowns import Guess, Unknowns
from pinngate.statement.derivatives import Derivative
from pinngate.statement.problem import Problem

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LastRows:
    """The linear model at the answer, all values in the order of their sets.

    Attributes:
        jacobian: (n, P).
        residual: read minus observed, (n,).
        std: of the noise, (n,).
        ridge: Λ, (P,).
        counts: as how many values each counts, (n,), as `NoiseScales` has it.
        free: whose errors no bound has selected, (n,), likewise.
    """

    jacobian: Array
    residual: Array
    std: Array
    ridge: Array
    counts: Array | None = None
    free: Array | None = None


@dataclass(frozen=True)
class DirectFit:
    """The answer of a direct fit.

    Attributes:
        raw: the raw numbers of the coefficients (K,), see `model.coefficients`.
        raw_covariance: of those, (K, K).
        coefficients: value and standard deviation by name.
        residuals: observed minus read, by name of the set.
        leave_one_out: errors of values that were left out, by name of the set.
        noise_std: standard deviation of the noise of each set: its own, or as estimated.
        risk: mean squared leave-one-out error over the noise, over all values.
        unexplained: largest share of its variance that a set leaves in its residuals.
        is_poor: whether that, or a pattern in them, is so large that it may be of a bad start.
        is_converged: whether the search came to an end by itself.
        iterations: steps of the search.
        seconds: in all.
        num_nodes: in space.
        num_steps: in time.
        solver_error: what the error of the solver changes.
        doubt: what it leaves uncertain in θ that other ridges do as well, (P, m), see `Ridges`.
        rows: the linear model that intervals come from.
        theta: all that was searched for (P,), the raw coefficients first.
        sampled: what draws tell of it, which then is what is told; None where there are none.
        rivals: other answers that explain the data nearly as well: values of coefficients by name.
        kept: what `restored_fit` makes the same of; None where it cannot.
    """

    raw: Array
    raw_covariance: Array
    coefficients: Mapping[str, tuple[float, float]]
    residuals: Mapping[str, Array]
    leave_one_out: Mapping[str, Array]
    noise_std: Mapping[str, float]
    risk: float
    unexplained: float
    is_poor: bool
    is_converged: bool
    iterations: int
    seconds: float
    num_nodes: int
    num_steps: int
    solver_error: SolverError
    doubt: Array = field(repr=False)
    rows: LastRows = field(repr=False)
    theta: Array = field(repr=False)
    _model: ExactModel = field(repr=False)
    _record: FittedRecord | None = field(repr=False)
    _solution: Solution = field(repr=False)
    _root: Array = field(repr=False)
    sampled: SampledPosterior | None = None
    rivals: Sequence[Mapping[str, float]] = ()
    kept: dict[str, Any] | None = field(repr=False, default=None)

    @property
    def description(self) -> str:
        """How it was solved, one sentence, and where the domain was taken to go on."""
        return self._model.describe(self._solution)

    @property
    def deviations(self) -> Array:
        """Standard deviations of θ, (P,)."""
        return np.asarray(np.linalg.norm(self._root, axis=1))

    @property
    def is_settled(self) -> bool:
        """Whether a finer solver moves nothing by more than a share of its deviation."""
        return self.solver_error.shift < SHIFT

    @property
    def explains(self) -> bool:
        """Whether it explains most of every set's variance, or all but noise of a linear system."""
        is_alone = self._record is not None and self._record.has_one_minimum and not self.is_poor
        return self.unexplained <= POOR or is_alone

    @property
    def largest_share(self) -> float:
        """Largest share of the numbers of a function that the data determine, in [0, 1]."""
        free = 1 - self.rows.ridge * np.square(self._root).sum(axis=1)
        return max((float(free[b.part].mean()) for b in self.unknowns.blocks), default=0.0)

    @property
    def unknowns(self) -> Unknowns:
        """What the entries of θ are."""
        return self._model.unknowns

    def stretched(self, quantile: float) -> Array:
        """Return both sides of the coefficients' intervals beside the linear ones, (2, K).

        Those of the weights of functions, which come last and which nobody sees, are linear, and so
        are all of a fit that is lost.

        Args:
            quantile: of a 95 % interval, in standard deviations.

        Cost: see `Profile`.
        """
        if self.sampled is not None:
            return self.sampled.sides(quantile)
        scalars, shown = self.unknowns.scalars, len(self.unknowns.problem.shown_coefficients)
        sides = np.ones((2, scalars.stop - scalars.start))
        if not self.explains:
            return sides
        assert self._record is not None
        last = Iterate(self.theta, self.rows.residual, self.rows.jacobian)
        is_last = not any(data.censoring for data in self._record.sets)
        found = last if is_last else self._record.at(self.theta.copy()) or last
        covariance = self._root @ self._root.T
        profile = Profile(self._record, found, self.rows.std, self.rows.ridge, covariance)
        first = scalars.start
        sides[:, :shown] = profile.stretched(range(first, first + shown), quantile)
        return sides

    def derivative(self, wanted: Derivative, points: Array) -> tuple[Array, Array]:
        """Return a derivative of an unknown at points (n, axes), (n,), and ∂/∂θ of it, (n, P).

        Raises:
            CannotMarch: it is of a higher order in time than the field's equation.
        """
        return self._model.derivative(self._solution, wanted, points)

    def flux(self, inside: Expression, points: Array) -> tuple[Array, Array]:
        """Return the inside of a bracket at points (n, axes), (n,), and ∂/∂θ of it, (n, P)."""
        return self._model.quantity(self._solution, self.theta, inside, points)

    def fields(self, points: Array) -> Array:
        """Return unknowns, then coefficient functions, at points (n, axes): (n, F)."""
        return self._model.fields(self._solution, self.theta, points)[0]

    def std(self, points: Array) -> Array:
        """Return standard deviations of the same, (n, F)."""
        slopes = self._model.fields(self._solution, self.theta, points)[1]
        return np.asarray(np.sqrt(np.square(slopes @ self._root).sum(axis=2)))


def direct_fit(
    problem: Problem,
    sets: Sequence[ObservationSet],
    coefficients: Coefficients,
    start: Guess | None = None,
    *,
    max_iterations: int = 40,
    has_octaves: bool = True,
    is_polish: bool = False,
) -> DirectFit:
    """Fit a problem to its data through a solver.

    Args:
        problem: time and at most one space axis; its truth is never read.
        sets: the observations.
        coefficients: the scalar coefficients at their initial values; they are not changed.
        start: points (n, axes) → guesses of the unknowns, then of the free variables of
            coefficient functions, (n, F); None takes states that agree with the first data, or
            zeros.
        max_iterations: steps of the search on each resolution.
        has_octaves: whether each octave of a function has its part in the ridge.
        is_polish: whether the start is another candidate's answer, see `StagedSearch`.

    Raises:
        CannotMarch: the problem is none that this solver takes, or no solution was found.

    Cost: each iteration one march with all tangents, see `radau_march`.
    """
    began = time.perf_counter()
    if not sets:
        raise CannotMarch("there are no observations")
    form = MarchingForm(problem)
    sizes = state_sizes(form, sets)
    guess = start if start is not None else first_values(form, sets)
    fineness = 1
    while True:
        unknowns = Unknowns(form, coefficients, sizes, fineness)
        record = FittedRecord(JoinedModel(form, unknowns, sizes), sets)
        known = start if is_polish else None
        search = StagedSearch(record, max_iterations, has_octaves=has_octaves, guess=known)
        theta = unknowns.start(guess)
        if start is not None:
            _take_functions(unknowns, theta, start)
        found = answer_of(search, search.run(theta), began)
        has_values = sum(len(data.values) for data in sets) > 2 * unknowns.count
        # where the data determine more than half of a function, more of it would find more
        if found.is_poor or found.largest_share < 0.5 or not has_values:
            return found
        fineness *= 2


def restored_fit(
    problem: Problem,
    sets: Sequence[ObservationSet],
    coefficients: Coefficients,
    numbers: Mapping[str, Any],
) -> DirectFit:
    """Return a fit again from the numbers that it kept.

    Args: as of `direct_fit`.
        numbers: its `kept`.

    Raises:
        CannotMarch: the problem is another one.

    Cost: one march.
    """
    search, found = rebuilt(problem, sets, coefficients, numbers)
    return answer_of(search, found, time.perf_counter() - numbers["seconds"])


def solved_from(
    problem: Problem,
    sets: Sequence[ObservationSet],
    coefficients: Coefficients,
    outputs: Guess,
) -> Callable[[Array], Array]:
    """Return the solution that begins with the initial state of given fields.

    Args:
        problem: time and at most one space axis.
        sets: the observations, which tell sizes.
        coefficients: at their values.
        outputs: points (n, axes) → unknowns, then the free variables of coefficient functions,
            (n, F).

    Returns:
        Points (n, axes) → unknowns, (n, F).

    Raises:
        CannotMarch: the problem is none that this solver takes, or it has no solution, or its
            initial state is not known far enough.

    Cost: two marches, the second on nodes that follow the first.
    """
    form = MarchingForm(problem)
    if any(form.open_ends) and any(
        form.stated_initial(k) is None for k in range(len(form.states.all))
    ):
        raise CannotMarch("the initial state beyond the open end is not known")
    sizes = state_sizes(form, sets)
    unknowns = Unknowns(form, coefficients, sizes, fineness=2)
    record = FittedRecord(ExactModel(form, unknowns, sizes), sets)
    theta = unknowns.start(outputs)
    _take_functions(unknowns, theta, outputs)
    record.adapt(theta, record.num_nodes, TOLERANCE / FINER)
    solution, count = record.solution(theta), len(problem.unknowns)
    return lambda points: record.model.fields(solution, theta, points)[0][:, :count]


def _take_functions(unknowns: Unknowns, theta: Array, outputs: Guess) -> None:
    """Let the coefficient functions in θ follow given ones."""
    problem = unknowns.problem
    middle = [(low + high) / 2 for low, high in problem.domain.values()]
    for k, (name, block) in enumerate(unknowns.functions.items(), len(problem.unknowns)):
        assert block.basis is not None
        points = np.tile(middle, (len(block.basis.places), 1))
        points[:, problem.axes.index(unknowns.over(name))] = block.basis.places
        values = np.asarray(outputs(points))[:, k]
        theta[block.part] = np.linalg.lstsq(block.basis.on_nodes, values)[0]


def answer_of(search: StagedSearch, found: Iterate, began: float) -> DirectFit:
    """Return the answer of a search.

    Args:
        search: after its run.
        found: where it ended.
        began: when, by `time.perf_counter`.
    """
    record, ridges = search.record, search.ridges
    frames.take(record, found.frame)
    seconds = time.perf_counter() - began
    numbers = kept(search, found.theta, seconds)
    model, noise, solution = record.model, record.noise, record.solution(found.theta)
    unknowns = model.unknowns
    for _ in range(2):  # the noise is freed of what the fit takes, and the fit follows it
        scaled = found.jacobian / noise.values[:, None]
        fit = ridges.fit(scaled, found.residual / noise.values, found.theta)
        noise.follow(found.plain.residual, fit.leverage)
        found = noise.judged(found, is_search=False)
    std = noise.values
    root = root_of_covariance(found.jacobian / std[:, None], ridges.diagonal)
    raw = root[unknowns.scalars]
    values, slopes = unknowns.scalar_values(found.theta)
    deviations = np.abs(slopes) * np.linalg.norm(raw, axis=1)
    named = zip(unknowns.coefficients.names, values.tolist(), deviations.tolist(), strict=True)
    by_set = list(zip(record.sets, noise.parts, strict=True))
    others = search.rivals(np.linalg.norm(root, axis=1))
    left_out = fit.leave_one_out
    return DirectFit(
        raw=found.theta[unknowns.scalars].copy(),
        raw_covariance=raw @ raw.T,
        coefficients={name: (value, deviation) for name, value, deviation in named},
        residuals={data.name: -found.residual[part] for data, part in by_set},
        leave_one_out={data.name: -left_out[part] * std[part] for data, part in by_set},
        noise_std={data.name: float(np.sqrt(np.square(std[p]).mean())) for data, p in by_set},
        risk=fit.risk,
        unexplained=record.unexplained(found),
        is_poor=search.is_poor(found),
        is_converged=search.steps.has_converged,
        iterations=search.steps.iterations,
        seconds=seconds,
        num_nodes=solution.num_nodes,
        num_steps=solution.num_steps,
        solver_error=search.error,
        doubt=ridges.doubt(found.jacobian / std[:, None], found.residual / std, found.theta),
        rows=LastRows(
            found.jacobian, found.residual, std, ridges.diagonal, noise.counts, noise.free
        ),
        theta=found.theta,
        rivals=[_named(unknowns, other) for other in others],
        kept=numbers,
        _model=model,
        _record=record,
        _solution=solution,
        _root=root,
    )


def _named(unknowns: Unknowns, theta: Array) -> dict[str, float]:
    """Return the values of the coefficients that a problem shows, by name."""
    shown = {c.name for c in unknowns.problem.shown_coefficients}
    values = unknowns.scalar_values(theta)[0].tolist()
    pairs = zip(unknowns.coefficients.names, values, strict=True)
    return {name: value for name, value in pairs if name in shown}


__all__ = ["DirectFit", "SolverError", "answer_of", "direct_fit", "restored_fit", "solved_from"]
