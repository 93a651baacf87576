"""How far a coefficient may move before the data object, all other unknowns moved along.

The interval of a linear model is ± t standard deviations. Where the solution bends within it, the
profile of the loss tells instead (D. M. Bates and D. G. Watts, Nonlinear Regression Analysis and
Its Applications, 1988, chapter 6): with L(θ) = ‖r/s‖² + θᵀΛθ, its ends are where

    min { L(θ) : θ_k = θ̂_k ± d } − L(θ̂) = t².

A coefficient that lies at its bound moves as `beside_bounds` has it, and stays within. Between
`through_solver` and `tangent_model`, which hands it to the posterior. One solution at the end of
the linear interval says whether that is right already.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pinngate.optim.direct_fit.beside_bounds import BesideBounds, least_change
from pinngate.optim.direct_fit.fitted_record import FittedRecord
from pinngate.optim.direct_fit.levenberg_marquardt import MOST_TRIED, Iterate

Array = NDArray[np.float64]

LINEAR = 0.05  # standard deviation of a raw coefficient, of size one, below which none is asked for
WIDEST = 10.0  # the same, above which none is: the data do not tell
ACCURACY = 0.1  # of the root of the rise of the loss over t


@dataclass(frozen=True)
class Profile:
    """The loss around its minimum.

    Attributes:
        record: data and solutions.
        found: the minimum.
        std: of the noise, (n,).
        ridge: the diagonal of Λ, (P,).
        covariance: (JᵀJ + Λ)⁻¹ in units of the noise, (P, P).
    """

    record: FittedRecord
    found: Iterate
    std: Array
    ridge: Array
    covariance: Array

    def stretched(self, indices: range, quantile: float) -> Array:
        """Return the lengths of both sides of intervals beside the linear ones, (2, K).

        Args:
            indices: k of the coefficients in θ.
            quantile: t, of a 95 % interval.

        Cost: two solutions with tangents for each coefficient, up to twenty-four where it is bent.
        """
        deviations, at = np.sqrt(self.covariance.diagonal()), self.beside.at
        least = 0.0 if at.any() else LINEAR
        sides = np.ones((2, len(indices)))
        for column, k in enumerate(indices):
            if at[k] or least < deviations[k] < WIDEST:
                sides[:, column] = [self._side(k, s, quantile) for s in (-1.0, 1.0)]
        return sides

    @cached_property
    def beside(self) -> BesideBounds:
        """The coordinates η of the profile, those of θ but beside bounds."""
        jacobian = self.found.jacobian / self.std[:, None]
        return BesideBounds(self.record.model.unknowns, self.found.theta, jacobian)

    def _side(self, k: int, sign: float, quantile: float) -> float:
        """Return the length of one side over that of the linear interval; infinite without end.

        A secant search for √rise = t, in which the other unknowns are foreseen from the last two
        places of the profile.
        """
        start, slopes = self.beside.of(self.found.theta), self.beside.slopes(self.found.theta)
        deviation = np.sqrt(self.covariance[k, k])
        step = sign * quantile * slopes * self.covariance[:, k] / deviation
        end = start.copy()
        end[k] += self._length(start, step, k, quantile) * step[k]
        moved = self.beside.theta(end)[k] - self.found.theta[k]
        return float(abs(moved) / (quantile * deviation))

    def _length(self, start: Array, step: Array, k: int, quantile: float) -> float:
        """Return how many steps (P,) lead from the minimum to where the rise is t².

        The linear one where the others have not come to rest by then.
        """
        length, eta, longest = 1.0, start + step, np.inf
        before, at, there = 0.0, 0.0, start
        for _ in range(MOST_TRIED):
            rise, promised, moved = self._rise(eta, k)
            if promised > ACCURACY * quantile**2:  # the others are still on their way
                eta = moved
                continue
            root = np.sqrt(max(rise, 0.0)) / quantile
            slope = (root - at) / (length - before) if np.isfinite(rise) else np.inf
            following = length + (1 - root) / max(slope, 1e-300) if slope < np.inf else 0.0
            following = float(np.clip(following, length / 3, 3 * length))
            if abs(root - 1) < ACCURACY:
                return following
            if root > 1:
                longest = min(longest, length)
            if following >= longest:
                following = (min(length, before) + longest) / 2
            if following == length:
                break
            if np.isfinite(rise):
                step, before, at, there = (moved - there) / (length - before), length, root, moved
            eta, length = there + (following - before) * step, following
        return length if longest < np.inf or length <= 1 else np.inf

    def _rise(self, eta: Array, k: int) -> tuple[float, float, Array]:
        """Return the rise of the loss with η_k held, what the others promise of it, their place."""
        here = self.record.at(self.beside.theta(eta))
        if here is None:
            return np.inf, 0.0, self.beside.of(self.found.theta)
        slopes = self.beside.slopes(here.theta)
        j, r = here.jacobian / self.std[:, None] / slopes, here.residual / self.std
        at = self.beside.of(here.theta)
        room = np.stack([self.beside.low - at, self.beside.high - at])
        room[:, k] = 0.0
        slope = j.T @ r + self.ridge * here.theta
        gram = j.T @ j + np.diag(self.ridge)
        change = least_change(gram, slope, room, _least_squares)
        promised = max(0.0, -float(change @ (gram @ change + 2 * slope)))
        return self._loss(here) - promised - self._loss(self.found), promised, at + change

    def _loss(self, here: Iterate) -> float:
        scaled = here.residual / self.std
        return float(scaled @ scaled + self.ridge @ np.square(here.theta))


def _least_squares(gram: Array, right: Array) -> Array:
    return np.asarray(np.linalg.lstsq(gram, right)[0])


__all__ = ["Profile"]
