"""Damped Gauss–Newton steps through a model that may fail, with ridges chosen on the way.

    (JᵀJ + Λ + λ diag(JᵀJ)) δ = −(Jᵀr + Λθ)

Rows are in units of the noise; that of a set whose standard deviation is not stated follows its
residuals. A step that the model cannot follow, or that does not lower ‖r‖² + θᵀΛθ, is taken again
with more damping. Source: J. J. Moré, in Numerical Analysis (Dundee 1977). Between `block_ridges`
and `through_solver`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import chdtrc

from pinngate.data.censoring import Censoring, likeliest_std
from pinngate.data.observations import ObservationSet
from pinngate.data.priors import LEAST_SPREAD
from pinngate.inference.misfit import LEVEL
from pinngate.optim.direct_fit.beside_bounds import least_change, longest_steps
from pinngate.optim.direct_fit.block_ridges import SMALL, Ridges
from pinngate.optim.direct_fit.roughness import chosen, restricted
from pinngate.optim.direct_fit.unknowns import Unknowns
from pinngate.optim.gauss_newton.trust_region import LEAST_DAMPING

Array = NDArray[np.float64]
MOST_TRIED = 12  # choices of ridges, after which they stay, and lengths of one step
NEAR = 0.03  # of the loss: a step that promises less is near the minimum, where ridges are chosen


@dataclass(frozen=True)
class Iterate:
    """A place θ (P,), residuals (n,) in data units and their Jacobian (n, P).

    Where values are bounds, rows are `censoring.CensoredRows`, made of the iterate `before`.
    `frame` is what the model calls the coordinates θ.
    """

    theta: Array
    residual: Array
    jacobian: Array
    before: Iterate | None = None
    frame: Any = None

    @property
    def plain(self) -> Iterate:
        """Fitted less measured values, and their Jacobian."""
        return self.before or self


Model = Callable[[Array], Iterate | None]
"""θ → what is known there; None where the model fails."""


class NoiseScales:
    """Standard deviations of all values; those of sets that state none follow the residuals.

    Where noise follows what is measured (`data.noise_law`), they follow the fit as well; sets of
    one group share theirs unless they clearly `differ` and no coefficient spreads between them.

    Args:
        sets: the observations, one below the other.
        sizes: where those start that are not stated.

    Attributes:
        parts: the values of each set.
        values: the standard deviations, (n,).
        active: which values count, (n,); residuals of others are zero.
        counts: as how many values each counts for the size of the noise, (n,); one but for bounds.
        free: whose errors were not selected by a bound, (n,).
    """

    def __init__(self, sets: Sequence[ObservationSet], sizes: Sequence[float]) -> None:
        ends = np.cumsum([len(data.values) for data in sets]).tolist()
        self.sets = list(sets)
        self.parts = [slice(e - len(d.values), e) for e, d in zip(ends, sets, strict=True)]
        starts = [size if d.std is None else d.std for d, size in zip(sets, sizes, strict=True)]
        sizes_of = zip(starts, sets, strict=True)
        self._starts = np.concatenate([np.broadcast_to(s, d.values.shape) for s, d in sizes_of])
        self.values = self._starts.copy()
        self.active = np.ones(len(self.values), dtype=bool)
        self.counts = np.ones(len(self.values))
        self.free = np.ones(len(self.values), dtype=bool)
        self._least = [1e-9 * size for size in sizes]

    def begin(self) -> None:
        """Take the standard deviations of the start: nothing is known of residuals."""
        self.values = self._starts.copy()

    def judged(self, here: Iterate, *, is_search: bool = True) -> Iterate:
        """Return an iterate with the rows of values that are bounds, by the present noise."""
        if all(data.censoring is None for data in self.sets):
            return here
        plain = here.plain
        residual, jacobian = plain.residual.copy(), plain.jacobian.copy()
        for part, data in zip(self.parts, self.sets, strict=True):
            censoring = data.censoring or Censoring()
            plain_part, std = residual[part], self.values[part]
            rows = censoring.rows(data.values, plain_part, std, is_search=is_search)
            residual[part], self.counts[part] = rows.residual, rows.count
            self.free[part] = rows.is_free
            jacobian[part] *= rows.slope[:, None]
        return Iterate(plain.theta, residual, jacobian, plain, plain.frame)

    def follow(self, residual: Array, leverage: Array | None = None) -> None:
        """Take the root mean square of residuals (n,), freed of what the fit took from them.

        Args:
            residual: fitted less measured values, those of bounds too.
            leverage: what the fit took of each.
        """
        for part, data, least in zip(self.parts, self.sets, self._least, strict=True):
            if data.std is None and not data.group:
                self._follow_set(part, data, least, residual, leverage)
        for group in dict.fromkeys(data.group for data in self.sets if data.group):
            self._follow_group(group, residual, leverage)

    def _follow_set(
        self,
        part: slice,
        data: ObservationSet,
        least: float,
        residual: Array,
        leverage: Array | None,
    ) -> None:
        """Take the root mean square of the residuals of one set, each over the noise's shape."""
        shape = 1.0 if data.law is None else data.law.shape(data.values + residual[part])
        if data.law is not None and data.law.factor is not None:
            self.values[part] = data.law.factor * shape
            return
        r = residual[part] / shape
        taken = 0.0 if leverage is None else float(leverage[part].sum())
        if data.censoring is not None:
            self.values[part] = self._censored_std(part, data, residual, taken)
            return
        count = max(int(self.active[part].sum()) - taken, 1.0)
        self.values[part] = shape * max(float(np.sqrt(np.square(r).sum() / count)), least)

    def _censored_std(
        self, part: slice, data: ObservationSet, residual: Array, taken: float
    ) -> float:
        """Return the likeliest standard deviation of a set of which some values are bounds."""
        assert data.censoring is not None
        seen = self.active[part]
        side, start = data.censoring.sides(data.values)[seen], float(self.values[part][0])
        return likeliest_std(side, residual[part][seen], start, taken)

    @property
    def num_measured(self) -> int:
        """How many values were measured; what is known beforehand comes last."""
        return sum(len(data.values) for data in self.sets if not data.is_prior)

    @property
    def roughnesses(self) -> list[NDArray[np.intp]]:
        """The rows that say how rough a function is, of each function."""
        groups = dict.fromkeys(data.group for data in self.sets if data.is_roughness)
        return [self._rows_of(group) for group in groups]

    def _rows_of(self, group: str) -> NDArray[np.intp]:
        """Return the rows of the sets of a group."""
        places = zip(self.parts, self.sets, strict=True)
        every = np.arange(len(self.values))
        return np.concatenate([every[part] for part, data in places if data.group == group])

    @property
    def has_components(self) -> bool:
        """Whether coefficients spread: then what the fit takes from their few values counts."""
        return any(data.group and data.is_prior for data in self.sets)

    def _follow_group(self, group: str, residual: Array, leverage: Array | None) -> None:
        """Take Σr²/Σ(1 − h) of the sets of a group; a spread stays where no leverage is known.

        Of a spread it is the fixed point of its restricted likelihood (D. A. Harville, J. Amer.
        Statist. Assoc. 72, 1977, 320-338).
        """
        own = [k for k, data in enumerate(self.sets) if data.group == group]
        first = self.sets[own[0]]
        is_spread = first.is_prior
        if first.is_roughness or (is_spread and leverage is None):
            return
        rows = self._rows_of(group)
        taken = np.zeros(len(residual)) if leverage is None else leverage
        own_sets = [self.parts[k] for k in own]
        counts = np.array([float((self.active[p] - taken[p]).sum()) for p in own_sets])
        counts = np.maximum(counts, np.finfo(float).eps * len(rows))
        squares = np.array([np.square(residual[part]).sum() for part in own_sets])
        least = LEAST_SPREAD if is_spread else max(self._least[k] for k in own)
        if not self.has_components and differ(squares, counts):
            for part, square, count in zip(own_sets, squares, counts, strict=True):
                self.values[part] = max(np.sqrt(square / max(count, 1.0)), least)
            return
        self.values[rows] = max(np.sqrt(squares.sum() / counts.sum()), least)


