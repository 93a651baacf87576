"""Functions of one axis for tensor bases: orthonormal, with a frequency each, smooth but at kinks.

Below `bases`, which multiplies them. A periodic axis has trigonometric functions. Any other has
splines of degree `DEGREE`; where the solution may have a kink the spline has a multiple knot. In
either case the functions ψ_j are the modes of a free beam on the axis, scaled to [−1, 1]:

    ∫ ψ_i ψ_j = δ_ij,   ∫ ψ_i″ ψ_j″ = ω_j⁴ δ_ij

(A. Demmler and C. Reinsch, Numerische Mathematik 24, 1975), so that a ridge on coefficients divided
by a power of ω is a Sobolev norm, whatever functions span the space.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.polynomial.legendre import legder, leggauss, legvander
from numpy.typing import NDArray
from scipy.interpolate import BSpline
from scipy.linalg import eigh

Array = NDArray[np.float64]

DEGREE = 7  # of splines: derivatives up to the fourth, and three orders of convergence beyond


class AxisFunctions(Protocol):
    """Functions ψ_j of one axis."""

    frequencies: Array
    """ω_j ≥ 0 on the axis scaled to [−1, 1], (m,), not decreasing."""

    def values(self, points: Array, order: int) -> Array:
        """Return derivatives of an order at points (N,) of the axis on [−1, 1]: (N, m)."""

    def derivatives(self, points: Array, order: int) -> Array:
        """Return a basis of what derivatives of an order span, at points (N,): (N, rank)."""

    def nodes(self) -> tuple[Array, Array]:
        """Return places that see every function, and the weights of their quadrature."""


class Trigonometric:
    """1/√2, cos πkx, sin πkx, of period 2.

    Args:
        count: m; odd, so that each frequency has both.
    """

    def __init__(self, count: int) -> None:
        self.highest = max(1, count // 2)
        pairs = np.repeat(np.arange(1, self.highest + 1), 2)
        self.frequencies = np.pi * np.concatenate([[0.0], pairs])

    def values(self, points: Array, order: int) -> Array:
        """Return derivatives of an order at points (N,): (N, m)."""
        k = np.arange(1, self.highest + 1)
        angle = np.pi * np.outer(points, k) + order * np.pi / 2
        growth = (np.pi * k) ** order
        constant = np.full((len(points), 1), math.sqrt(0.5) if order == 0 else 0.0)
        pairs = np.stack([growth * np.cos(angle), growth * np.sin(angle)], 2)
        return np.concatenate([constant, pairs.reshape(len(points), -1)], 1)

    def derivatives(self, points: Array, order: int) -> Array:
        """Return the functions themselves, but for the constant, at points (N,): (N, rank)."""
        return self.values(points, 0)[:, min(order, 1) :]

    def nodes(self) -> tuple[Array, Array]:
        """Return even places, and their weights."""
        count = 4 * self.highest + 2
        return -1 + 2 * (np.arange(count) + 0.5) / count, np.full(count, 2 / count)


class Legendre:
    """√(j + ½) P_j, with ((1 − x²) ψ_j′)′ = −ω_j² ψ_j in place of the beam's equation.

    A sum of few of them is near any smooth function, whatever it does at the ends, where modes of a
    beam are missed by ω⁻³; so it is they that a part of all products is made of.

    Args:
        highest: degree.
    """

    def __init__(self, highest: int) -> None:
        self.highest = highest
        degrees = np.arange(highest + 1)
        self.frequencies = np.sqrt(degrees * (degrees + 1.0))
        self._sizes = np.sqrt(degrees + 0.5)

    def values(self, points: Array, order: int) -> Array:
        """Return derivatives of an order at points (N,): (N, m)."""
        found = legder(np.diag(self._sizes), order)
        return np.asarray(legvander(np.clip(points, -1, 1), len(found) - 1) @ found)

    def derivatives(self, points: Array, order: int) -> Array:
        """Return the polynomials of a degree lower by the order, at points (N,): (N, rank)."""
        return self.values(points, 0)[:, : max(self.highest + 1 - order, 0)]

    def nodes(self) -> tuple[Array, Array]:
        """Return Gauss points that integrate two functions times a factor of degree `DEGREE`."""
        return leggauss(self.highest + 1 + DEGREE // 2)


class Splines:
    """Splines between breaks, as modes of a free beam.

    Args:
        breaks: increasing, from −1 to 1.
        smoothness: continuous derivatives at a break, by its place; all that the degree allows
            where not given.
    """

    def __init__(self, breaks: Sequence[float], smoothness: dict[float, int] | None = None) -> None:
        self.breaks = np.asarray(breaks, dtype=float)
        given = smoothness or {}
        inner = [
            np.full(DEGREE - min(given.get(float(b), DEGREE - 1), DEGREE - 1), b)
            for b in self.breaks[1:-1]
        ]
        ends = np.full(DEGREE + 1, 1.0)
        self.knots = np.concatenate([-ends, *inner, ends])
        points, weights = self._gauss([DEGREE + 1] * (len(self.breaks) - 1))
        size = len(self.knots) - DEGREE - 1
        self.splines = BSpline(self.knots, np.eye(size), DEGREE)
        mass = self._gram(self.splines(points), weights)
        bending = self._gram(self.splines(points, nu=2), weights)
        values, self.modes = eigh(bending, mass)
        self.frequencies = np.maximum(values, 0.0) ** 0.25
        self.frequencies[:2] = 0.0

    @staticmethod
    def _gram(values: Array, weights: Array) -> Array:
        return values.T @ (weights[:, None] * values)

    def _gauss(self, counts: Sequence[int]) -> tuple[Array, Array]:
        """Return the nodes and weights of Gauss's rule, so many between each two breaks."""
        rules = {count: leggauss(count) for count in set(counts)}
        low, half = self.breaks[:-1], np.diff(self.breaks) / 2
        points = [a + h * (1 + rules[n][0]) for a, h, n in zip(low, half, counts, strict=True)]
        weights = [h * rules[n][1] for h, n in zip(half, counts, strict=True)]
        return np.concatenate(points), np.concatenate(weights)

    def values(self, points: Array, order: int) -> Array:
        """Return derivatives of an order at points (N,): (N, m)."""
        found: Array = self.splines(np.clip(points, -1, 1), nu=order) @ self.modes
        return found

    def derivatives(self, points: Array, order: int) -> Array:
        """Return the splines of a degree that is lower by the order, at points (N,): (N, rank)."""
        degree = DEGREE - order
        places, counts = np.unique(self.knots, return_counts=True)
        knots = np.repeat(places, np.minimum(counts, degree + 1))
        found: Array = BSpline(knots, np.eye(len(knots) - degree - 1), degree)(points)
        return found

    def nodes(self) -> tuple[Array, Array]:
        """Return Gauss points between the breaks, about two for each function.

        Between two kinks a spline is one of its own, and no fewer see it there; more than exact
        quadrature takes would tell nothing.
        """
        num_intervals = len(self.breaks) - 1
        average = math.ceil(2 * len(self.frequencies) / num_intervals)
        counts: list[int] = []
        for length in self._between_kinks():
            own = math.ceil(2 * (length + DEGREE) / length)
            counts += [max(average, min(own, DEGREE + 1))] * length
        return self._gauss(counts)

    def _between_kinks(self) -> list[int]:
        """Return the numbers of intervals between multiple knots, from left to right."""
        places, counts = np.unique(self.knots, return_counts=True)
        return np.diff(np.searchsorted(self.breaks, places[counts > 1])).tolist()
