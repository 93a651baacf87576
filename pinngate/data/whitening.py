"""Errors that remember: of covariance exp(−|Δ|/length) along one axis, and how they are whitened.

Such errors (G. E. Uhlenbeck, L. S. Ornstein, Phys. Rev. 36, 1930, 823-841) know of the past only
what the last one knows, so that

    (e_i − ρ_i e_{i−1}) / √(1 − ρ_i²),   ρ_i = exp(−(t_i − t_{i−1})/length),

are independent and of the size of e. Values at one place of the other axes are a series. Least
squares of whitened rows are generalised least squares of the values, at O(n). Below
`observation_set`; networks and direct fits whiten alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinngate.data.replicates import by_place

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Predecessors:
    """What whitens the errors of n values: e_i ↦ gain_i e_i − share_i e_previous_i, (n,) each.

    The first value of a series is its own predecessor, of share zero.
    """

    previous: NDArray[np.intp]
    gain: Array
    share: Array

    def whiten(self, rows: Array) -> Array:
        """Return whitened rows, (n,) or (n, P)."""
        across = (slice(None), *[None] * (rows.ndim - 1))
        return np.asarray(self.gain[across] * rows - self.share[across] * rows[self.previous])


@dataclass(frozen=True)
class Whitening:
    """The memory of the errors of a set: the column of its axis, and its length."""

    axis: int
    length: float

    def series(self, points: Array) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Return the order along each series, one after the other, and where one goes on, (n,)."""
        beside = np.delete(points, self.axis, axis=1)
        labels, _ = by_place(np.column_stack([beside, np.zeros(len(points))]))
        order = np.lexsort((points[:, self.axis], labels))
        return order, np.append(False, np.diff(labels[order]) == 0)

    def predecessors(self, points: Array, std: Array | None) -> Predecessors:
        """Return what whitens the errors at points (n, axes) of standard deviations (n,)."""
        order, goes_on = self.series(points)
        previous = np.arange(len(points))
        previous[order[1:]] = np.where(goes_on[1:], order[:-1], order[1:])
        gap = points[:, self.axis] - points[previous, self.axis]
        is_later = previous != np.arange(len(points))
        likeness = np.where(is_later, np.exp(-gap / self.length), 0.0)
        rest = np.where(is_later, -np.expm1(-2 * gap / self.length), 1.0)
        gain = 1 / np.sqrt(rest)
        size = np.ones(len(points)) if std is None else std
        return Predecessors(previous, gain, gain * likeness * size / size[previous])

    def repeated(self, points: Array) -> int | None:
        """Return the row of a value at the place of another, where both are one; None for none."""
        order, goes_on = self.series(points)
        same = goes_on[1:] & (np.diff(points[order, self.axis]) == 0)
        return int(order[1:][same][0]) if same.any() else None

    def drawn(self, points: Array, random: np.random.Generator) -> Array:
        """Return such errors at points (n, axes), of standard deviation one, (n,)."""
        order, _ = self.series(points)
        found = self.predecessors(points, None)
        errors = random.standard_normal(len(points))
        for row in order:
            before = found.share[row] * errors[found.previous[row]]
            errors[row] = (errors[row] + before) / found.gain[row]
        return errors


__all__ = ["Predecessors", "Whitening"]
