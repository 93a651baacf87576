"""Whether residuals of neighbouring values are alike, and which values then count as one.

Between a fit and its intervals. Noise is independent from value to value; what an equation or a
sensor gets wrong is not. The test takes pairs of neighbours: their products of residuals would have
random signs if errors were independent and symmetric, so that under that hypothesis, given their
sizes, Σ r_i r_j has mean zero and variance Σ r_i² r_j² exactly, whatever the size of the noise.
Where the test fails, values are grouped for a variance that allows for it (`posterior`): the
series of a sensor at one place where there are few places, else blocks of the domain (H. R.
Künsch, Ann. Statist. 17, 1989).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinngate.data.replicates import by_place
from pinngate.inference.misfit import probability

Array = NDArray[np.float64]
Labels = NDArray[np.intp]
MOST_SERIES = 20  # beyond, places are a field of sensors whose misfits are alike too
LEAST_LENGTH = 4  # values of a series, on average; of fewer series a variance knows nothing
NUM_HALVINGS = 4  # sixteen blocks: enough for a variance, each wider than most misfits
LEVEL = 0.01
CLEAR = 0.1  # a smaller correlation widens no interval by more than a tenth, and is forgotten


@dataclass(frozen=True)
class Correlation:
    """Correlation of neighbouring residuals.

    Attributes:
        coefficient: Σ r_i r_j over the root of Σ r_i² Σ r_j², over pairs of neighbours.
        p_value: one-sided, of independent errors.
        num_groups: series or blocks.
        kind: ``series`` of sensors or ``blocks`` of the domain.
    """

    coefficient: float
    p_value: float
    num_groups: int
    kind: str

    @property
    def is_clear(self) -> bool:
        """Whether independent noise would hardly do this, and by an amount that matters."""
        return self.p_value < LEVEL and self.coefficient > CLEAR

    @property
    def words(self) -> str:
        """The coefficient, its probability and what was compared."""
        p = probability(self.p_value)
        where = f"within the {self.num_groups} series" if self.kind == "series" else "of neighbours"
        return f"residuals {where} are correlated by {self.coefficient:.2f}, {p}"


def groups_of(points: Array, sets: Labels, time: int | None) -> tuple[Labels, str] | None:
    """Group observations: series of a sensor at one place, else blocks of the domain.

    Args:
        points: (n, axes).
        sets: which set each value belongs to, (n,).
        time: the column of time, None where there is none.

    Returns:
        Labels (n,) from 0 and the kind; None where the values are too few for either.
    """
    n = len(points)
    if n < 2 * LEAST_LENGTH:
        return None
    space = points if time is None else np.delete(points, time, axis=1)
    labels, sizes = by_place(np.column_stack([sets, space]))
    count = len(sizes)
    if 2 <= count <= MOST_SERIES and n >= LEAST_LENGTH * count:
        return labels, "series"
    halvings = min(NUM_HALVINGS, int(math.log2(n / LEAST_LENGTH)))
    return _blocks(_scaled(points), halvings), "blocks"


def correlation(
    points: Array, residuals: Array, sets: Labels, groups: Labels, kind: str, time: int | None
) -> Correlation | None:
    """Test whether residuals (n,) of neighbours are alike.

    Neighbours are consecutive values of a series, or each value and the nearest of its set.

    Returns:
        The correlation; None where there are no pairs, or residuals that vanish.

    Cost: a sort, or n nearest-neighbour queries.
    """
    if kind == "series":
        keys = (points[:, time], groups) if time is not None else (groups,)
        order = np.lexsort(keys)
        left, right = order[:-1], order[1:]
        is_pair = groups[left] == groups[right]
        left, right = left[is_pair], right[is_pair]
    else:
        left, right = _nearest(_scaled(points), sets)
    products = residuals[left] * residuals[right]
    spread = math.sqrt(float(np.sum(products**2)))
    size = math.sqrt(float(np.sum(residuals[left] ** 2) * np.sum(residuals[right] ** 2)))
    if spread == 0.0 or size == 0.0:
        return None
    total = float(np.sum(products))
    p_value = 0.5 * math.erfc(total / spread / math.sqrt(2))
    return Correlation(total / size, p_value, int(groups.max()) + 1, kind)


def parted(groups: Labels, along: Array, coefficient: float) -> Labels:
    """Cut few series into pieces as long as residuals remember, the groups of a variance.

    Many series stay whole, for a sensor may be wrong at all times.
    Residuals whose neighbours are correlated by ρ have forgotten each other, ρ^L < CLEAR, after
    L values; a piece is at least as long, and a series shorter than two of them is one.

    Args:
        groups: the series of each value, (n,).
        along: their places in it, (n,).
        coefficient: ρ.
    """
    if int(groups.max()) + 1 >= LEAST_LENGTH:
        return groups
    length = LEAST_LENGTH
    if coefficient > CLEAR:
        memory = math.log(CLEAR) / math.log(min(coefficient, 1 - LEVEL))
        length = max(LEAST_LENGTH, math.ceil(memory))
    found, count = np.empty_like(groups), 0
    for group in range(int(groups.max()) + 1):
        rows = np.flatnonzero(groups == group)
        rows = rows[np.argsort(along[rows], kind="stable")]
        pieces = max(1, len(rows) // length)
        found[rows] = count + np.arange(len(rows)) * pieces // len(rows)
        count += pieces
    return found


def correlation_in_set(points: Array, residuals: Array, time: int | None) -> Correlation | None:
    """Return the correlation of neighbouring residuals (n,) of one set; None where it is untested.

    Args:
        points: (n, axes).
        residuals: of the set.
        time: the column of time, None where there is none.
    """
    one_set = np.zeros(len(residuals), np.intp)
    groups = groups_of(points, one_set, time)
    return None if groups is None else correlation(points, residuals, one_set, *groups, time)


def _scaled(points: Array) -> Array:
    extent = np.ptp(points, axis=0)
    return (points - points.min(axis=0)) / np.where(extent > 0, extent, 1.0)


def _blocks(points: Array, halvings: int) -> Labels:
    """Halve the points at the median of their longest axis, again and again."""
    labels = np.zeros(len(points), dtype=np.intp)
    for _ in range(halvings):
        halved = np.zeros_like(labels)
        for label in range(int(labels.max()) + 1):
            rows = np.flatnonzero(labels == label)
            axis = int(np.argmax(np.ptp(points[rows], axis=0)))
            order = rows[np.argsort(points[rows, axis], kind="stable")]
            halved[order[: len(order) // 2]] = 2 * label
            halved[order[len(order) // 2 :]] = 2 * label + 1
        labels = halved
    return labels


def _nearest(points: Array, sets: Labels) -> tuple[Labels, Labels]:
    """Return each pair of a point and its nearest neighbour of the same set once."""
    from scipy.spatial import cKDTree

    pairs = []
    for label in np.unique(sets):
        rows = np.flatnonzero(sets == label)
        if len(rows) < 2:
            continue
        found = cKDTree(points[rows]).query(points[rows], k=2)[1]
        own = np.arange(len(rows))
        # of two points at one place either may come first
        other = np.where(found[:, 0] == own, found[:, 1], found[:, 0])
        pairs.append(np.sort(np.column_stack([rows, rows[other]]), axis=1))
    if not pairs:
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
    unique = np.unique(np.concatenate(pairs), axis=0)
    return unique[:, 0], unique[:, 1]


__all__ = ["Correlation", "correlation", "correlation_in_set", "groups_of", "parted"]
