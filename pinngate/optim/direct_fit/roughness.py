"""How rough unknown functions are, by the restricted likelihood of the linearised problem.

With all rows in units of their noise s, the Jacobian J and the ridge Λ,

    −2 log L = 2 Σ log s − log pdet(BᵀB) + log det(JᵀJ + Λ) + min ‖r + Jδ‖² + (θ + δ)ᵀΛ(θ + δ)

Σ goes over what was measured, and B are the rows that measure roughness: those along the two
arguments of a function are more than it has weights, so that their density is that of BᵀB where it
is not zero (S. N. Wood, J. R. Statist. Soc. B 73, 2011, 3-36). The noise s of the rows that measure
roughness is taken where L·√s is largest. L alone is often largest at zero, a straight line, where
the data tell little; its band would be too narrow. The root is a gamma prior of shape 3/2 without a
scale, half as strong as that of the source: Y. Chung, S. Rabe-Hesketh, V. Dorie, A. Gelman, J. Liu,
Psychometrika 78, 2013, 685-709. Below `levenberg_marquardt`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pinngate.data.priors import LEAST_SPREAD
from pinngate.optim.direct_fit.block_ridges import NEAR

Array = NDArray[np.float64]
Rows = NDArray[np.intp]


def chosen(std: Array, groups: Sequence[Rows], likelihood: Callable[[Array], float]) -> Array:
    """Return the standard deviations with the best roughness within a factor of ten.

    Best is the vertex of the parabola through the best of some places and its neighbours.

    Args:
        std: of all rows, (n,).
        groups: the rows of each function, which have one standard deviation.
        likelihood: of standard deviations (n,), −2 log L.
    """
    for rows in groups:
        tried = [_with(std, rows, factor) for factor in NEAR]
        levels = np.array([likelihood(s) - np.log(s[rows[0]]) for s in tried])
        best = int(np.argmin(levels))
        factor = NEAR[best]
        if 0 < best < len(NEAR) - 1:
            low, level, high = levels[best - 1 : best + 2]
            move = 0.5 * (low - high) / max(low - 2 * level + high, np.finfo(float).tiny)
            factor *= (NEAR[1] / NEAR[0]) ** np.clip(move, -0.5, 0.5)
        std = _with(std, rows, factor)
    return std


def _with(std: Array, rows: Rows, factor: float) -> Array:
    changed = std.copy()
    changed[rows] = np.maximum(factor * std[rows], LEAST_SPREAD)
    return changed


def restricted(
    jacobian: Array, residual: Array, theta: Array, ridge: Array, rough: Rows
) -> Callable[[Array], float]:
    """Return −2 log L as a function of the standard deviations (n,), but for a constant.

    Args:
        jacobian: at θ, (n, P), and
        residual: (n,), both in the units of the values.
        theta: θ, (P,).
        ridge: Λ, (P,).
        rough: the rows that measure roughness.

    Cost: n P² of each call.
    """
    measured = np.delete(np.arange(len(residual)), rough)
    bends = jacobian[rough]
    rank = int(np.linalg.matrix_rank(bends)) if len(rough) else 0

    def likelihood(std: Array) -> float:
        j, r = jacobian / std[:, None], residual / std
        size = np.maximum(np.sqrt(np.square(j).sum(axis=0) + ridge), np.finfo(float).tiny)
        gram = (j.T @ j + np.diag(ridge)) / size / size[:, None]
        slope = (j.T @ r + ridge * theta) / size
        values, vectors = np.linalg.eigh(gram)
        values = np.maximum(values, np.finfo(float).eps)
        gained = np.square(vectors.T @ slope) / values
        loss = float(r @ r + ridge @ np.square(theta) - gained.sum())
        known = np.linalg.svd(bends / std[rough, None], compute_uv=False)[:rank]
        scales = np.log(std[measured]).sum() - np.log(known).sum() + np.log(size).sum()
        return float(2 * scales + np.log(values).sum() + loss)

    return likelihood


__all__ = ["chosen", "restricted"]