def differ(squares: Array, counts: Array) -> bool:
    """Whether sums of squares (k,) of so many free values (k,) are of noises that clearly differ.

    By the likelihood ratio with Bartlett's correction: Σ ν_k log(s²/s_k²)/c against χ² of k − 1
    (M. S. Bartlett, Proc. R. Soc. A 160, 1937, 268-282).
    """
    told = (counts > 1) & (squares > 0)
    nu, s = counts[told], squares[told]
    if len(nu) < 2:
        return False
    ratio = float((nu * np.log(s.sum() / nu.sum() * nu / s)).sum())
    correction = 1 + ((1 / nu).sum() - 1 / nu.sum()) / (3 * (len(nu) - 1))
    return bool(chdtrc(len(nu) - 1, ratio / correction) < LEVEL)


class LevenbergMarquardt:
    """The search from one start.

    Args:
        model: what is fitted.
        noise: of the values.
        ridges: of the blocks of θ.
        unknowns: what the entries of θ are, and how far a step may go.
    """

    def __init__(
        self, model: Model, noise: NoiseScales, ridges: Ridges, unknowns: Unknowns
    ) -> None:
        self.model, self.noise, self.ridges, self.unknowns = model, noise, ridges, unknowns
        self.iterations = self.tried = 0
        self.has_converged = False

    def run(self, theta: Array, max_iterations: int) -> Iterate | None:
        """Return the last iterate, None where the model fails at the start.

        Args:
            theta: the start, (P,).
            max_iterations: steps at most, those that are taken again counted.
        """
        here, last = self.model(theta), self.tried + max_iterations
        if here is None:
            return None
        damping, self.has_converged = 1e-3, False
        choices, is_near = 0, False
        while self.tried < last:
            self.iterations += 1
            here = self._follow(here, is_near=is_near)
            if is_near and choices < MOST_TRIED:
                choices += 1
                self._choose(here)
            following, damping, promised, whole = self._step(here, damping)
            if following is None:
                self.has_converged = promised < 10 * SMALL
                return here
            before = self.loss(here.residual, here.theta)
            gain = before - self.loss(following.residual, following.theta)
            here = following
            is_rest = promised < SMALL or (gain < SMALL and promised < 10 * SMALL)
            if is_near and is_rest and whole < 10 * SMALL:
                self.has_converged = True
                return here
            is_near = is_near or promised < NEAR * before * np.isfinite(whole)
        return here

    def _follow(self, here: Iterate, *, is_near: bool) -> Iterate:
        """Let the noise follow the residuals; spreads, once near, those of the linearised fits."""
        self.noise.follow(here.plain.residual)
        ridge = self.ridges.diagonal
        groups = self.noise.roughnesses
        rough = np.concatenate([np.zeros(0, np.intp), *groups])
        likelihood = restricted(here.jacobian, here.residual, here.theta, ridge, rough)
        for _ in range(MOST_TRIED if is_near and self.noise.has_components else 0):
            std = chosen(self.noise.values, groups, likelihood)
            self.noise.values = std.copy()
            fit = self.ridges.fit(here.jacobian / std[:, None], here.residual / std, here.theta)
            linear = fit.leave_one_out * (1 - fit.leverage) * std
            is_bound = self.noise.counts != 1
            linear = np.where(is_bound, here.plain.residual, linear)
            self.noise.follow(linear, fit.leverage)
            if np.abs(np.log(self.noise.values / std)).max() < SMALL:
                break
        return self.noise.judged(here)

    def loss(self, residual: Array, theta: Array) -> float:
        """Return ‖r‖² + θᵀΛθ."""
        scaled = residual / self.noise.values
        return float(scaled @ scaled + self.ridges.diagonal @ np.square(theta))

    def _choose(self, here: Iterate) -> None:
        std = self.noise.values
        self.ridges.choose(here.jacobian / std[:, None], here.residual / std, here.theta)

    def _step(self, here: Iterate, damping: float) -> tuple[Iterate | None, float, float, float]:
        """Return the next iterate, None where there is none, the damping and what was promised.

        Last what a step without damping promises: in a narrow valley far more, where it is longer
        than a step may be nobody knows.
        """
        std, ridge = self.noise.values, self.ridges.diagonal
        j, r = here.jacobian / std[:, None], here.residual / std
        gram, slope = j.T @ j, j.T @ r + ridge * here.theta
        size = np.maximum(gram.diagonal(), 1e-12 * gram.diagonal().max(initial=1e-300))
        before, predicted = self.loss(here.residual, here.theta), np.inf
        room = longest_steps(self.unknowns, j)

        def proposed(damping: float) -> tuple[Array, float, float]:
            """Return a change, the decrease that it promises, and how long it was before cut."""
            damped = gram + np.diag(ridge + damping * size)
            change = least_change(damped, slope, room, _solved)
            length = self.unknowns.length(change)
            change = change / max(1.0, length)
            curved = change @ (gram @ change) + ridge @ np.square(change)
            return change, float(-2 * slope @ change - curved), length

        _, whole, length = proposed(LEAST_DAMPING)
        whole = float(np.where(length > 1, np.inf, whole))
        while damping > LEAST_DAMPING and proposed(damping)[1] < SMALL:
            damping = max(0.01 * damping, LEAST_DAMPING)
        for _ in range(MOST_TRIED):
            self.tried += 1
            change, predicted, _ = proposed(damping)
            tried = self.model(here.theta + change) if predicted > 0 else None
            if tried is not None:
                gain = before - self.loss(tried.residual, tried.theta)
                if gain > 0 or predicted < SMALL:
                    is_good = gain > 0.5 * predicted
                    damping = max(damping / 5, LEAST_DAMPING) if is_good else damping
                    return tried, damping, predicted, whole
            if predicted < SMALL:
                return here, damping, predicted, whole
            damping *= 10
        return None, damping, predicted, whole


def _solved(matrix: Array, right: Array) -> Array:
    """Solve a symmetric system that is positive definite but for rounding."""
    scale = 1 / np.sqrt(np.maximum(matrix.diagonal(), 1e-300))
    scaled = scale[:, None] * matrix * scale
    for jitter in (0.0, 1e-14, 1e-10, 1e-6):
        try:
            factor = cho_factor(scaled + jitter * np.eye(len(scaled)))
            return np.asarray(scale * cho_solve(factor, scale * right))
        except np.linalg.LinAlgError:
            continue
    return np.zeros_like(right)
