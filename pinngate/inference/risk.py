"""Leave-one-out risk of a ridge fit, exactly and for every ridge, from one eigendecomposition.

Pure linear algebra on tensors, between the Jacobian of all residuals and the Gauss–Newton solver.
The linearised problem is ``min ‖b + A v + C c‖² + α‖v‖²`` with penalised columns A (N, P) and few
unpenalised columns C (N, K). With ``M = A Aᵀ + α I`` the residual of the minimiser is ``T b``,

    T = α (M⁻¹ − M⁻¹ C (Cᵀ M⁻¹ C)⁻¹ Cᵀ M⁻¹),

and the residual of row i in a fit that never saw row i is exactly ``(T b)_i / T_ii`` (Allen's
PRESS; with unpenalised columns the identity of universal kriging, Dubrule 1983). Its mean square
over the observation rows estimates the noise variance plus the squared error, without a validation
set. Heavy-tailed noise is met by a Student-t model chosen by likelihood (`fit_student_t`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

LEAST_FREEDOM = 1e-3  # of a direction in a group of observations, so that 1/T_gg stays bounded
Form = Literal["auto", "dual", "normal"]


@dataclass(frozen=True)
class RidgeFit:
    """The fit at one ridge, seen from the observation rows.

    Attributes:
        ridge: α.
        residual: T b on the observation rows, (n,).
        leverage: 1 − T_ii, how much each observation draws the fit to itself, (n,).
        leave_one_out: (T b)_i / T_ii, (n,).
    """

    ridge: float
    residual: Tensor
    leverage: Tensor
    leave_one_out: Tensor

    @property
    def effective_dimension(self) -> float:
        """Trace of the hat matrix over the observation rows."""
        return float(self.leverage.sum())


class RidgeSpectrum:
    """A A ᵀ (dual form, N ≤ P) or Aᵀ A (normal form) in its eigenbasis: every ridge is cheap.

    Args:
        jacobian: (N, P + K), the unpenalised columns last.
        num_unpenalised: K.
        observed: the rows that are observations.
        form: which matrix to decompose; ``auto`` takes the smaller.

    Attributes:
        eigenvalues: λ_j, increasing, (min(N, P),) in ``auto``; negative rounding is set to zero.

    Cost: O(N P m + m³) once with m = min(N, P); O(n m) for each further ridge.
    """

    def __init__(
        self, jacobian: Tensor, num_unpenalised: int, observed: slice, form: Form = "auto"
    ) -> None:
        num_rows, num_columns = jacobian.shape
        num_penalised = num_columns - num_unpenalised
        self.penalised = jacobian[:, :num_penalised]
        self.unpenalised = jacobian[:, num_penalised:]
        self.observed = observed
        self.is_dual = form == "dual" or (form == "auto" and num_rows <= num_penalised)
        a = self.penalised
        eigenvalues, self.vectors = torch.linalg.eigh(a @ a.T if self.is_dual else a.T @ a)
        self.eigenvalues = eigenvalues.clamp_min(0.0)
        # rows that turn spectral coordinates into observation rows
        self._rows = self.vectors[observed] if self.is_dual else a[observed] @ self.vectors
        self._squares = self._rows.square()

    def coordinates(self, x: Tensor) -> Tensor:
        """Return x (N, …) in the eigenbasis: Vᵀ x (dual) or Vᵀ Aᵀ x (normal)."""
        return self.vectors.T @ (x if self.is_dual else self.penalised.T @ x)

    def penalised_residual(self, ridge: float, x: Tensor) -> Tensor:
        """Return α (A Aᵀ + α I)⁻¹ x for x (N, …): what the penalised columns cannot explain."""
        filtered = _scale_rows(self.coordinates(x), 1 / (self.eigenvalues + ridge))
        if self.is_dual:
            return self.vectors @ (ridge * filtered)
        return x - self.penalised @ (self.vectors @ filtered)

    def penalised_weights(self, ridge: float, x: Tensor) -> Tensor:
        """Return (Aᵀ A + α I)⁻¹ Aᵀ x for x (N, …)."""
        filtered = self.vectors @ _scale_rows(self.coordinates(x), 1 / (self.eigenvalues + ridge))
        return self.penalised.T @ filtered if self.is_dual else filtered

    def minimiser(self, ridge: float, b: Tensor, damping: float = 0.0) -> tuple[Tensor, Tensor]:
        """Return (v, c) that minimise ‖b + A v + C c‖² + ridge ‖v‖² + damping ‖c‖².

        Args:
            ridge: α > 0.
            b: (N,).
            damping: ≥ 0, on the unpenalised columns.
        """
        c = b.new_zeros(self.unpenalised.shape[1])
        if len(c):
            t_c = self.penalised_residual(ridge, self.unpenalised)
            gram = self.unpenalised.T @ t_c
            gram = gram + damping * torch.eye(len(c), dtype=b.dtype, device=b.device)
            c = -solve_gram(gram, t_c.T @ b)
            b = b + self.unpenalised @ c
        return -self.penalised_weights(ridge, b), c

    def signal_fraction(self, ridge: float) -> float:
        """Return the mean filter φ_j = λ_j/(λ_j + α) over all directions of the kernel."""
        return float((self.eigenvalues / (self.eigenvalues + ridge)).mean())

    def unpenalised_covariance(self, ridge: float) -> Tensor:
        """Return (Cᵀ T_A C)⁻¹, (K, K), T_A the residual operator of A: the covariance of c / σ²."""
        c = self.unpenalised
        gram = c.T @ self.penalised_residual(ridge, c)
        return solve_gram(gram, torch.eye(len(gram), dtype=c.dtype, device=c.device))

    def fits(self, ridges: Sequence[float], b: Tensor) -> list[RidgeFit]:
        """Return the fit of b (N,) at each ridge. Cost: O(n m) for each."""
        alpha = torch.tensor(list(ridges), dtype=b.dtype, device=b.device)
        weights = 1 / (self.eigenvalues[:, None] + alpha)
        vb = self.coordinates(b)
        diagonals = self._squares @ weights
        residuals = self._rows @ (weights * vb[:, None])
        if self.is_dual:
            diagonals, residuals = alpha * diagonals, alpha * residuals
        else:
            diagonals, residuals = 1 - diagonals, b[self.observed, None] - residuals
        vc = self.coordinates(self.unpenalised) if self.unpenalised.shape[1] else None
        found = []
        for k, ridge in enumerate(ridges):
            diagonal, residual = diagonals[:, k], residuals[:, k]
            if vc is not None:
                weighted = weights[:, k, None] * vc
                t_c = self._rows @ weighted
                if self.is_dual:
                    t_c, gram, moment = (
                        ridge * t_c,
                        ridge * vc.T @ weighted,
                        ridge * weighted.T @ vb,
                    )
                else:
                    c = self.unpenalised
                    t_c = c[self.observed] - t_c
                    gram, moment = c.T @ c - vc.T @ weighted, c.T @ b - weighted.T @ vb
                residual = residual - t_c @ solve_gram(gram, moment)
                diagonal = diagonal - (t_c * solve_gram(gram, t_c.T).T).sum(1)
            # 1 − h is positive in exact arithmetic; rounding must not turn a leverage of one
            # into a negative distance.
            diagonal = diagonal.clamp_min(1e-12)
            found.append(RidgeFit(float(ridge), residual, 1 - diagonal, residual / diagonal))
        return found

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


def _scale_rows(x: Tensor, factors: Tensor) -> Tensor:
    return x * (factors if x.ndim == 1 else factors[:, None])


def solve_gram(gram: Tensor, rhs: Tensor) -> Tensor:
    """Solve a small symmetric positive semidefinite system, undetermined directions left at zero.

    Columns are scaled to one first: coefficients of different units must not hide one another.
    """
    scale = gram.diagonal().clamp_min(torch.finfo(gram.dtype).tiny).rsqrt()
    inverse = torch.linalg.pinv(gram * scale[:, None] * scale, rtol=1e-12, hermitian=True)
    scaled = scale[:, None] * rhs if rhs.ndim == 2 else scale * rhs
    result = inverse @ scaled
    return scale[:, None] * result if rhs.ndim == 2 else scale * result


@dataclass(frozen=True)
class NoiseModel:
    """Gaussian noise (`dof` None) or Student-t noise of `dof` degrees and size `scale`."""

    dof: float | None = None
    scale: float | None = None

    def weights(self, residuals: Tensor) -> Tensor:
        """Return (ν + 1)/(ν + (r/s)²), the weights of iteratively reweighted least squares."""
        if self.dof is None or self.scale is None:
            return torch.ones_like(residuals)
        return (self.dof + 1) / (self.dof + (residuals / self.scale).square())


DEGREES = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0)


def fit_student_t(residuals: Tensor, evidence: float = 4.0) -> NoiseModel:
    """Choose between Gaussian and Student-t noise by likelihood.

    Args:
        residuals: (n,), of mean about zero.
        evidence: by how much the Student-t log-likelihood must exceed the Gaussian one. Four is a
            one-in-two-hundred event for Gaussian data, which therefore keep their full efficiency.

    Returns:
        The model; scales are maximum-likelihood (fixed-point iteration of the EM algorithm).
    """
    n = len(residuals)
    square = residuals.square()
    size = float(square.mean().sqrt())
    if size == 0.0 or n < 10:
        return NoiseModel(None, size or None)
    best, best_likelihood = NoiseModel(None, size), -n * (math.log(size) + 0.5) + evidence
    constant = 0.5 * math.log(2 * math.pi)
    for dof in DEGREES:
        variance = float(residuals.abs().median()) ** 2 * 2.0 or size**2
        for _ in range(50):
            weights = (dof + 1) / (dof + square / variance)
            updated = float((weights * square).mean())
            if abs(updated - variance) < 1e-6 * variance:
                break
            variance = updated
        likelihood = n * (
            math.lgamma((dof + 1) / 2)
            - math.lgamma(dof / 2)
            - 0.5 * math.log(dof * math.pi)
            - 0.5 * math.log(variance)
            + constant
        ) - 0.5 * (dof + 1) * float(torch.log1p(square / (dof * variance)).sum())
        if likelihood > best_likelihood:
            best, best_likelihood = NoiseModel(dof, math.sqrt(variance)), likelihood
    return best
