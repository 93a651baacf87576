"""Values of which only a bound is known: below a limit of detection, or beyond the end of a range.

A value at a bound b says that what is measured, f, and its error of standard deviation σ came to b
or beyond: its likelihood is Φ(z), z = (b − f)/σ at a lower bound and (f − b)/σ at an upper one (J.
Tobin, Econometrica 26, 1958, 24-36). Its row is the deviance residual ρ = √(−2 log Φ(z)), signed,
whose square has the likelihood's slope; far beyond the bound it and its slope vanish. Below
`observation_set`; every candidate of the race asks for the same rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DEEPEST = 8.0  # z beyond which a value says nothing: Φ is one to rounding


@dataclass(frozen=True)
class CensoredRows:
    """What values say at some fit, (n,) each; measured ones are as they were.

    Attributes:
        residual: r, in data units: ρσ with the sign of f − b where a value is a bound.
        slope: ∂r/∂f, one where a value was measured.
        count: how many values a row counts as for σ, ρ² + zφ/Φ: with it σ² = Σr²/Σ(count − h) is
            where the likelihood is greatest (restricted, with leverages h).
    """

    residual: Array
    slope: Array
    count: Array


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

    def rows(self, values: Array, residual: Array, std: Array) -> CensoredRows:
        """Return what values say.

        Args:
            values: (n,).
            residual: f less the value, (n,).
            std: σ in the unit of the residuals, (n,).
        """
        return rows_of(self.sides(values), residual, std)


def rows_of(side: Array, residual: Array, std: Array) -> CensoredRows:
    """Return the rows of `Censoring.rows` where it is known which values are bounds."""
    from scipy.special import erfcx, log_ndtr

    is_bound = side != 0
    z = np.minimum(side * residual / std, DEEPEST)
    deviance = -2 * log_ndtr(z)
    root = np.sqrt(deviance)
    hazard = math.sqrt(2 / math.pi) / erfcx(-z / math.sqrt(2))
    return CensoredRows(
        np.where(is_bound, -side * root * std, residual),
        np.where(is_bound, hazard / root, 1.0),
        np.where(is_bound, deviance + z * hazard, 1.0),
    )


def likeliest_std(side: Array, residual: Array, start: float, taken: float = 0.0) -> float:
    """Return σ of greatest (restricted) likelihood of a set whose values share it.

    The fixed point of σ² = Σr²/(Σcount − Σh).

    Args:
        side: as `Censoring.sides`, (n,).
        residual: f less the value, (n,).
        start: where the iteration begins.
        taken: Σh, what the fit has taken from the values.
    """
    std = start
    for _ in range(100):
        rows = rows_of(side, residual, np.full(len(residual), std))
        free = max(float(rows.count.sum()) - taken, 1.0)
        last, std = std, math.sqrt(float(np.square(rows.residual).sum()) / free) or start
        if abs(std - last) < 1e-6 * last:
            break
    return std


__all__ = ["CensoredRows", "Censoring", "likeliest_std", "rows_of"]
