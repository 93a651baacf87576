"""Bounds of an axis, and the scale on which it is searched: its values, or their logarithm.

Networks and bases see an axis through its search coordinate s, which is the axis itself or its
logarithm; points are spread and grids are placed evenly in s. Below everything that places points.
Cost: none to speak of.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

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
    return (math.log(low), math.log(high)) if is_logarithmic(bounds) else (low, high)


def half_length(bounds: Bounds) -> float:
    """Return half the length of the axis in s."""
    low, high = search_ends(bounds)
    return (high - low) / 2


def logarithmic_columns(domain: Iterable[Bounds]) -> list[int]:
    """Return which of several axes are searched on their logarithm."""
    return [k for k, bounds in enumerate(domain) if is_logarithmic(bounds)]


__all__ = [
    "Bounds",
    "LogBounds",
    "half_length",
    "is_logarithmic",
    "like",
    "logarithmic_columns",
    "search_ends",
]
