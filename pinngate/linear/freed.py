"""Residuals of a group freed of what the fit took from them, T_gg^(−1/2) r_g.

T_gg = I − B Bᵀ (k, k) for k values of a group. Few values are met by T_gg itself. Of many, only the
directions of B (k, P + K) differ from the identity: with BᵀB = W s Wᵀ

    T_gg^(−1/2) r = r + B W q Wᵀ Bᵀ r,   q = ((1 − s)^(−1/2) − 1)/s,

which takes two passes over the rows of B, a tile at a time, and never a matrix of k × k.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

LEAST_FREEDOM = 1e-3  # of a direction in a group of observations, so that 1/T_gg stays bounded
SMALL = 1e-6  # eigenvalues below which q is its limit 1/2 to rounding

Tiles = Callable[[], Iterable[tuple[Tensor, Tensor]]]


def freed(block: Tensor, residuals: Tensor) -> Tensor:
    """Return T_gg^(−1/2) r_g (k,) from T_gg (k, k). Cost: k³."""
    values, vectors = torch.linalg.eigh((block + block.T) / 2)
    # what the group alone determines has no residual to speak of, and nothing to divide by
    return vectors @ ((vectors.T @ residuals) * values.clamp_min(LEAST_FREEDOM).rsqrt())


def freed_by_tiles(tiles: Tiles, residuals: Tensor, size: int) -> Tensor:
    """Return T_gg^(−1/2) r_g (k,) from the rows of B.

    Args:
        tiles: makes an iterator over places in the group, (j,), and rows of B there, (j, size).
        residuals: r_g (k,).
        size: columns of B.

    Cost: k·size² operations and size² numbers.
    """
    gram, moment = residuals.new_zeros(size, size), residuals.new_zeros(size)
    for places, rows in tiles():
        gram.addmm_(rows.T, rows)
        moment += rows.T @ residuals[places]
    values, vectors = torch.linalg.eigh(gram)
    gain = (1 - values).clamp_min(LEAST_FREEDOM).rsqrt() - 1
    is_small = values < SMALL
    factors = torch.where(is_small, 0.5, gain / torch.where(is_small, 1.0, values))
    along = vectors @ (factors * (vectors.T @ moment))
    found = residuals.clone()
    for places, rows in tiles():
        found[places] += rows @ along
    return found
