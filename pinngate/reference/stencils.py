"""Weights of finite differences, and differences and local interpolation on unequal spacing.

Every finite difference of the package comes from `stencil_weights`: the matrices on uniform grids
(`differences`), and those of a `Line` of unequal nodes, which the tangent equations and the data
assimilation of the benchmarks use. Weights are those of the Lagrange polynomial through the nodes.
Source: B. Fornberg, Math. Comp. 51 (1988) 699.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.intp]


def stencil_weights(offsets: Array, order: int) -> Array:
    """Return Fornberg's weights w with Σ_j w_j f(x + offset_j) ≈ f^(order)(x), row by row.

    Exact for polynomials of a degree below the number of nodes.

    Args:
        offsets: nodes minus the position, distinct in each row, shape (m, width).
        order: of the derivative, 0 for interpolation.

    Returns:
        Shape (m, width).

    Cost: width²·order operations a row, all rows at once.
    """
    nodes = offsets.T
    # weights[i, k] are those of node i for the derivative k from the nodes up to the present one
    weights = np.zeros((len(nodes), order + 1, nodes.shape[1]))
    weights[0, 0] = 1.0
    orders = np.arange(order + 1.0)[:, None]
    product = np.ones(nodes.shape[1])
    for i in range(1, len(nodes)):
        lower = np.zeros((i, order + 1, nodes.shape[1]))
        lower[:, 1:] = weights[:i, :-1]
        lower *= orders
        distance = nodes[i] - nodes[:i]
        next_product = distance.prod(axis=0)
        before = nodes[i - 1] * weights[i - 1]
        weights[i] = product * (lower[-1] - before) / next_product
        weights[:i] = (nodes[i] * weights[:i] - lower) / distance[:, None]
        product = next_product
    return np.ascontiguousarray(weights[:, order].T)


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
        return _sparse(index, stencil_weights(offset, order), n)

    def interpolation(self, at: Array, width: int = 4) -> tuple[Indices, Array]:
        """Return indices and weights, shape (m, width), of the local polynomial at positions."""
        index, offset = self.stencils(at, width)
        return index, stencil_weights(offset, 0)


def _sparse(index: Indices, weights: Array, n: int) -> scipy.sparse.csr_array:
    rows = np.repeat(np.arange(len(index)), index.shape[1])
    shape = (len(index), n)
    return scipy.sparse.csr_array((weights.ravel(), (rows, index.ravel())), shape=shape)
