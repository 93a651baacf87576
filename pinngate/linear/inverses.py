"""Two ways to apply M⁻¹ with M = gram + α I: a Cholesky factor of one α, or the eigenbasis of all.

The factor costs m³/3 for each ridge; the eigendecomposition some twenty times that, once, after
which every ridge is cheap. `dense` takes the first until several ridges are asked for.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

LEAST_PIVOT = 0.9  # of the ridge; what falls below is rounding


class ShiftedInverse(Protocol):
    """M⁻¹ for any ridge."""

    def inverse(self, ridge: float, x: Tensor) -> Tensor:
        """Return M⁻¹ x for x (m, …)."""

    def mean_filter(self, ridge: float) -> float:
        """Return the mean of φ_j = λ_j/(λ_j + α) = 1 − α tr(M⁻¹)/m."""

    def is_definite(self, ridge: float) -> bool:
        """Whether M is inverted to rounding."""


class CholeskyInverse:
    """Cholesky factors of one ridge at a time, the last few kept.

    Args:
        gram: (m, m), right in its lower triangle.

    Cost: m³/3 for each ridge.
    """

    def __init__(self, gram: Tensor) -> None:
        self.gram = gram
        self._factors: dict[float, Tensor] = {}

    def factor(self, ridge: float) -> Tensor:
        """Return L with L Lᵀ = M, (m, m)."""
        if ridge not in self._factors:
            self._factors = dict(list(self._factors.items())[-1:])
            matrix = self.gram.clone()
            matrix.diagonal().add_(ridge)
            self._factors[ridge] = torch.linalg.cholesky(matrix)
        return self._factors[ridge]

    def inverse(self, ridge: float, x: Tensor) -> Tensor:
        """Return M⁻¹ x for x (m, …)."""
        columns = x if x.ndim == 2 else x[:, None]
        return torch.cholesky_solve(columns, self.factor(ridge)).view_as(x)

    def mean_filter(self, ridge: float) -> float:
        """Return 1 − α tr(M⁻¹)/m."""
        return 1 - ridge * float(torch.cholesky_inverse(self.factor(ridge)).diagonal().mean())

    def is_definite(self, ridge: float) -> bool:
        """Whether M is factorised to rounding: a ridge can be too small beside A.

        The squared pivots of M are at least its least eigenvalue, which is at least the ridge.
        """
        try:
            pivots = self.factor(ridge).diagonal().square()
        except torch.linalg.LinAlgError:
            return False
        return bool(pivots.min() > LEAST_PIVOT * ridge)


class SpectralInverse:
    """M⁻¹ in the eigenbasis of the Gram matrix.

    Args:
        gram: (m, m), right in its lower triangle.

    Attributes:
        eigenvalues: λ_j, increasing, (m,); negative rounding is set to zero.
        vectors: V (m, m).

    Cost: O(m³) once, O(m²) a vector and ridge.
    """

    def __init__(self, gram: Tensor) -> None:
        eigenvalues, self.vectors = torch.linalg.eigh(gram)
        self.eigenvalues = eigenvalues.clamp_min(0.0)

    def inverse(self, ridge: float, x: Tensor) -> Tensor:
        """Return M⁻¹ x for x (m, …)."""
        factors = 1 / (self.eigenvalues + ridge)
        filtered = self.vectors.T @ x
        return self.vectors @ (filtered * (factors if x.ndim == 1 else factors[:, None]))

    def mean_filter(self, ridge: float) -> float:
        """Return the mean of λ_j/(λ_j + α)."""
        return float((self.eigenvalues / (self.eigenvalues + ridge)).mean())

    def is_definite(self, ridge: float) -> bool:
        """Whether the ridge is positive: eigenvalues are never negative."""
        return ridge > 0
