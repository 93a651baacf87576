"""Gram matrices: their product in one triangle, and small ones solved without losing a column."""

from __future__ import annotations

import torch
from torch import Tensor


def lower_gram(a: Tensor) -> Tensor:
    """Return Aᵀ A (P, P), right in its lower triangle alone. Cost: 5/8 of the full product."""
    size = a.shape[1]
    gram = a.new_zeros(size, size)
    step = max(128, -(-size // 4))
    for begin in range(0, size, step):
        end = min(begin + step, size)
        torch.mm(a[:, begin:end].T, a[:, :end], out=gram[begin:end, :end])
    return gram


def solve_gram(gram: Tensor, rhs: Tensor) -> Tensor:
    """Solve a small symmetric positive semidefinite system, undetermined directions left at zero.

    Columns are scaled to one first: coefficients of different units must not hide one another.
    """
    scale = gram.diagonal().clamp_min(torch.finfo(gram.dtype).tiny).rsqrt()
    inverse = torch.linalg.pinv(gram * scale[:, None] * scale, rtol=1e-12, hermitian=True)
    scaled = scale[:, None] * rhs if rhs.ndim == 2 else scale * rhs
    result = inverse @ scaled
    return scale[:, None] * result if rhs.ndim == 2 else scale * result
