"""Leave-one-out risk of a ridge fit, exactly and for every ridge, from one eigendecomposition.

In terms of `ridge`: the residual of row i in a fit that never saw row i is exactly
``(T b)_i / T_ii`` (Allen's PRESS; with unpenalised columns the identity of universal kriging,
Dubrule 1983). Its mean square over the observation rows estimates the noise variance plus the
squared error, without a validation set.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pinngate.linear.ridge import Form, RidgeFit, RidgeSystem, lower_gram, solve_gram

LEAST_FREEDOM = 1e-3  # of a direction in a group of observations, so that 1/T_gg stays bounded


class RidgeSpectrum(RidgeSystem):
    """A Aᵀ or Aᵀ A in its eigenbasis: every ridge is cheap.

    Attributes:
        eigenvalues: λ_j, increasing, (m,); negative rounding is set to zero.
        vectors: V (m, m).

    Cost: O(N P m + m³) once with m = min(N, P); O(n m) for each further ridge.
    """

    def __init__(
        self, jacobian: Tensor, num_unpenalised: int, observed: slice, form: Form = "auto"
    ) -> None:
        super().__init__(jacobian, num_unpenalised, observed, form)
        a = self.penalised
        eigenvalues, self.vectors = torch.linalg.eigh(lower_gram(a.T if self.is_dual else a))
        self.eigenvalues = eigenvalues.clamp_min(0.0)
        # rows that turn spectral coordinates into observation rows
        self._rows = self.vectors[observed] if self.is_dual else a[observed] @ self.vectors
        self._squares = self._rows.square()

    def coordinates(self, x: Tensor) -> Tensor:
        """Return x (N, …) in the eigenbasis: Vᵀ x (dual) or Vᵀ Aᵀ x (normal)."""
        return self.vectors.T @ self.reduce(x)

    def inverse(self, ridge: float, x: Tensor) -> Tensor:
        """Return M⁻¹ x for x (m, …)."""
        factors = 1 / (self.eigenvalues + ridge)
        filtered = self.vectors.T @ x
        return self.vectors @ (filtered * (factors if x.ndim == 1 else factors[:, None]))

    def signal_fraction(self, ridge: float) -> float:
        """Return the mean filter φ_j = λ_j/(λ_j + α) over all directions of the kernel."""
        return float((self.eigenvalues / (self.eigenvalues + ridge)).mean())

    def fits(self, ridges: Sequence[float], b: Tensor) -> list[RidgeFit]:
        """Return the fit of b (N,) at each ridge. Cost: O(n m) for each."""
        alpha = torch.tensor(list(ridges), dtype=b.dtype, device=b.device)
        weights = 1 / (self.eigenvalues[:, None] + alpha)
        vb, vc = self.coordinates(b), self.vectors.T @ self._reduced_columns
        by_column = weights[:, :, None] * vc[:, None]  # (m, ridges, K)
        diagonals = self._squares @ weights
        residuals = self._rows @ (weights * vb[:, None])
        images = (self._rows @ by_column.flatten(1)).unflatten(1, by_column.shape[1:])
        grams = torch.einsum("mk,mrl->rkl", vc, by_column)
        moments = torch.einsum("mrk,m->rk", by_column, vb)
        if self.is_dual:
            diagonals, residuals = alpha * diagonals, alpha * residuals
            images, grams = alpha[:, None] * images, alpha[:, None, None] * grams
            moments = alpha[:, None] * moments
        else:
            diagonals, residuals = 1 - diagonals, b[self.observed, None] - residuals
            images = self.unpenalised[self.observed, None] - images
            grams, moments = self._column_products - grams, self.unpenalised.T @ b - moments
        return [
            self._fit(ridge, diagonals[:, k], residuals[:, k], images[:, k], grams[k], moments[k])
            for k, ridge in enumerate(ridges)
        ]

    def unshrunk(self, ridge: float, rows: Tensor, residuals: Tensor) -> Tensor:
        """Return T_gg^(−1/2) r_g (k,): residuals of a group freed of what the fit took from them.

        Independent noise of variance σ² leaves residuals r_g of covariance σ² T_gg in an
        unpenalised fit, so that these have the covariance of the noise again.

        Args:
            ridge: α > 0.
            rows: the group's places among the observations, (k,).
            residuals: r_g = (T b)_g, (k,).

        Cost: O(k² m + k³).
        """
        own = self._rows[rows]
        block = (own / (self.eigenvalues + ridge)) @ own.T
        if self.is_dual:
            block = ridge * block
        else:
            block = torch.eye(len(block), dtype=own.dtype, device=own.device) - block
        if self.unpenalised.shape[1]:
            t_c = self.penalised_residual(ridge, self.unpenalised)
            mixed = t_c[self.observed][rows]
            block = block - mixed @ solve_gram(self.unpenalised.T @ t_c, mixed.T)
        values, vectors = torch.linalg.eigh((block + block.T) / 2)
        # what the group alone determines has no residual to speak of, and nothing to divide by
        return vectors @ ((vectors.T @ residuals) * values.clamp_min(LEAST_FREEDOM).rsqrt())
