"""Values of which only a bound is known: below a limit of detection, or beyond the end of a range.

A value at a bound b says that what is measured, f, and its error of standard deviation σ came to b
or beyond: its likelihood is Φ(z), z = (b − f)/σ at a lower bound and (f − b)/σ at an upper one (J.
Tobin, Econometrica 26, 1958, 24-36). With λ = φ(z)/Φ(z) its logarithm has the slope λ and the
curvature −λ(λ + z), which a row of residual σλ/√(λ(λ + z)) and slope √(λ(λ + z)) shares: it says
nothing where f is far beyond the bound. A search, which compares losses, takes the deviance
residual ρ = √(−2 log Φ(z)) with its slope λ/ρ instead. Below `observation_set`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DEEPEST = 8.0  # z beyond which a value says nothing: Φ is one to rounding
FARTHEST = -1e5  # z below which a bound is a value that misses the fit: λ(λ + z) is one
MOST_ITERATIONS, TOLERANCE = 100, 1e-6
CLEAR = 2.0  # standard deviations from a bound: nearer fits select which errors are measured


@dataclass(frozen=True)
class CensoredRows:
    """What values say at some fit, (n,) each; measured ones are as they were.

    Attributes:
        residual: r, in data units, of the sign of f − b where a value is a bound.
        slope: ∂r/∂f, one where a value was measured.
        count: how many values a row counts as for σ, (r/σ)² + zλ: with it σ² = Σr²/Σ(count − h) is
            where the likelihood is greatest (restricted, with leverages h).
        is_free: whether a value was measured and the fit is clear of the bounds, so that its error
            was not selected.
    """

    residual: Array
    slope: Array
    count: Array
    is_free: NDArray[np.bool_]


@dataclass(frozen=True)
class Censoring:
    """The bounds of a set of values, None where there is none."""

    below: float | None = None
    above: float | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """Both bounds, infinite where there is none."""
        low = -math.inf if self.below is None else self.below
        return low, math.inf if self.above is None else self.above

    def bounded(self, values: Array) -> Array:
        """Return values (n,), those beyond a bound at it."""
        return np.clip(values, *self.ends)

    def sides(self, values: Array) -> Array:
        """Return −1 for values at the lower bound, 1 at the upper one, 0 for others, (n,)."""
        low, high = self.ends
        return (values >= high).astype(np.float64) - (values <= low)

    def rows(
        self, values: Array, residual: Array, std: Array, *, is_search: bool = False
    ) -> CensoredRows:
        """Return what values say.

        Args:
            values: (n,).
            residual: f less the value, (n,).
            std: σ, (n,).
            is_search: whether squares of rows are the deviance; their curvature is the likelihood's
                otherwise.
        """
        side = self.sides(values)
        row, slope, count = (_deviance if is_search else _newton)(_depth(side, residual, std))
        low, high = self.ends
        fitted = values + residual
        is_clear = np.minimum(fitted - low, high - fitted) > CLEAR * std
        return CensoredRows(
            np.where(side != 0, -side * row * std, residual),
            np.where(side != 0, slope, 1.0),
            np.where(side != 0, count, 1.0),
            is_clear & (side == 0),
        )


def _depth(side: Array, residual: Array, std: Array) -> Array:
    return np.minimum(side * residual / std, DEEPEST)


def _hazard(z: Array) -> Array:
    """Return λ = φ(z)/Φ(z)."""
    from scipy.special import erfcx

    return np.asarray(math.sqrt(2 / math.pi) / erfcx(-z / math.sqrt(2)))


def _newton(z: Array) -> tuple[Array, Array, Array]:
    """Return residuals over σ, slopes and counts of rows of the likelihood's curvature, (n,)."""
    hazard = _hazard(z)
    is_near = z > FARTHEST
    curvature = np.where(is_near, hazard * (hazard + z), 1.0)
    residual = hazard / np.sqrt(curvature)
    count = np.where(is_near, residual**2 + z * hazard, 1.0)
    return residual, np.sqrt(curvature), count


def _deviance(z: Array) -> tuple[Array, Array, Array]:
    """Return the same of rows whose squares are the deviance."""
    from scipy.special import log_ndtr

    hazard, residual = _hazard(z), np.sqrt(-2 * log_ndtr(z))
    return residual, hazard / residual, np.maximum(residual**2 + z * hazard, 0.0)


def likeliest_std(side: Array, residual: Array, start: float, taken: float = 0.0) -> float:
    """Return σ of greatest (restricted) likelihood of a set whose values share it.

    The fixed point of σ² = Σr²/(Σcount − Σh).

    Args:
        side: as `Censoring.sides`, (n,).
        residual: f less the value, (n,).
        start: where the iteration begins.
        taken: Σh, what the fit has taken from the values.
    """
    std, is_bound = start, side != 0
    square = float(np.square(residual[~is_bound]).sum())
    for _ in range(MOST_ITERATIONS):
        row, _, count = _deviance(_depth(side, residual, np.full(len(side), std))[is_bound])
        free = max(float(count.sum() + (~is_bound).sum()) - taken, 1.0)
        last, std = std, math.sqrt((square + std**2 * float(row @ row)) / free) or start
        if abs(std - last) < TOLERANCE * last:
            break
    return std


__all__ = ["CensoredRows", "Censoring", "likeliest_std"]
