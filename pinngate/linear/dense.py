"""The linearised problem with its Jacobian formed: its Gram matrix, and the rows at hand."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from pinngate.linear.columns import Form, JacobianColumns
from pinngate.linear.freed import freed, freed_by_tiles
from pinngate.linear.gram import inverse_root, solve_gram
from pinngate.linear.gram_system import GramSystem
from pinngate.linear.inverses import CholeskyInverse
from pinngate.linear.leave_one_out import fit_by_factor, fits_by_spectrum
from pinngate.linear.system import RidgeFit

LARGE_GROUP = 2048  # observations whose T_gg, 32 MiB, is formed; a larger one costs its cube


class DenseSystem(GramSystem[JacobianColumns]):
    """`LinearisedSystem` on a Jacobian that is formed.

    Args:
        jacobian: (N, P + K), the unpenalised columns last.
        num_unpenalised: K.
        observed: the rows that are observations.
        form: which Gram matrix to use; ``auto`` takes the smaller.

    Cost: that of `GramSystem`; n m² for the leverages at one ridge, n m for each further one.
    """

    def __init__(
        self, jacobian: Tensor, num_unpenalised: int, observed: slice, form: Form = "auto"
    ) -> None:
        super().__init__(JacobianColumns(jacobian, num_unpenalised, observed, form))

    @cached_property
    def _spectral_rows(self) -> Tensor:
        """What turns spectral coordinates into observation rows, (n, m)."""
        vectors, observed = self.eigen.vectors, self.observed
        is_dual = self.columns.is_dual
        return vectors[observed] if is_dual else self.columns.penalised[observed] @ vectors

    def fits(self, ridges: Sequence[float], b: Tensor) -> list[RidgeFit]:
        """Return the fit of b (N,) at each ridge, several of them in the eigenbasis."""
        if len(ridges) == 1 and isinstance(self.inverse, CholeskyInverse):
            return [fit_by_factor(self.columns, self.inverse, ridges[0], b)]
        eigen = self.eigen
        return fits_by_spectrum(self.columns, eigen, ridges, b)(self.observed, self._spectral_rows)

    def best_fit(self, ridges: Sequence[float], b: Tensor) -> RidgeFit:
        """Return the fit of least risk."""
        return min(self.fits(ridges, b), key=lambda fit: fit.risk)

    def row_squares(self, rows: slice) -> Tensor:
        """Return ‖a_i‖² of some rows of A, (n,)."""
        return self.columns.penalised[rows].square().sum(1)

    def unshrunk(self, ridge: float, rows: Tensor, residuals: Tensor) -> Tensor:
        """Return T_gg^(−1/2) r_g, (k,).

        Cost: O(k² m + k³), of more than `LARGE_GROUP` values in the normal form O(k m²).
        """
        own = self._spectral_rows[rows]
        if self.shape[2]:
            by_column = self.eigen.inverse(ridge, self.columns.reduced)
            t_c = self.columns.residual(ridge, self.columns.unpenalised, by_column)
            mixed, schur = t_c[self.observed][rows], self.columns.unpenalised.T @ t_c
        if not self.columns.is_dual and len(rows) > max(LARGE_GROUP, sum(self.shape[1:])):
            b = own / (self.eigen.eigenvalues + ridge).sqrt()
            if self.shape[2]:
                b = torch.cat([b, mixed @ inverse_root(schur)], 1)
            everything = torch.arange(len(rows), device=rows.device)
            return freed_by_tiles(lambda: [(everything, b)], residuals, b.shape[1])
        block = (own / (self.eigen.eigenvalues + ridge)) @ own.T
        if self.columns.is_dual:
            block = ridge * block
        else:
            block = torch.eye(len(block), dtype=own.dtype, device=own.device) - block
        if self.shape[2]:
            block = block - mixed @ solve_gram(schur, mixed.T)
        return freed(block, residuals)
