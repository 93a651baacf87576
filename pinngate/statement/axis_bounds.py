"""Bounds of an axis, and the scale on which it is searched: its values, or their logarithm.

Networks and bases see an axis through its search coordinate s, which is the axis itself or its
logarithm; points are spread and grids are placed evenly in s. Below everything that places points.
Cost: none to speak of.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Bounds = tuple[float, float]


class LogBounds(tuple[float, float]):
    """Bounds (low, high) of an axis that is searched on its logarithm; both are positive."""

    __slots__ = ()


def is_logarithmic(bounds: Bounds) -> bool:
    """Whether an axis is searched on its logarithm."""
    return isinstance(bounds, LogBounds)


def like(bounds: Bounds, low: float, high: float) -> Bounds:
    """Return other bounds of the same axis, on the same scale."""
    return LogBounds((low, high)) if is_logarithmic(bounds) else (low, high)


def search_ends(bounds: Bounds) -> Bounds:
    """Return the ends of s."""
    low, high = bounds
    return (float(np.log(low)), float(np.log(high))) if is_logarithmic(bounds) else (low, high)


def half_length(bounds: Bounds) -> float:
    """Return half the length of the axis in s."""
    low, high = search_ends(bounds)
    return (high - low) / 2


def at_share(bounds: Bounds, share: Array | float) -> Array:
    """Return the places at which a share, 0 to 1, of the axis in s is passed."""
    low, high = search_ends(bounds)
    if not is_logarithmic(bounds):
        return np.asarray(low + np.asarray(share) * (high - low))
    return np.clip(np.exp(low + np.asarray(share) * (high - low)), *bounds)


def share_at(bounds: Bounds, places: Array | float) -> Array:
    """Return the share of the axis in s that is passed at places; the inverse of `at_share`."""
    low, high = search_ends(bounds)
    s = np.log(places) if is_logarithmic(bounds) else np.asarray(places)
    return np.asarray((s - low) / (high - low))


def spaced(bounds: Bounds, count: int) -> Array:
    """Return `count` places that are even in s, both ends among them."""
    if not is_logarithmic(bounds):
        return np.linspace(*bounds, count)
    places = at_share(bounds, np.linspace(0, 1, count))
    places[[0, -1]] = bounds
    return places


def logarithmic_columns(domain: Iterable[Bounds]) -> list[int]:
    """Return which of several axes are searched on their logarithm."""
    return [k for k, bounds in enumerate(domain) if is_logarithmic(bounds)]


__all__ = [
    "Bounds",
    "LogBounds",
    "at_share",
    "half_length",
    "is_logarithmic",
    "like",
    "logarithmic_columns",
    "search_ends",
    "share_at",
    "spaced",
]
