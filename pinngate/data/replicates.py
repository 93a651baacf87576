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


def pure_error(columns: Mapping[str, NDArray[Any]], axes: tuple[str, ...]) -> PureError | None:
    """Return the pure error of the values of one set; None without repeated measurements."""
    points = np.column_stack([columns[axis] for axis in axes])
    _, group, count = np.unique(points, axis=0, return_inverse=True, return_counts=True)
    free = len(points) - len(count)
    if free == 0:
        return None
    group, values = group.reshape(-1), columns["value"]
    mean = np.bincount(group, weights=values) / count
    square = float(np.sum((values - mean[group]) ** 2))
    return PureError((square / free) ** 0.5, free, int(np.sum(count > 1)))
