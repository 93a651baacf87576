"""Places on an axis that are even in its search coordinate, and the measure of integrals over it.

Above `axis_bounds` and `coordinates`, which state both and load nothing heavy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.statement.axis_bounds import Bounds, is_logarithmic, search_ends

Array = NDArray[np.float64]


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


def measure(kinds: Mapping[str, str], places: Mapping[str, Any]) -> Any:
    """Return the measure of integrals over some axes at places on them, 1.0 of straight lines.

    Args:
        kinds: of the axes that have one.
        places: coordinates of the axes that are integrated over, numbers or arrays of one shape.
    """
    found: Any = 1.0
    for axis, values in places.items():
        match kinds.get(axis):
            case "radius":
                found = found * np.abs(values)
            case "spherical-radius":
                found = found * np.square(values)
            case "polar-angle":
                found = found * np.abs(np.sin(values))
    return found


__all__ = ["at_share", "measure", "share_at", "spaced"]
