"""The ridge of each block of functions, by the exact leave-one-out risk of the linearised problem.

Every block of weights has a ridge of its own, so that a rough initial state does not make a
coefficient rough. They are chosen in turn on a logarithmic ladder until none changes. A norm knows
one slope of the spectrum; what a signal has beyond it, a line, or a frequency that it lacks, is
told by the strength of each octave (`octave_strengths`), of which the geometric mean with the
norm's is taken. Between `exact_model` and `levenberg_marquardt`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinngate.inference.averaging import shares
from pinngate.inference.octaves import octave_strengths, octaves
from pinngate.optim.direct_fit.weighted_functions import SPLINE, Block

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

NEAR = 10.0 ** np.arange(-1.0, 1.5, 0.5)  # how far a ridge moves at once
ORDERS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)  # of the Sobolev norm
SMALL = 0.01  # decrease of the loss, in squared units of the noise, that is none


@dataclass(frozen=True)
class RidgeFit:
    """A fit to n values by weights with ridges.

    Attributes:
        leverage: diagonal of the matrix that takes values to fitted ones, (n,).
        leave_one_out: errors of values that are left out, (n,).
        measured: how many of them were measured; what follows is known beforehand.
    """

    leverage: Array
    leave_one_out: Array
    measured: int | None = None

    @property
    def risk(self) -> float:
        """Mean square of the leave-one-out errors of what was measured."""
        return float(np.square(self.leave_one_out[: self.measured]).mean())

    def is_worse_than(self, other: RidgeFit) -> bool:
        """Whether its risk is higher by more than the standard error of the difference."""
        mine, theirs = (np.square(f.leave_one_out[: self.measured]) for f in (self, other))
        difference = mine - theirs
        return bool(difference.mean() > difference.std() / np.sqrt(len(difference)))

    @property
    def effective_dimension(self) -> float:
        """Trace of the matrix that takes values to fitted ones."""
        return float(self.leverage.sum())


class Factored:
    """J = Q R, for fits with many ridges Λ to one right side.

    With the upper part T of the orthogonal factor of R above √Λ, the hat matrix is Q T Tᵀ Qᵀ.

    Args:
        jacobian: J (n, P).
        right: what is fitted, (n,).
        measured: as of `RidgeFit`.
    """

    def __init__(self, jacobian: Array, right: Array, measured: int | None = None) -> None:
        self._measured = measured
        self._size = np.maximum(np.linalg.norm(jacobian, axis=0), 1e-300)
        self._q, self._r = np.linalg.qr(jacobian / self._size)
        self._right, self._inside = right, self._q.T @ right

    def fit(self, ridge: Array) -> RidgeFit:
        """Return the fit with ridges (P,) on the weights. Cost: n P²."""
        roots = np.sqrt(ridge) / self._size
        upper = np.linalg.qr(np.concatenate([self._r, np.diag(roots)]))[0][: len(self._r)]
        leverage = np.square(self._q @ upper).sum(axis=1)
        left = self._right - self._q @ (upper @ (upper.T @ self._inside))
        left_out = left / np.maximum(1 - leverage, np.finfo(float).eps)
        return RidgeFit(leverage, left_out, self._measured)


class Ridges:
    """Ridges of the blocks of a vector θ whose first numbers are free.

    The ridge of a weight is λ q^(s − 2), with q the stiffness of its function and s the order of a
    Sobolev norm (see `weighted_functions`).

    Args:
        blocks: parts of θ that carry a ridge, one after the other up to its end.
        num_free: numbers before them.
        first: λ where all of them start; a strong one leads through smooth functions.
        measured: number of values that were measured, which come first.
        has_octaves: whether each octave has its part in the ridge.

    Attributes:
        strengths: λ of each block.
        rungs: the index in `ORDERS` of each block's s.
        tempering: what the octaves of each weight make of it, (P,).
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        num_free: int,
        first: float,
        measured: int | None = None,
        *,
        has_octaves: bool = True,
    ) -> None:
        self.blocks, self.num_free, self.measured = tuple(blocks), num_free, measured
        self.strengths = np.full(len(self.blocks), first)
        self.rungs = np.full(len(self.blocks), ORDERS.index(SPLINE))
        tempered = self.blocks if has_octaves else ()
        self._octaves = [octave for block in tempered for octave in octaves(block.part)]
        self.tempering = np.ones(self.blocks[-1].part.stop if self.blocks else num_free)

    @property
    def diagonal(self) -> Array:
        """The ridge of each number of θ, (P,)."""
        return self._diagonal(self.strengths, self.rungs) * self.tempering

    def _diagonal(self, strengths: Array, rungs: Indices) -> Array:
        found = np.zeros(len(self.tempering))
        for block, strength, rung in zip(self.blocks, strengths, rungs, strict=True):
            found[block.part] = strength * block.stiffness ** (ORDERS[rung] - SPLINE)
        return found

    def fit(self, jacobian: Array, residual: Array, theta: Array) -> RidgeFit:
        """Return the linearised fit at the present ridges.

        Args:
            jacobian: of the residuals, in units of the noise, (n, P).
            residual: at θ, (n,).
            theta: where the problem is linearised, (P,).
        """
        return Factored(jacobian, residual - jacobian @ theta, self.measured).fit(self.diagonal)

    def choose(self, jacobian: Array, residual: Array, theta: Array) -> None:
        """Go towards the ridges of least leave-one-out risk, a factor of ten at most in each round.

        Args: as `fit`.

        Cost: a factorisation, 2 n P², and n P² for each ridge that is tried.
        """
        if not self.blocks:
            return
        right = residual - jacobian @ theta
        factored = Factored(jacobian, right, self.measured)
        norm = self._diagonal(self.strengths, self.rungs)
        least, enough = factored.fit(norm), 1 - SMALL / len(residual)
        before = np.inf
        while least.risk < before:
            before = least.risk
            for k in range(len(self.blocks)):
                for strength, rung in self._tried(k, least.effective_dimension):
                    strengths, rungs = self.strengths.copy(), self.rungs.copy()
                    strengths[k], rungs[k] = strength, rung
                    found = factored.fit(self._diagonal(strengths, rungs))
                    if found.risk < enough * least.risk:
                        self.strengths, self.rungs, least = strengths, rungs, found
        norm = self._diagonal(self.strengths, self.rungs)
        tempering = np.sqrt(octave_strengths(jacobian, right, norm, self._octaves))
        is_worse = factored.fit(norm * tempering).is_worse_than(least)
        self.tempering = np.ones_like(norm) if is_worse else tempering

    def doubt(self, jacobian: Array, residual: Array, theta: Array) -> Array:
        """Return what it leaves uncertain that other ridges have risks as low, (P, m).

        The mixture of the linearised fits at ridges of one block after the other has the
        covariance Σ w (C_k + (θ_k − θ)(θ_k − θ)ᵀ), w their shares by risk (`averaging.shares`);
        returned is a root of what is more of it than the covariance at the present ridges.

        Args: as `fit`.

        Cost: n P² for each ridge that is tried.
        """
        count = len(theta)
        more = np.zeros((count, count))
        factored = Factored(jacobian, residual - jacobian @ theta, self.measured)
        gram, slope = jacobian.T @ jacobian, jacobian.T @ (jacobian @ theta - residual)
        present = factored.fit(self.diagonal)
        own = _inverse(gram + np.diag(self.diagonal))
        for k in range(len(self.blocks)):
            tried = [self.diagonal]
            for strength, rung in self._tried(k, present.effective_dimension):
                strengths, rungs = self.strengths.copy(), self.rungs.copy()
                strengths[k], rungs[k] = strength, rung
                tried.append(self._diagonal(strengths, rungs) * self.tempering)
            risks = {str(i): factored.fit(ridge).risk for i, ridge in enumerate(tried)}
            for i, share in shares(risks, len(residual)).items():
                covariance = _inverse(gram + np.diag(tried[int(i)]))
                moved = covariance @ slope - own @ slope
                more += share * (covariance - own + np.outer(moved, moved))
        size = np.sqrt(np.maximum((own + more).diagonal(), 1e-300))
        values, vectors = np.linalg.eigh(more / size[:, None] / size)
        return np.asarray(size[:, None] * vectors * np.sqrt(np.maximum(values, 0.0)))

    def _tried(self, k: int, dimension: float) -> list[tuple[float, int]]:
        """Return strengths near the present one of a block, on every rung.

        The norm of another order damps the last function that is free as the present one does.
        """
        strength, rung = self.strengths[k], int(self.rungs[k])
        stiffness = self.blocks[k].stiffness
        last = int(np.clip((dimension - self.num_free) / len(self.blocks), 1, len(stiffness))) - 1
        found = []
        for other, order in enumerate(ORDERS):
            same = strength * stiffness[last] ** (ORDERS[rung] - order)
            found += [(float(same * factor), other) for factor in NEAR]
        return found


def _inverse(matrix: Array) -> Array:
    """Return the inverse of a positive semidefinite matrix, columns of size one for rounding."""
    scale = 1 / np.sqrt(np.maximum(matrix.diagonal(), 1e-300))
    return np.asarray(scale[:, None] * np.linalg.pinv(scale[:, None] * matrix * scale) * scale)
