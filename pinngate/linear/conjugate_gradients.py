"""Preconditioned conjugate gradients for ridge systems of several right-hand sides and ridges.

Solves (Aᵀ A + α_j I) x_j = y_j for the columns j at once, every column with its own ridge, so that
all share the passes over A. The preconditioner inverts a randomised low-rank approximation of Aᵀ A
(Nyström; Z. Frangella, J. A. Tropp and M. Udell, arXiv 2110.02820): with a basis of all directions
whose eigenvalue exceeds α it takes one to five passes, whatever the condition number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Gram = Callable[[Tensor], tuple[Tensor, Tensor]]
SMALLEST_RIDGE = 1e-11  # times the largest eigenvalue; below, `apply` would subtract equal numbers
STABILISING = 1e-12  # shift of the sketch in units of its norm, taken off again


class NystromPreconditioner:
    """(M̂ + α I)⁻¹ with M̂ = Y (Ωᵀ Y)⁻¹ Yᵀ, Y = M Ω, for any α.

    Args:
        basis: Ω (P, k), orthonormal columns.
        product: M Ω (P, k), M symmetric and positive semidefinite.

    Cost: P k² once; 4 k P operations a vector, k P numbers.
    """

    def __init__(self, basis: Tensor, product: Tensor) -> None:
        shift = STABILISING * float(product.norm())
        product = product + shift * basis
        inner = basis.T @ product
        factor = torch.linalg.cholesky(0.5 * (inner + inner.T))
        half = torch.linalg.solve_triangular(factor, product.T, upper=False)
        eigenvalues, vectors = torch.linalg.eigh(half @ half.T)
        # eigenvectors of M̂ are halfᵀ times these; those of rounding are dropped
        kept = eigenvalues > 10 * shift
        self.eigenvalues = (eigenvalues[kept] - shift).clamp_min(0.0)
        self.vectors = half.T @ (vectors[:, kept] / eigenvalues[kept].sqrt())

    def apply(self, x: Tensor, ridges: Tensor) -> Tensor:
        """Return (M̂ + α_j I)⁻¹ x_j for the columns of x (P, m) and ridges (m,)."""
        if not len(self.eigenvalues):
            return x / ridges
        alpha = torch.maximum(ridges, SMALLEST_RIDGE * self.eigenvalues[-1])
        taken = self.eigenvalues[:, None] / (self.eigenvalues[:, None] + alpha)
        return (x - self.vectors @ (taken * (self.vectors.T @ x))) / alpha


@dataclass(frozen=True)
class RidgeSolutions:
    """Solutions x (P, m), their images A x (N, m), passes over A and the largest error left.

    `error` is the norm of the preconditioned residual over that of the right-hand side, an estimate
    of the relative error in the norm of Aᵀ A + α I.
    """

    x: Tensor
    images: Tensor
    num_passes: int
    error: float


def conjugate_gradients(
    gram: Gram,
    rhs: Tensor,
    ridges: Tensor,
    preconditioner: NystromPreconditioner,
    num_rows: int,
    *,
    tolerance: float,
    max_passes: int,
) -> RidgeSolutions:
    """Solve (Aᵀ A + α_j I) x_j = y_j.

    Args:
        gram: v (P, m) → A v and Aᵀ A v.
        rhs: y (P, m); columns of zeros are solved by zero.
        ridges: α (m,).
        preconditioner: close to (Aᵀ A + α I)⁻¹.
        num_rows: N.
        tolerance: on the error of each column, as in `RidgeSolutions`; a column that has reached it
            takes no part in further passes.
        max_passes: passes over A.
    """
    x, images = torch.zeros_like(rhs), rhs.new_zeros(num_rows, rhs.shape[1])
    preconditioned = preconditioner.apply(rhs, ridges)
    size = (rhs * preconditioned).sum(0).clamp_min(0.0)
    error = (size > 0).to(rhs.dtype)
    active = torch.nonzero(size > 0)[:, 0]
    residual, direction = rhs[:, active], preconditioned[:, active]
    inner = size[active]
    num_passes = 0
    while len(active) and num_passes < max_passes:
        image, product = gram(direction)
        num_passes += 1
        product = product + ridges[active] * direction
        length = inner / (direction * product).sum(0)
        x[:, active] += length * direction
        images[:, active] += length * image
        residual = residual - length * product
        preconditioned = preconditioner.apply(residual, ridges[active])
        updated = (residual * preconditioned).sum(0).clamp_min(0.0)
        error[active] = (updated / size[active]).sqrt()
        direction = preconditioned + (updated / inner) * direction
        inner = updated
        left = error[active] > tolerance
        if not bool(left.all()):
            active, inner = active[left], inner[left]
            residual, direction = residual[:, left], direction[:, left]
    return RidgeSolutions(x, images, num_passes, float(error.max()) if len(error) else 0.0)
