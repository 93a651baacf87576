"""Nodes of the tangent equations: more of them where the true field is steep.

First step of `tangents`, which places its spatial unknowns on them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def adapted_nodes(slope: Array, low: float, high: float, count: int) -> Array:
    """Return `count` nodes, half of them even, half crowded where a profile is steep.

    Args:
        slope: |u_x| on even positions over [low, high], any number; zero gives even nodes.
        low: first node.
        high: last node.
        count: number of nodes.
    """
    density = np.sqrt(np.abs(slope))
    half = max(1, len(density) // 100)
    kernel = np.ones(2 * half + 1) / (2 * half + 1)
    density = np.convolve(np.pad(density, half, mode="edge"), kernel, mode="valid")
    total = float(density.mean())
    density = np.ones_like(density) if total == 0 else 1.0 + density / total
    x = np.linspace(low, high, len(density))
    steps = 0.5 * (density[1:] + density[:-1]) * np.diff(x)
    cumulative = np.concatenate([[0.0], np.cumsum(steps)])
    return np.interp(np.linspace(0.0, cumulative[-1], count), cumulative, x)
