"""Gram matrices: their product in one triangle, and small ones solved without losing a column."""

from __future__ import annotations

import torch
from torch import Tensor

UNDETERMINED = 1e-12  # of the largest eigenvalue, columns of size one: below, rounding


def lower_gram(a: Tensor) -> Tensor:
    """Return Aᵀ A (P, P), right in its lower triangle alone. Cost: 5/8 of the full product."""
    size = a.shape[1]
    gram = a.new_zeros(size, size)
    step = max(128, -(-size // 4))
    for begin in range(0, size, step):
        end = min(begin + step, size)
        torch.mm(a[:, begin:end].T, a[:, :end], out=gram[begin:end, :end])
    return gram


def add_lower_gram(gram: Tensor, a: Tensor) -> None:
    """Add Aᵀ A of further rows a (k, P) to the lower triangle of gram (P, P)."""
    size = a.shape[1]
    step = max(128, -(-size // 4))
    for begin in range(0, size, step):
        end = min(begin + step, size)
        gram[begin:end, :end].addmm_(a[:, begin:end].T, a[:, :end])


def solve_gram(gram: Tensor, rhs: Tensor) -> Tensor:
    """Solve a small symmetric positive semidefinite system, undetermined directions left at zero.

    Columns are scaled to one first: coefficients of different units must not hide one another.
    """
    scale, scaled = _to_one(gram)
    inverse = torch.linalg.pinv(scaled, rtol=UNDETERMINED, hermitian=True)
    right = scale[:, None] * rhs if rhs.ndim == 2 else scale * rhs
    result = inverse @ right
    return scale[:, None] * result if rhs.ndim == 2 else scale * result


def inverse_gram(gram: Tensor, floor: float = 0.0) -> Tensor:
    """Return the inverse of a small symmetric positive semidefinite matrix, (K, K).

    Args:
        gram: of the columns.
        floor: eigenvalue that is given to undetermined directions, columns of size one; 0 leaves
            them at zero in the inverse.
    """
    scale, scaled = _to_one(gram)
    if floor > 0:
        scaled = scaled + floor * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    inverse = torch.linalg.pinv(scaled, rtol=UNDETERMINED if floor == 0 else 0.0, hermitian=True)
    return scale[:, None] * inverse * scale


def inverse_root(gram: Tensor) -> Tensor:
    """Return R with R Rᵀ what `solve_gram` multiplies with, (K, determined directions)."""
    scale, scaled = _to_one(gram)
    values, vectors = torch.linalg.eigh((scaled + scaled.T) / 2)
    kept = values > UNDETERMINED * values[-1:]
    return scale[:, None] * (vectors[:, kept] * values[kept].rsqrt())


def _to_one(gram: Tensor) -> tuple[Tensor, Tensor]:
    """Return factors on the columns, (K,), and the Gram matrix of columns of size one."""
    scale = gram.diagonal().clamp_min(torch.finfo(gram.dtype).tiny).rsqrt()
    return scale, gram * scale[:, None] * scale
