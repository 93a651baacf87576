"""Draws from a density that is known by its logarithm and gradient: Hamiltonian Monte Carlo.

In coordinates z in which the density is about a standard normal one, θ = c + L z, a draw follows

    dz/dτ = p,   dp/dτ = −∂E/∂z,   p ~ N(0, I),

for about a quarter of a period, π/2, by leapfrog steps, and is accepted by the Metropolis rule, so
that errors of the steps leave the density as it is (S. Duane et al., Physics Letters B 195, 1987;
R. M. Neal, Handbook of Markov Chain Monte Carlo, 2011, chapter 5). Lengths vary, lest a draw come
back to where it was. The step follows the share that is accepted, and centre and L the first draws,
both until the draws that count begin (M. D. Hoffman, A. Gelman, J. Machine Learning Research 15,
2014, section 3.2).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Energy = Callable[[Array], tuple[float, Array]]
"""θ (P,) → −log density and its gradient (P,); infinite where there is none."""

ACCEPTED = 0.8  # share that the step aims at (Hoffman and Gelman)


@dataclass
class _Place:
    z: Array
    energy: float
    slope: Array


class Hamiltonian:
    """A chain of draws.

    Args:
        energy: E.
        centre: c (P,).
        root: L (P, P).
        random: of the draws.
    """

    def __init__(
        self, energy: Energy, centre: Array, root: Array, random: np.random.Generator
    ) -> None:
        self.energy, self.centre, self.root, self.random = energy, centre, root, random
        self.step = 1 / math.sqrt(math.sqrt(len(centre)))
        self._here = self._at(np.zeros(len(centre)))

    def draws(self, count: int, *, is_learning: bool = False) -> Array:
        """Return draws of θ, (count, P), from where the chain is.

        Args:
            count: how many.
            is_learning: whether the step follows what is accepted.

        Cost: about π/2 over the step evaluations of the energy for each, at most `count`.
        """
        found, steps = np.empty((count, len(self.centre))), np.empty(count)
        for k in range(count):
            with np.errstate(all="ignore"):  # a path that leaves all bounds is not taken
                share = self._move(count)
            found[k] = self.centre + self.root @ self._here.z
            if is_learning:
                self.step *= math.exp((share - ACCEPTED) / math.sqrt(k + 1))
            steps[k] = self.step
        self.step = math.exp(np.log(steps[count // 2 :]).mean())
        return found

    def learn(self, draws: Array) -> None:
        """Take centre and spread from draws (n, P), shrunk to what they were as n is small."""
        share = len(draws) / (len(draws) + draws.shape[1])
        covariance = share * np.cov(draws.T) + (1 - share) * self.root @ self.root.T
        theta = self.centre + self.root @ self._here.z
        self.centre, self.root = draws.mean(0), np.linalg.cholesky(covariance)
        self._here = self._at(np.asarray(np.linalg.solve(self.root, theta - self.centre)))

    def _at(self, z: Array) -> _Place:
        energy, slope = self.energy(self.centre + self.root @ z)
        return _Place(z, energy, self.root.T @ slope)

    def _move(self, most: int) -> float:
        """Move, or stay, on a path of `most` steps; return the probability of having moved."""
        momentum = self.random.standard_normal(len(self.centre))
        before = self._here.energy + momentum @ momentum / 2
        length = (0.5 + self.random.random()) * math.pi / 2
        there, momentum = self._path(momentum, min(most, math.ceil(length / self.step)))
        rise = there.energy + momentum @ momentum / 2 - before
        share = math.exp(min(0.0, -float(rise))) if math.isfinite(rise) else 0.0
        if self.random.random() < share:
            self._here = there
        return share

    def _path(self, momentum: Array, steps: int) -> tuple[_Place, Array]:
        """Return where leapfrog steps end."""
        there = self._here
        for _ in range(steps):
            half = momentum - self.step / 2 * there.slope
            there = self._at(there.z + self.step * half)
            if not math.isfinite(there.energy):
                return _Place(there.z, math.inf, there.slope), momentum
            momentum = half - self.step / 2 * there.slope
        return there, momentum


def effective_number(draws: Array) -> Array:
    """Return as how many independent draws those of a chain count, of each of (n, P): (P,).

    By the initial monotone sequence of pairs of autocorrelations (C. J. Geyer, Statistical Science
    7, 1992).
    """
    count = len(draws)
    centred = draws - draws.mean(0)
    power = np.abs(np.fft.rfft(centred, 2 * count, axis=0)) ** 2
    products = np.fft.irfft(power, axis=0)[:count]
    correlation = products / np.maximum(products[0], np.finfo(float).tiny)
    pairs = correlation[: count // 2 * 2].reshape(-1, 2, draws.shape[1]).sum(1)
    kept = np.minimum.accumulate(np.where(np.cumprod(pairs > 0, axis=0), pairs, 0.0), axis=0)
    return np.asarray(count / np.maximum(2 * kept.sum(0) - 1, 1 / count))


__all__ = ["Hamiltonian", "effective_number"]
