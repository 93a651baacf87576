"""Thin-plate smoothing spline of scattered data in any number of variables.

The classical baseline where no initial condition was observed, and for initial conditions on more
than one space axis. f(p) = Σ_i c_i φ(|p − p_i|) + d_0 + d·p with φ(r) = r² log r and axes scaled to
[0, 1]; the smoothing parameter by generalised cross-validation. Source: Wahba, Spline Models for
Observational Data (1990), §2.4 and §4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from pinngate.classical.crossvalidation import least_score
from pinngate.errors import InputError

Array = NDArray[np.float64]

MAX_POINTS = 2000  # the decomposition costs n³: a few seconds here; more are averaged in cells
CHUNK = 2048  # rows evaluated at a time, which bounds memory


@dataclass(frozen=True)
class ThinPlate:
    """A fitted thin-plate spline; call it with points (m, axes) in the original units."""

    centres: Array
    weights: Array
    polynomial: Array
    low: Array
    span: Array
    smoothing: float
    effective_dimension: float

    def __call__(self, points: Array) -> Array:
        """Evaluate at points (m, axes), shape (m,)."""
        scaled = (points - self.low) / self.span
        values = np.empty(len(scaled))
        for start in range(0, len(scaled), CHUNK):
            part = scaled[start : start + CHUNK]
            values[start : start + CHUNK] = _kernel(part, self.centres) @ self.weights
        return values + _plane(scaled) @ self.polynomial


def thin_plate(
    points: Array,
    values: Array,
    precision: Array | None = None,
    *,
    bounds: Sequence[tuple[float, float]],
    smoothing: float | None = None,
) -> ThinPlate:
    """Fit a thin-plate smoothing spline.

    Args:
        points: shape (n, axes).
        values: shape (n,).
        precision: 1/variance up to a factor, shape (n,); equal where None.
        bounds: (low, high) of each axis, which is scaled to [0, 1].
        smoothing: parameter; by generalised cross-validation where None.

    Cost: one symmetric eigendecomposition of at most 2,000 × 2,000.

    Raises:
        InputError: the points do not determine a plane.
    """
    low = np.array([b[0] for b in bounds])
    span = np.array([b[1] - b[0] for b in bounds])
    precision = np.ones(len(values)) if precision is None else precision
    centres, values, precision = _merge((points - low) / span, values, precision)
    n, num_polynomials = len(centres), centres.shape[1] + 1
    plane = _plane(centres)
    if n <= num_polynomials or np.linalg.matrix_rank(plane) < num_polynomials:
        raise InputError(
            f"a thin-plate spline got {n} distinct points that do not span the domain",
            expected=f"more than {num_polynomials}, not on one line or plane",
        )
    # weighted data are rescaled to unit weights
    root = np.sqrt(precision / precision.mean())
    kernel = root[:, None] * _kernel(centres, centres) * root
    orthogonal, triangular = scipy.linalg.qr(root[:, None] * plane)
    inner = orthogonal[:, num_polynomials:]
    eigenvalues, vectors = scipy.linalg.eigh(inner.T @ kernel @ inner, driver="evd")
    eigenvalues = np.maximum(eigenvalues, 0.0)
    data = root * values
    rotated = vectors.T @ (inner.T @ data)

    def trace(lam: float) -> float:
        return num_polynomials + float(np.sum(eigenvalues / (eigenvalues + lam)))

    def score(lam: float) -> float:
        shrink = lam / (eigenvalues + lam)
        return float(n * np.sum((shrink * rotated) ** 2) / np.sum(shrink) ** 2)

    if smoothing is None:
        largest = eigenvalues[-1]
        smoothing = least_score(score, trace, n, 1e-10 * largest, 1e3 * largest)
    weights = inner @ (vectors @ (rotated / (eigenvalues + smoothing)))
    remainder = orthogonal[:, :num_polynomials].T @ (data - kernel @ weights)
    polynomial = scipy.linalg.solve_triangular(triangular[:num_polynomials], remainder)
    return ThinPlate(centres, root * weights, polynomial, low, span, smoothing, trace(smoothing))


def _kernel(a: Array, b: Array) -> Array:
    squared = np.maximum(np.sum(a**2, axis=1)[:, None] + np.sum(b**2, axis=1) - 2 * a @ b.T, 1e-300)
    result: Array = 0.5 * squared * np.log(squared)
    return result


def _plane(points: Array) -> Array:
    return np.column_stack([np.ones(len(points)), points])


def _merge(points: Array, values: Array, precision: Array) -> tuple[Array, Array, Array]:
    """Average repeated points, and points that share a cell where there are too many."""
    keys = points
    num_axes = points.shape[1]
    if len(points) > MAX_POINTS:
        per_axis = int(MAX_POINTS ** (1 / num_axes))
        keys = np.minimum(np.floor(points * per_axis), per_axis - 1)
    _, groups = np.unique(keys, axis=0, return_inverse=True)
    groups = groups.ravel()
    total = np.bincount(groups, precision)
    averaged = [np.bincount(groups, precision * column) / total for column in points.T]
    merged = np.bincount(groups, precision * values) / total
    return np.column_stack(averaged), merged, np.asarray(total, dtype=np.float64)
