"""Repeated measurements at one point: their scatter owes nothing to any solution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PureError:
    """Scatter of repeated measurements about their means: noise that owes nothing to the fit.

    Attributes:
        std: root of the pooled variance.
        degrees_of_freedom: values less places.
        num_places: places that were measured more than once.
    """

    std: float
    degrees_of_freedom: int
    num_places: int


def by_place(points: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the number of each point's place (n,), in increasing order, and values at each (m,).

    Cost: a sort; `numpy.unique` of rows takes three times as long.
    """
    order = np.lexsort(points.T[::-1])
    is_new = np.ones(len(points), dtype=bool)
    is_new[1:] = (points[order[1:]] != points[order[:-1]]).any(axis=1)
    group = np.empty(len(points), dtype=np.intp)
    group[order] = np.cumsum(is_new) - 1
    return group, np.bincount(group)


def pure_error(columns: Mapping[str, NDArray[Any]], axes: tuple[str, ...]) -> PureError | None:
    """Return the pure error of the values of one set; None without repeated measurements."""
    points = np.column_stack([columns[axis] for axis in axes])
    group, count = by_place(points)
    free = len(points) - len(count)
    if free == 0:
        return None
    values = columns["value"]
    mean = np.bincount(group, weights=values) / count
    square = float(np.sum((values - mean[group]) ** 2))
    return PureError((square / free) ** 0.5, free, int(np.sum(count > 1)))
