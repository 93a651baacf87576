"""Cubic smoothing spline of one variable, natural or periodic, with exactly known end values.

First half of the classical baseline: an initial condition from noisy samples. Minimises
Σ w_i (y_i − f(x_i))² + λ ∫ f''² dx (Reinsch 1967); λ by generalised cross-validation.

Own code beside `scipy.interpolate.make_smoothing_spline`, with which it agrees for given λ, because
that one searches λ on a linear scale between 0 and the number of points (which fails silently for
large samples on short intervals) and knows neither periodic splines nor fixed values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from pinngate.classical.crossvalidation import least_score
from pinngate.errors import InputError

Array = NDArray[np.float64]

MAX_KNOTS = 400  # more samples are averaged in cells, far finer than what noise lets through
MIN_GAP = 1e-4  # of the interval: closer samples are averaged, which keeps ∫ f''² well conditioned


@dataclass(frozen=True)
class SmoothingSpline:
    """A fitted spline; call it with positions.

    `smoothing` is λ, `effective_dimension` the trace of the matrix from data to fit.
    """

    spline: CubicSpline
    low: float
    high: float
    is_periodic: bool
    smoothing: float
    effective_dimension: float

    def __call__(self, x: Array) -> Array:
        """Evaluate; linear beyond the outermost knots of a natural spline."""
        if self.is_periodic:
            return np.asarray(self.spline(x))
        inside = np.clip(x, self.low, self.high)
        return np.asarray(self.spline(inside) + (x - inside) * self.spline(inside, 1))


@dataclass(frozen=True)
class _Penalised:
    """The fit in the basis where data and roughness are both diagonal (Demmler & Reinsch)."""

    singular: Array  # (m,)
    rotated_data: Array  # (m,)
    rotated_offset: Array  # (m,), from the fixed values
    basis: Array  # (m, m), columns are the right singular vectors

    def coordinates(self, smoothing: float) -> Array:
        return (self.rotated_data - smoothing * self.singular * self.rotated_offset) / (
            1 + smoothing * self.singular**2
        )

    def trace(self, smoothing: float) -> float:
        return float(np.sum(1 / (1 + smoothing * self.singular**2)))

    def best_smoothing(self) -> float:
        """Return λ by cross-validation, from leaving all to only what no roughness penalises."""
        positive = self.singular[self.singular > 1e-9 * self.singular[0]]
        lowest, highest = 1e-3 / positive[0] ** 2, 1e3 / positive[-1] ** 2
        return least_score(self.score, self.trace, len(self.singular), lowest, highest)

    def score(self, smoothing: float) -> float:
        misfit = np.sum((self.rotated_data - self.coordinates(smoothing)) ** 2)
        freedom = len(self.singular) - self.trace(smoothing)
        return float(len(self.singular) * misfit / max(freedom, 1e-12) ** 2)


def smoothing_spline(
    x: Array,
    y: Array,
    weights: Array | None = None,
    *,
    interval: tuple[float, float],
    is_periodic: bool = False,
    fixed: Mapping[float, float] | None = None,
    smoothing: float | None = None,
) -> SmoothingSpline:
    """Fit a smoothing spline.

    Args:
        x: sample positions, shape (n,), any order, repeats allowed.
        y: sample values, shape (n,).
        weights: 1/variance up to a factor, shape (n,); equal where None.
        interval: (low, high); the period where periodic.
        is_periodic: whether value, slope and curvature agree at both ends.
        fixed: exact values at positions (ends of the interval), which the spline interpolates.
        smoothing: λ; by generalised cross-validation where None.

    Cost: one singular value decomposition of at most 400 × 400.

    Raises:
        InputError: fewer than four distinct positions.
    """
    low, high = interval
    period = high - low if is_periodic else None
    held = {} if is_periodic or fixed is None else dict(fixed)
    weights = np.ones_like(y) if weights is None else weights
    if is_periodic:
        x = low + np.mod(x - low, high - low)
    gap = MIN_GAP * (high - low)
    far = np.all([np.abs(x - place) > gap for place in held], axis=0) | np.zeros(len(x), bool)
    knots, values, weights = _merge(x[far], y[far], weights[far], low, high, gap)
    if len(knots) + len(held) < 4:
        raise InputError(
            f"a smoothing spline got samples at {len(knots)} distinct positions",
            expected="at least four",
        )
    places = np.array(sorted(held), dtype=float)
    exact = np.array([held[p] for p in places])
    everything = np.concatenate([knots, places])
    order = np.argsort(everything)
    is_free = order < len(knots)
    root = np.sqrt(weights)
    fit = _penalised(everything[order], is_free, root, root * values, exact, period)
    if smoothing is None:
        smoothing = fit.best_smoothing()
    level = np.empty(len(everything))
    level[is_free] = fit.basis @ fit.coordinates(smoothing) / root
    level[~is_free] = exact
    return SmoothingSpline(
        _interpolate(everything[order], level, period),
        float(everything.min()),
        float(everything.max()),
        is_periodic,
        smoothing,
        fit.trace(smoothing),
    )


def _penalised(
    knots: Array,
    is_free: NDArray[np.bool_],
    root: Array,
    data: Array,
    exact: Array,
    period: float | None,
) -> _Penalised:
    """Bring data and roughness to their common basis.

    Args:
        knots: all knots in order, (n,).
        is_free: whether each is to be fitted; the others have the values `exact`.
        root: square roots of the weights at the free knots, (m,).
        data: averages at the free knots times `root`, (m,).
        exact: fixed values, (n − m,).
        period: of a periodic spline.
    """
    roughness = _roughness_root(knots, period)
    left, singular, right = scipy.linalg.svd(roughness[:, is_free] / root, full_matrices=False)
    offset = left.T @ (roughness[:, ~is_free] @ exact) if len(exact) else np.zeros(len(singular))
    return _Penalised(singular, right @ data, offset, right.T)


def _merge(
    x: Array, y: Array, weights: Array, low: float, high: float, gap: float
) -> tuple[Array, Array, Array]:
    """Average samples that share a cell (large samples) or are closer than `gap`."""
    for width in ((high - low) / MAX_KNOTS, None):
        order = np.argsort(x, kind="stable")
        x, y, weights = x[order], y[order], weights[order]
        if width is None:
            groups = np.concatenate([[0], np.cumsum(np.diff(x) > gap)])
        elif len(x) > MAX_KNOTS:
            cells = np.minimum((x - low) // width, MAX_KNOTS - 1)
            groups = np.unique(cells, return_inverse=True)[1]
        else:
            continue
        if len(x) == 0:
            break
        total = np.bincount(groups, weights)
        x = np.bincount(groups, weights * x) / total
        y = np.bincount(groups, weights * y) / total
        weights = np.asarray(total, dtype=np.float64)
    return x, y, weights


def _interpolate(knots: Array, values: Array, period: float | None) -> CubicSpline:
    if period is None:
        return CubicSpline(knots, values, bc_type="natural")
    closed = np.concatenate([values, values[:1]])
    return CubicSpline(np.append(knots, knots[0] + period), closed, bc_type="periodic")


def _roughness_root(knots: Array, period: float | None) -> Array:
    """Return B with ∫ f''² = ‖B g‖² for the interpolating cubic spline through values g.

    f'' is piecewise linear, so the integral is the mass matrix of hat functions between the second
    derivatives at the knots. The root, rather than BᵀB, keeps small singular values accurate.
    """
    curvature = _interpolate(knots, np.eye(len(knots)), period)(knots, 2)
    ends = knots if period is None else np.append(knots, knots[0] + period)
    h = np.diff(ends)
    i = np.arange(len(h))
    j = (i + 1) % len(knots)
    mass = np.zeros((len(knots), len(knots)))
    np.add.at(mass, (i, i), h / 3)
    np.add.at(mass, (j, j), h / 3)
    np.add.at(mass, (i, j), h / 6)
    np.add.at(mass, (j, i), h / 6)
    return np.asarray(scipy.linalg.cholesky(mass) @ curvature)
