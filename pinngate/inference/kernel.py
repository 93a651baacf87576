"""Kernel spectrum at the answer: which directions of the data are signal channel, which reservoir.

The kernel K = A Aᵀ of all residuals, A their Jacobian in the weights, has eigenvalues λ_j and
eigenvectors v_j. A ridge fit follows direction j by the filter φ_j = λ_j/(λ_j + α): directions with
φ_j > 1/2 are the signal channel, in which the fit learns, the rest is the reservoir, in which noise
stays without touching the answer (E. Litman & G. Guo, arXiv 2605.01172). Σφ_j counts the directions
that equations, conditions and data determine together; (v_jᵀ b)² is what of the target b lies in
direction j. Read off the same linearisation as `pinngate.inference.posterior`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pinngate.inference.linearised_fit import LinearisedFit

NEGLIGIBLE = 1e-14  # eigenvalues below this fraction of the largest are rounding


@dataclass(frozen=True)
class KernelSpectrum:
    """The kernel's eigenvalues, largest first, and the target in its eigenvectors.

    Attributes:
        eigenvalues: λ_j (m,), in the rows' squared units; m ≤ min(N, P), rounding left out, and in
            the matrix-free form all beyond the rank of the basis.
        energy: (v_jᵀ b)² (m,).
        total_energy: ‖b‖²; what it exceeds Σ (v_jᵀ b)² by has no eigenvector and stays unfitted.
        ridge: α.
        effective_dimension: Σ h_ii over the observations, as it is logged in training.
        num_observations: n.
        num_rows: N.
        num_weights: P.
    """

    eigenvalues: np.ndarray
    energy: np.ndarray
    total_energy: float
    ridge: float
    effective_dimension: float
    num_observations: int
    num_rows: int
    num_weights: int

    @property
    def filters(self) -> np.ndarray:
        """φ_j = λ_j/(λ_j + α), (m,)."""
        found: np.ndarray = self.eigenvalues / (self.eigenvalues + self.ridge)
        return found

    @property
    def kernel_dimension(self) -> float:
        """Σ φ_j: directions that equations, conditions and data determine together."""
        return float(self.filters.sum())

    @property
    def num_signal(self) -> int:
        """How many directions belong to the signal channel, φ_j > 1/2."""
        return int((self.filters > 0.5).sum())

    @property
    def is_partial(self) -> bool:
        """Whether the eigenvalues end within the signal channel: more directions belong to it."""
        return len(self.eigenvalues) == self.num_signal < min(self.num_rows, self.num_weights)

    @property
    def cumulated_share(self) -> np.ndarray:
        """Share of ‖b‖² in the first j directions, (m,)."""
        found: np.ndarray = np.cumsum(self.energy) / (self.total_energy or 1.0)
        return found

    @property
    def signal_share(self) -> float:
        """Share of ‖b‖² in the signal channel."""
        return float(self.cumulated_share[self.num_signal - 1]) if self.num_signal else 0.0

    @property
    def explained_share(self) -> float:
        """Share of ‖b‖² that the filters let through, Σ φ_j² (v_jᵀ b)²/‖b‖²."""
        return float((self.filters**2 * self.energy).sum()) / (self.total_energy or 1.0)


def kernel_spectrum(fit: LinearisedFit) -> KernelSpectrum:
    """Return the kernel spectrum of a linearised fit."""
    eigenvalues, squares = fit.system.spectrum(fit.target)
    kept = eigenvalues > NEGLIGIBLE * eigenvalues[0]
    num_rows, num_weights, _ = fit.system.shape
    return KernelSpectrum(
        eigenvalues[kept].cpu().numpy(),
        squares[kept].cpu().numpy(),
        float(fit.target.square().sum()),
        fit.ridge,
        fit.observed.effective_dimension,
        len(fit.residual),
        num_rows,
        num_weights,
    )
