"""The ridge of each block of functions, by the exact leave-one-out risk of the linearised problem.

Every block of weights has a ridge of its own, so that a rough initial state does not make a
coefficient rough. They are chosen in turn on a logarithmic ladder until none changes. Between
`exact_model` and `levenberg_marquardt`; the arithmetic is that of `linear.factored`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from pinngate.linear.columns import JacobianColumns
from pinngate.linear.factored import FactoredSystem
from pinngate.linear.system import RidgeFit

Array = NDArray[np.float64]

LADDER = 1e-8, 1e8  # the least and the largest, against rows in units of the noise
MOST_ROUNDS = 4
NEAR = 10.0 ** np.arange(-1.0, 1.5, 0.5)  # how far a ridge moves at once
BETTER = 0.998  # of the risk: a ridge that brings less is not worth the change


class Ridges:
    """Ridges of the blocks of a vector θ whose first numbers are free.

    Args:
        blocks: parts of θ that carry a ridge, one after the other up to its end.
        num_free: numbers before them.
        first: where the ridges start; strong ones lead through smooth functions.
    """

    def __init__(self, blocks: Sequence[slice], num_free: int, first: Sequence[float]) -> None:
        self.blocks, self.num_free = tuple(blocks), num_free
        self.values = np.array(first, dtype=float)

    @property
    def diagonal(self) -> Array:
        """The ridge of each number of θ, (P,)."""
        found = np.zeros(self.blocks[-1].stop if self.blocks else self.num_free)
        for block, value in zip(self.blocks, self.values, strict=True):
            found[block] = value
        return found

    def fit(self, jacobian: Array, residual: Array, theta: Array) -> RidgeFit:
        """Return the linearised fit at the present ridges, its leave-one-out residuals with it."""
        return self._fit(jacobian, residual, theta, self.values)

    def choose(self, jacobian: Array, residual: Array, theta: Array) -> None:
        """Go towards the ridges of least leave-one-out risk, a factor of ten at most.

        Args:
            jacobian: of the residuals, in units of the noise, (n, P).
            residual: at θ, (n,).
            theta: where the problem is linearised, (P,).

        Cost: a factorisation of n P² for each ridge that is tried.
        """
        first = self.values.copy()
        least = self.fit(jacobian, residual, theta).risk if self.blocks else 0.0
        for _ in range(MOST_ROUNDS):
            before = least
            for k in range(len(self.blocks)):
                for value in np.clip(first[k] * NEAR, *LADDER):
                    tried = self.values.copy()
                    tried[k] = value
                    risk = self._fit(jacobian, residual, theta, tried).risk
                    if risk < BETTER * least:
                        self.values, least = tried, risk
            if least == before:
                return

    def _fit(self, jacobian: Array, residual: Array, theta: Array, values: Array) -> RidgeFit:
        system, b = self._system(jacobian, residual, theta, values)
        return system.fits([1.0], b)[0]

    def _system(
        self, jacobian: Array, residual: Array, theta: Array, values: Array
    ) -> tuple[FactoredSystem, torch.Tensor]:
        """Return the system whose penalised columns are scaled to a ridge of one."""
        weights = np.empty((len(jacobian), 0))
        if self.blocks:
            scaled = [
                jacobian[:, block] / np.sqrt(value)
                for block, value in zip(self.blocks, values, strict=True)
            ]
            weights = np.concatenate(scaled, axis=1)
        else:
            weights = np.zeros((len(jacobian), 1))
        b = residual - jacobian[:, self.num_free :] @ theta[self.num_free :]
        columns = np.concatenate([weights, jacobian[:, : self.num_free]], axis=1)
        tensor = torch.as_tensor(np.ascontiguousarray(columns))
        rows = JacobianColumns(tensor, self.num_free, slice(0, len(columns)), "normal")
        return FactoredSystem(rows), torch.as_tensor(b)
