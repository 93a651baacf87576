"""Coefficients that lie at a bound: how a search and a profile move with them.

The raw number of a coefficient runs to infinity at its bound, where the data no longer answer to
it, and a linear step in it says nothing of the coefficient. With ‖∂(r/σ)/∂θ_j‖ < 1 the bound is
nearer than the standard deviation that the coefficient would have with all others held; there

    q = exp(θ_j)  of one bound,   q = 1/(1 + exp(±θ_j))  of two, the nearer one's distance,

is what the model is linear in, and no step goes beyond the bound. What has one bound and lies
beyond its start, θ_j > 0, runs away from it and has no such coordinate. Below
`levenberg_marquardt` and `profile`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from pinngate.optim.direct_fit.unknowns import LONGEST, Unknowns

Array = NDArray[np.float64]


def beside_bounds(unknowns: Unknowns, jacobian: Array) -> Array:
    """Return of each entry of θ how many bounds it has where it lies at one, else 0, (P,).

    Args:
        unknowns: what the entries of θ are.
        jacobian: in units of the noise, (n, P).
    """
    counts = np.zeros(jacobian.shape[1], dtype=int)
    stated = unknowns.coefficients.specifications
    counts[unknowns.scalars] = [(c.lower is not None) + (c.upper is not None) for c in stated]
    return np.where(np.linalg.norm(jacobian, axis=0) < 1, counts, 0)


def longest_steps(unknowns: Unknowns, jacobian: Array) -> Array:
    """Return the least and the greatest change of θ, (2, P), infinite but beside bounds.

    The others need not wait until what the data do not answer to has gone its way.
    """
    far = np.where(beside_bounds(unknowns, jacobian) > 0, LONGEST, np.inf)
    return np.stack([-far, far])


class BesideBounds:
    """The coordinates η (P,) of a profile: distances from bounds beside them, else θ.

    Args:
        unknowns: what the entries of θ are.
        theta: the fit, (P,).
        jacobian: there, in units of the noise, (n, P).

    Attributes:
        at: which entries are distances, (P,).
        low: of η, (P,), minus infinity where nothing bounds it.
        high: likewise.
    """

    def __init__(self, unknowns: Unknowns, theta: Array, jacobian: Array) -> None:
        counts = beside_bounds(unknowns, jacobian)
        self._is_between = counts == 2
        self.at = self._is_between | ((counts == 1) & (theta < 0))
        self._sign = np.where(self._is_between & (theta > 0), -1.0, 1.0)
        nearer = -np.log(np.finfo(float).eps)  # of which nothing is left beside the fit
        reach = np.abs(theta) + nearer
        self._least = np.where(self._is_between, -reach, theta - nearer)
        self._most = np.where(self._is_between, reach, np.inf)
        ends = np.sort([self.of(self._least), self.of(self._most)], axis=0)
        self.low, self.high = np.where(self.at, ends, [[-np.inf], [np.inf]])

    def of(self, theta: Array) -> Array:
        """Return η of θ."""
        with np.errstate(over="ignore"):
            one = np.where(self.at & ~self._is_between, np.exp(theta), theta)
        return np.where(self._is_between, expit(self._sign * theta), one)

    def theta(self, eta: Array) -> Array:
        """Return θ of η, which is brought between its bounds."""
        eta = np.clip(eta, self.low, self.high)
        one, two = (np.where(own, eta, 0.5) for own in (self.at, self._is_between))
        raw = np.where(self._is_between, self._sign * logit(two), np.log(one))
        return np.where(self.at, np.clip(raw, self._least, self._most), eta)

    def slopes(self, theta: Array) -> Array:
        """Return ∂η/∂θ, (P,)."""
        eta = self.of(theta)
        two = self._sign * eta * (1 - eta)
        return np.where(self._is_between, two, np.where(self.at, eta, 1.0))


def least_change(
    gram: Array, slope: Array, room: Array, solved: Callable[[Array, Array], Array]
) -> Array:
    """Return the δ (P,) of least δᵀGδ + 2 gᵀδ within bounds.

    What would leave its bounds is held there, and the others change again.

    Args:
        gram: G (P, P).
        slope: g (P,).
        room: least and greatest change of each, (2, P).
        solved: G, right side → solution of the linear system.

    Cost: one solution more for each time that something is held.
    """
    change, is_free = np.zeros(len(slope)), room[0] < room[1]
    while is_free.any():
        right = -(slope + gram[:, ~is_free] @ change[~is_free])[is_free]
        change[is_free] = solved(gram[np.ix_(is_free, is_free)], right)
        is_out = is_free & (change != np.clip(change, *room))
        if not is_out.any():
            break
        change, is_free = np.clip(change, *room), is_free & ~is_out
    return change


__all__ = ["BesideBounds", "beside_bounds", "least_change", "longest_steps"]
