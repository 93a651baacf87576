"""Finite-difference matrices on uniform grids: periodic, or with one-sided closures at the ends.

Interior stencils are centred and of fourth order, closures of third order for the odd derivatives
and of fourth for the second. That choice is not the most accurate one: with it the matrices for
Dirichlet, Neumann and Robin ends, for an inflow with a free outflow, and for clamped, supported and
free beams have all their eigenvalues in the closed left half plane, and the second-derivative ones
real, so that undamped waves stay bounded; closures one order higher do not (the tests hold this).
Periodic grids use sixth order. Stencils: B. Fornberg, Math. Comp. 51 (1988) 699.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Array = NDArray[np.float64]

BOUNDARY_ACCURACY = 4
PERIODIC_ACCURACY = 6


def stencil(at: float, nodes: Array, order: int) -> Array:
    """Return Fornberg's weights w with Σ w_j f(nodes_j) ≈ f^(order)(at), exact for polynomials."""
    count = len(nodes)
    weights = np.zeros((count, order + 1))
    weights[0, 0] = 1.0
    product, offset = 1.0, nodes[0] - at
    for i in range(1, count):
        top = min(i, order)
        previous, product_i = offset, 1.0
        offset = nodes[i] - at
        for j in range(i):
            distance = nodes[i] - nodes[j]
            product_i *= distance
            if j == i - 1:
                for k in range(top, -1, -1):
                    lower = k * weights[j, k - 1] if k else 0.0
                    weights[i, k] = product * (lower - previous * weights[j, k]) / product_i
            for k in range(top, -1, -1):
                lower = k * weights[j, k - 1] if k else 0.0
                weights[j, k] = (offset * weights[j, k] - lower) / distance
        product = product_i
    return weights[:, order]


def derivative_matrix(num_points: int, spacing: float, order: int, is_periodic: bool) -> csr_matrix:
    """Return the sparse (n, n) matrix of the derivative of `order` 1 to 4 (0: identity).

    Truncation error O(h⁶) on a periodic grid (whose last point is one spacing short of the period),
    O(h⁴) in the interior of others.
    """
    accuracy = PERIODIC_ACCURACY if is_periodic else BOUNDARY_ACCURACY
    closure = BOUNDARY_ACCURACY if order == 2 else BOUNDARY_ACCURACY - 1
    half = (order + 1) // 2 - 1 + accuracy // 2 if order else 0
    centred = stencil(0.0, np.arange(-half, half + 1.0), order)
    rows, columns, entries = [], [], []
    for i in range(num_points):
        if is_periodic or half <= i < num_points - half:
            start, weights = i - half, centred
        else:
            width = order + closure
            start = 0 if i < half else num_points - width
            weights = stencil(float(i), np.arange(start, start + width, dtype=float), order)
        rows += [i] * len(weights)
        columns += [(start + j) % num_points for j in range(len(weights))]
        entries += list(weights)
    matrix = csr_matrix((entries, (rows, columns)), shape=(num_points, num_points))
    matrix.eliminate_zeros()
    return matrix / spacing**order


def end_row(num_points: int, spacing: float, order: int, is_right: bool) -> csr_matrix:
    """Return the (1, n) one-sided fourth-order row for a derivative at one end of the grid."""
    width = order + BOUNDARY_ACCURACY if order else 1
    start = num_points - width if is_right else 0
    at = num_points - 1 if is_right else 0
    nodes = np.arange(start, start + width, dtype=float)
    weights = stencil(float(at), nodes, order) / spacing**order
    shape = (1, num_points)
    return csr_matrix((weights, ([0] * width, range(start, start + width))), shape=shape)
