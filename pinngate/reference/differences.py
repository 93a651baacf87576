"""Finite-difference matrices on uniform grids: periodic, or with one-sided closures at the ends.

Interior stencils are centred and of fourth order, closures of third order for the odd derivatives
and of fourth for the second. That choice is not the most accurate one: with it the matrices for
Dirichlet, Neumann and Robin ends, for an inflow with a free outflow, and for clamped, supported and
free beams have all their eigenvalues in the closed left half plane, and the second-derivative ones
real, so that undamped waves stay bounded; closures one order higher do not (the tests hold this).
Periodic grids use sixth order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from pinngate.reference.stencils import stencil_weights

Array = NDArray[np.float64]
Index = NDArray[np.intp]

BOUNDARY_ACCURACY = 4
PERIODIC_ACCURACY = 6


def derivative_matrix(num_points: int, spacing: float, order: int, is_periodic: bool) -> csr_matrix:
    """Return the sparse (n, n) matrix of the derivative of `order` 1 to 4 (0: identity).

    Truncation error O(h⁶) on a periodic grid (whose last point is one spacing short of the period),
    O(h⁴) in the interior of others.
    """
    accuracy = PERIODIC_ACCURACY if is_periodic else BOUNDARY_ACCURACY
    half = (order + 1) // 2 - 1 + accuracy // 2 if order else 0
    points = np.arange(num_points)
    if is_periodic:
        parts = [_rows(points, points - half, 2 * half + 1, order)]
    else:
        width = order + (BOUNDARY_ACCURACY if order == 2 else BOUNDARY_ACCURACY - 1)
        left, inner, right = np.split(points, [half, max(half, num_points - half)])
        parts = [
            _rows(left, np.zeros_like(left), width, order),
            _rows(inner, inner - half, 2 * half + 1, order),
            _rows(right, np.full_like(right, num_points - width), width, order),
        ]
    rows, columns, entries = (np.concatenate(part) for part in zip(*parts, strict=True))
    shape = (num_points, num_points)
    matrix = csr_matrix((entries, (rows, columns % num_points)), shape=shape)
    matrix.eliminate_zeros()
    return matrix / spacing**order


def _rows(points: Index, starts: Index, width: int, order: int) -> tuple[Index, Index, Array]:
    """Return row, column and weight of each entry of stencils from `starts` about `points`."""
    columns = starts[:, None] + np.arange(width)
    weights = stencil_weights(np.asarray(columns - points[:, None], dtype=float), order)
    return np.repeat(points, width), columns.ravel(), weights.ravel()


def end_row(num_points: int, spacing: float, order: int, is_right: bool) -> csr_matrix:
    """Return the (1, n) one-sided fourth-order row for a derivative at one end of the grid."""
    width = order + BOUNDARY_ACCURACY if order else 1
    start = num_points - width if is_right else 0
    at = num_points - 1 if is_right else 0
    offsets = np.arange(start, start + width, dtype=float) - at
    weights = stencil_weights(offsets[None], order)[0] / spacing**order
    shape = (1, num_points)
    return csr_matrix((weights, ([0] * width, range(start, start + width))), shape=shape)
