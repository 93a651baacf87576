"""Nodes in space for a direct fit: from a density, which a first solution suggests.

Spacing is const/ρ(x) and changes by at most a sixth from one interval to the next. The first
density is even, crowded logarithmically towards both ends, where conditions and initial states
may disagree and radial coordinates begin; the next one follows √|u_xx| of a solution at all its
times, at which linear interpolation errs alike everywhere. Source: W. Huang, R. D. Russell,
Adaptive Moving Mesh Methods (2011), chapter 2. Beside `semidiscrete`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NEAR_END = 1e-4  # of the axis: the smallest distance that the first density resolves
SHARE_OF_ENDS = 0.08
RADIAL = 10.0  # times the low end: an axis that reaches further is a radius, with log spacing
EVEN_SHARE = 0.25  # of the nodes, wherever the solution bends
STEEPEST = 0.15  # change of the spacing from one interval to the next
BEYOND = 30.0  # lengths of the domain, to which it goes on beyond an open end


def first_density(
    domain: tuple[float, float], probes: Array, *, crowded: bool, is_log: bool
) -> Array:
    """Return a density at places (m,), which may reach beyond the domain.

    Args:
        domain: its low and its high end.
        probes: the places.
        crowded: whether nodes crowd towards the ends.
        is_log: whether the axis is searched on its logarithm: nodes are even in that.
    """
    low, high = domain
    length = high - low
    outside = np.maximum(np.maximum(low - probes, probes - high), 0.0)
    even = 1 / (length + 3 * outside)
    if is_log:
        even = 1 / np.maximum(probes, low)
    if not crowded:
        return even
    if low > 0 and high > RADIAL * low:
        even = even + SHARE_OF_ENDS / np.maximum(probes, low)
    ends = [np.abs(probes - end) for end in domain]
    return even + SHARE_OF_ENDS * sum(1 / (NEAR_END * length + d) for d in ends)


def probe_places(bounds: tuple[float, float], domain: tuple[float, float]) -> Array:
    """Return places that resolve both ends of the domain, and beyond it (m,)."""
    low, high = domain
    length = high - low
    grown = length * np.geomspace(1e-7, 0.5, 1200)
    inside = [domain, np.linspace(low, high, 2001), low + grown, high - grown]
    far = length * np.geomspace(1e-7, BEYOND, 1200)
    places = np.concatenate([*map(np.asarray, inside), low - far, high + far, bounds])
    return np.unique(places[(places >= bounds[0]) & (places <= bounds[1])])


def bending_density(
    nodes: Array, fields: Sequence[Array], probes: Array, domain: tuple[float, float]
) -> Array:
    """Return a density that follows fields (times, n) on nodes (n,), at places (m,)."""
    low, high = domain
    length = high - low
    outside = np.maximum(np.maximum(low - probes, probes - high), 0.0)
    even = 1 / (length + 3 * outside)
    total = np.zeros(len(nodes))
    for field in fields:
        size = np.abs(field).max() or 1.0
        slope = np.diff(field, axis=1) / np.diff(nodes)
        bend = np.zeros_like(field)
        bend[:, 1:-1] = 2 * np.diff(slope, axis=1) / (nodes[2:] - nodes[:-2])
        bend[:, 0], bend[:, -1] = bend[:, 1], bend[:, -2]
        total = np.maximum(total, np.sqrt(np.abs(bend).max(axis=0) / size))
    follows = np.interp(probes, nodes, total)
    mass, even_mass = _integral(follows, probes)[-1], _integral(even, probes)[-1]
    if mass == 0:
        return even
    return EVEN_SHARE * even / even_mass + (1 - EVEN_SHARE) * follows / mass


def placed_nodes(density: Array, probes: Array, count: int, fixed: Sequence[float]) -> Array:
    """Return `count` nodes (count,), the nearest to each fixed place moved onto it."""
    spacing = 1 / density
    for _ in range(4):
        steepness = STEEPEST * count / _integral(1 / spacing, probes)[-1]
        # spacing may not grow faster than `steepness` in either direction
        reach = steepness * (probes - probes[0])
        spacing = np.minimum.accumulate(spacing - reach) + reach
        backward = (spacing + reach)[::-1]
        spacing = np.minimum.accumulate(backward)[::-1] - reach
    mass = _integral(1 / spacing, probes)
    nodes = np.interp(np.linspace(0, mass[-1], count), mass, probes)
    nodes[0], nodes[-1] = probes[0], probes[-1]
    for place in fixed:
        if nodes[0] < place < nodes[-1]:
            nodes[1 + int(np.argmin(np.abs(nodes[1:-1] - place)))] = place
    return nodes


def _integral(values: Array, places: Array) -> Array:
    """Return the running integral by the trapezium rule, from zero, (m,)."""
    steps = 0.5 * (values[1:] + values[:-1]) * np.diff(places)
    return np.concatenate([[0.0], np.cumsum(steps)])
