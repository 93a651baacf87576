"""A subset of very many points that is spread evenly over the domain.

Used by `observations` where a file holds more values than are to be fitted. The bounding box of the
points is cut into cells; in turn every cell gives one of its points, drawn at random, until there
are enough. Regions with few data keep them all, crowded ones are thinned (stratified sampling with
equal allocation; W. G. Cochran, Sampling Techniques, 1977).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PER_CELL = 4  # points that a full cell keeps, about


def stratified_subset(
    points: NDArray[np.float64], count: int, random: np.random.Generator
) -> NDArray[np.intp]:
    """Return the places of `count` of the points (n, axes), in increasing order.

    Cost: a sort of n numbers.
    """
    if count >= len(points):
        return np.arange(len(points))
    order = random.permutation(len(points))
    cells = _cells(points, count)[order]
    by_cell = np.argsort(cells, kind="stable")
    _, first, size = np.unique(cells[by_cell], return_index=True, return_counts=True)
    rank = np.empty(len(points), dtype=np.intp)
    rank[by_cell] = np.arange(len(points)) - np.repeat(first, size)
    chosen = np.argsort(rank, kind="stable")[:count]
    return np.sort(order[chosen])


def _cells(points: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """Return the number of each point's cell (n,)."""
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    free = np.flatnonzero(extent > 0)
    if not free.size:
        return np.zeros(len(points), dtype=np.intp)
    side = max(1, round((count / PER_CELL) ** (1 / free.size)))
    number = np.zeros(len(points), dtype=np.intp)
    for axis in free:
        place = ((points[:, axis] - low[axis]) / extent[axis] * side).astype(np.intp)
        number = number * side + np.minimum(place, side - 1)
    return number


__all__ = ["stratified_subset"]
