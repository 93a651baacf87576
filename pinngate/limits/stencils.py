"""Finite differences and local interpolation on a grid of unequal spacing, periodic or not.

Used by the tangent equations. Weights are those of the Lagrange polynomial through the nearest
nodes (Fornberg 1988), found for all rows at once from small Vandermonde systems.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Line:
    """Nodes of one axis, ascending, shape (n,); `period` is None where the axis does not wrap."""

    nodes: Array
    period: float | None = None

    def stencils(self, at: Array, width: int) -> tuple[Indices, Array]:
        """Return the `width` nodes about each position: indices and offsets, shape (m, width)."""
        n = len(self.nodes)
        if self.period is None:
            nodes, origin = self.nodes, np.arange(n)
        else:
            before, after = self.nodes[-width:] - self.period, self.nodes[:width] + self.period
            nodes = np.concatenate([before, self.nodes, after])
            origin = np.concatenate([np.arange(n - width, n), np.arange(n), np.arange(width)])
            at = self.nodes[0] + np.mod(at - self.nodes[0], self.period)
        near = np.searchsorted(nodes, at)
        # an odd stencil is centred on the nearest node, an even one on the interval
        if width % 2:
            left = np.clip(near - 1, 0, len(nodes) - 1)
            right = np.clip(near, 0, len(nodes) - 1)
            near = np.where(np.abs(nodes[left] - at) <= np.abs(nodes[right] - at), left, right)
        start = np.clip(near - width // 2, 0, len(nodes) - width)
        index = start[:, None] + np.arange(width)
        return origin[index], nodes[index] - at[:, None]

    def derivative(self, order: int) -> scipy.sparse.csr_array:
        """Return the (n, n) matrix of ∂^order, of third to fourth order of accuracy."""
        n = len(self.nodes)
        if order == 0:
            return scipy.sparse.csr_array(scipy.sparse.eye_array(n))
        width = order + 3 + order % 2  # odd, so that the stencil is centred
        index, offset = self.stencils(self.nodes, width)
        return _sparse(index, _weights(offset, order), n)

    def interpolation(self, at: Array, width: int = 4) -> tuple[Indices, Array]:
        """Return indices and weights, shape (m, width), of the local polynomial at positions."""
        index, offset = self.stencils(at, width)
        return index, _weights(offset, 0)


def _weights(offset: Array, order: int) -> Array:
    width = offset.shape[1]
    scale = np.abs(offset).max(axis=1, keepdims=True)
    powers = (offset / scale)[:, None, :] ** np.arange(width)[None, :, None]
    target = np.zeros((len(offset), width, 1))
    target[:, order, 0] = math.factorial(order)
    solved: Array = np.linalg.solve(powers, target)[:, :, 0]
    return solved / scale**order


def _sparse(index: Indices, weights: Array, n: int) -> scipy.sparse.csr_array:
    rows = np.repeat(np.arange(len(index)), index.shape[1])
    shape = (len(index), n)
    return scipy.sparse.csr_array((weights.ravel(), (rows, index.ravel())), shape=shape)


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
