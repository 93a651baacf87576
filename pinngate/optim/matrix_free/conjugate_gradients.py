"""Preconditioned conjugate gradients for ridge systems of several right-hand sides and ridges.

Solves (Aᵀ A + α_j I) x_j = y_j for the columns j at once, every column with its own ridge, so that
all share the passes over A. The preconditioner inverts Bᵀ B + α I exactly, B some thousand rows of
A drawn at random: the column Nyström approximation of the kernel A Aᵀ, in the space of the weights
(C. K. I. Williams and M. Seeger, NIPS 2000; with a random basis instead of rows, Z. Frangella,
J. A. Tropp and M. Udell, arXiv 2110.02820). The residuals of an equation are smooth functions of
the point, so that few points span their gradients, and a row costs nothing beside a product with A.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Gram = Callable[[Tensor], tuple[Tensor, Tensor]]
# below this fraction of the largest eigenvalue the difference in `apply` is rounding
SMALLEST_RIDGE = 1e-11


class SampledRowsPreconditioner:
    """(Bᵀ B + α I)⁻¹ for sampled rows B (k, P) of A, any α.

    By Woodbury's identity (1/α)(I − Bᵀ (B Bᵀ + α I)⁻¹ B).

    Args:
        rows: B, scaled so that Bᵀ B estimates Aᵀ A.

    Cost: k² P + k³ once; 4 k P operations a vector, k P numbers.
    """

    def __init__(self, rows: Tensor) -> None:
        self.rows = rows
        eigenvalues, self.vectors = torch.linalg.eigh(rows @ rows.T)
        self.eigenvalues = eigenvalues.clamp_min(0.0)

    def apply(self, x: Tensor, ridges: Tensor) -> Tensor:
        """Return (Bᵀ B + α_j I)⁻¹ x_j for the columns of x (P, m) and ridges (m,)."""
        largest = self.eigenvalues[-1]
        alpha = torch.maximum(ridges, SMALLEST_RIDGE * largest)
        inner = self.vectors.T @ (self.rows @ x)
        inner = self.vectors @ (inner / (self.eigenvalues[:, None] + alpha))
        return (x - self.rows.T @ inner) / alpha


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
    preconditioner: SampledRowsPreconditioner,
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
