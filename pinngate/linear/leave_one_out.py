"""Exact leave-one-out residuals of a ridge fit: from a Cholesky factor, eigen- or singular basis.

The observation rows come in tiles, all at once where the Jacobian is formed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from pinngate.linear.columns import GramColumns
from pinngate.linear.gram import solve_gram
from pinngate.linear.inverses import CholeskyInverse, SpectralInverse
from pinngate.linear.singular_basis import SingularBasis
from pinngate.linear.system import RidgeFit

LEAST_DISTANCE = 1e-12  # of 1 − h, positive in exact arithmetic: a leverage of one stays below one


def fit_by_factor(
    columns: GramColumns, inverse: CholeskyInverse, ridge: float, b: Tensor
) -> RidgeFit:
    """Return the fit of b (N,) at one ridge. Cost: n m² for the leverages."""
    observed = columns.observed
    found = inverse.inverse(ridge, columns.reduce(b))
    by_column = inverse.inverse(ridge, columns.reduced)
    factor = inverse.factor(ridge)
    gram = columns.schur(ridge, by_column, columns.products)
    moment = columns.schur(ridge, found, columns.unpenalised.T @ b)
    if columns.is_dual:
        diagonal = ridge * torch.cholesky_inverse(factor).diagonal()[observed]
        residual, t_c = ridge * found[observed], ridge * by_column[observed]
        return left_out(ridge, diagonal, residual, t_c, gram, moment)

    def seen(places: slice, rows: Tensor) -> list[RidgeFit]:
        whitened = torch.linalg.solve_triangular(factor, rows.T, upper=False)
        diagonal = 1 - whitened.square().sum(0)
        residual = b[places] - rows @ found
        t_c = columns.unpenalised[places] - rows @ by_column
        return [left_out(ridge, diagonal, residual, t_c, gram, moment)]

    return together(columns, seen, [ridge])[0]


Seen = Callable[[slice, Tensor], list[RidgeFit]]
"""Fits at some ridges, seen from some observations: their places among all rows and their rows."""


def together(columns: GramColumns, seen: Seen, ridges: Sequence[float]) -> list[RidgeFit]:
    """Return the fit at each ridge, seen from all observations."""

    def numbers(places: slice, rows: Tensor) -> Tensor:
        fits = seen(places, rows)
        return torch.stack([x for f in fits for x in (f.residual, f.leverage, f.leave_one_out)], 1)

    found = columns.of_observed(numbers, 3 * len(ridges)).unflatten(1, (len(ridges), 3))
    return [RidgeFit(float(a), *found[:, k].unbind(1)) for k, a in enumerate(ridges)]


def fits_by_spectrum(
    columns: GramColumns, eigen: SpectralInverse, ridges: Sequence[float], b: Tensor
) -> Seen:
    """Return what sees the fit of b (N,) at each ridge, from what turns spectral coordinates
    into rows, (k, m).

    Args:
        columns: of the Jacobian.
        eigen: of their Gram matrix.
        ridges: α of each.
        b: (N,).

    Cost: O(k m) for each ridge.
    """
    alpha = torch.tensor(list(ridges), dtype=b.dtype, device=b.device)
    weights = 1 / (eigen.eigenvalues[:, None] + alpha)
    vb = eigen.vectors.T @ columns.reduce(b)
    vc = eigen.vectors.T @ columns.reduced
    by_column = weights[:, :, None] * vc[:, None]  # (m, ridges, K)
    grams = torch.einsum("mk,mrl->rkl", vc, by_column)
    moments = torch.einsum("mrk,m->rk", by_column, vb)
    if columns.is_dual:
        grams, moments = alpha[:, None, None] * grams, alpha[:, None] * moments
    else:
        grams, moments = columns.products - grams, columns.unpenalised.T @ b - moments

    def seen(places: slice, rows: Tensor) -> list[RidgeFit]:
        diagonals = rows.square() @ weights
        residuals = rows @ (weights * vb[:, None])
        images = (rows @ by_column.flatten(1)).unflatten(1, by_column.shape[1:])
        if columns.is_dual:
            diagonals, residuals = alpha * diagonals, alpha * residuals
            images = alpha[:, None] * images
        else:
            diagonals, residuals = 1 - diagonals, b[places, None] - residuals
            images = columns.unpenalised[places, None] - images
        return [
            left_out(ridge, diagonals[:, k], residuals[:, k], images[:, k], grams[k], moments[k])
            for k, ridge in enumerate(ridges)
        ]

    return seen


def fits_by_singular_values(
    basis: SingularBasis, ridges: Sequence[float], b: Tensor
) -> Iterator[list[RidgeFit]]:
    """Yield the fit of b (N,) at each ridge, seen from the observations of one tile.

    Args:
        basis: of the Jacobian.
        ridges: α of each.
        b: (N,).

    Cost: O(n m) for each ridge.
    """
    s, _ = basis.factors
    inside, outside = basis.coordinates(b)
    own, beyond = basis.unpenalised
    alpha = torch.tensor(list(ridges), dtype=b.dtype, device=b.device)
    left = alpha / (s.square()[:, None] + alpha)
    by_column = left[:, :, None] * own[:, None]
    grams = [basis.schur(ridge, own, beyond) for ridge in ridges]
    moments = [basis.schur(ridge, inside, outside) for ridge in ridges]
    for places, u in basis.observed_rows():
        diagonals = 1 - u.square() @ (1 - left)
        residuals = outside[places, None] + u @ (left * inside[:, None])
        images = (u @ by_column.flatten(1)).unflatten(1, by_column.shape[1:])
        images = beyond[places, None] + images
        yield [
            left_out(ridge, diagonals[:, k], residuals[:, k], images[:, k], *terms)
            for k, (ridge, *terms) in enumerate(zip(ridges, grams, moments, strict=True))
        ]


def joined(parts: Sequence[RidgeFit]) -> RidgeFit:
    """Return one fit, seen from the observations of all parts in turn."""
    if len(parts) == 1:
        return parts[0]
    return RidgeFit(
        parts[0].ridge,
        torch.cat([part.residual for part in parts]),
        torch.cat([part.leverage for part in parts]),
        torch.cat([part.leave_one_out for part in parts]),
    )


def left_out(
    ridge: float, diagonal: Tensor, residual: Tensor, t_c: Tensor, gram: Tensor, moment: Tensor
) -> RidgeFit:
    """Return the fit with the unpenalised columns taken into account.

    Args:
        ridge: α.
        diagonal: of T_A on the observation rows, (n,).
        residual: T_A b there, (n,).
        t_c: T_A C there, (n, K).
        gram: Cᵀ T_A C, (K, K).
        moment: Cᵀ T_A b, (K,).
    """
    if len(moment):
        residual = residual - t_c @ solve_gram(gram, moment)
        diagonal = diagonal - (t_c * solve_gram(gram, t_c.T).T).sum(1)
    diagonal = diagonal.clamp_min(LEAST_DISTANCE)
    return RidgeFit(float(ridge), residual, 1 - diagonal, residual / diagonal)
