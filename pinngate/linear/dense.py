"""The linearised problem with its Jacobian formed.

One ridge at a time is met by a Cholesky factor; the first time that several are asked for, or
anything that is read off the eigenbasis, the Gram matrix is decomposed, and serves every ridge from
then on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from pinngate.linear.columns import Form, JacobianColumns
from pinngate.linear.gram import solve_gram
from pinngate.linear.inverses import CholeskyInverse, ShiftedInverse, SpectralInverse
from pinngate.linear.leave_one_out import fit_by_factor, fits_by_spectrum
from pinngate.linear.system import RidgeFit

LEAST_FREEDOM = 1e-3  # of a direction in a group of observations, so that 1/T_gg stays bounded
NEGLIGIBLE = 1e-10  # eigenvalues below this fraction of the largest are rounding


class DenseSystem:
    """`LinearisedSystem` on a Jacobian that is formed.

    Args:
        jacobian: (N, P + K), the unpenalised columns last.
        num_unpenalised: K.
        observed: the rows that are observations.
        form: which Gram matrix to use; ``auto`` takes the smaller.

    Cost: 5/8 of N P m operations once with m = min(N, P), then that of `inverses`; n m² for the
    leverages at one ridge, n m for each further one.
    """

    def __init__(
        self, jacobian: Tensor, num_unpenalised: int, observed: slice, form: Form = "auto"
    ) -> None:
        self.columns = JacobianColumns(jacobian, num_unpenalised, observed, form)
        self.observed = observed
        self._inverse: ShiftedInverse | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """N, P, K."""
        num_rows, num_penalised = self.columns.penalised.shape
        return num_rows, num_penalised, self.columns.unpenalised.shape[1]

    def decompose(self) -> None:
        """Decompose the Gram matrix now, so that every answer is read off the eigenbasis."""
        _ = self.eigen

    @property
    def inverse(self) -> ShiftedInverse:
        """M⁻¹, by a Cholesky factor until `eigen` is asked for."""
        if self._inverse is None:
            self._inverse = CholeskyInverse(self.columns.gram())
        return self._inverse

    @cached_property
    def eigen(self) -> SpectralInverse:
        """M⁻¹ in the eigenbasis, which serves from now on."""
        factored = self._inverse
        self._inverse = None  # its factors must be free before the decomposition
        gram = factored.gram if isinstance(factored, CholeskyInverse) else self.columns.gram()
        self._inverse = found = SpectralInverse(gram)
        return found

    @cached_property
    def _spectral_rows(self) -> Tensor:
        """What turns spectral coordinates into observation rows, (n, m)."""
        vectors, observed = self.eigen.vectors, self.observed
        is_dual = self.columns.is_dual
        return vectors[observed] if is_dual else self.columns.penalised[observed] @ vectors

    def apply(self, change: Tensor) -> Tensor:
        """Return A v, or A v + C c: (N,)."""
        is_of_weights = len(change) == self.shape[1]
        return (self.columns.penalised if is_of_weights else self.columns.jacobian) @ change

    def minimiser(self, ridge: float, b: Tensor, damping: float = 0.0) -> tuple[Tensor, Tensor]:
        """Return (v, c), as `LinearisedSystem`."""
        columns, c = self.columns, b.new_zeros(self.shape[2])
        found = self.inverse.inverse(ridge, columns.reduce(b))
        if len(c):
            by_column = self.inverse.inverse(ridge, columns.reduced)
            c = columns.eliminated(ridge, found, by_column, b, damping)
            found = found + by_column @ c
        return -columns.weights(found), c

    def unpenalised_covariance(self, ridge: float) -> Tensor:
        """Return (Cᵀ T_A C)⁻¹, (K, K)."""
        by_column = self.inverse.inverse(ridge, self.columns.reduced)
        gram = self.columns.schur(ridge, by_column, self.columns.products)
        return solve_gram(gram, torch.eye(len(gram), dtype=gram.dtype, device=gram.device))

    def transfer(self, ridge: float) -> Tensor:
        """Return (AᵀA + αI)⁻¹ Aᵀ C, (P, K)."""
        return self.columns.weights(self.inverse.inverse(ridge, self.columns.reduced))

    def is_definite(self, ridge: float) -> bool:
        """Whether M can be inverted to rounding."""
        return self.inverse.is_definite(ridge)

    def signal_fraction(self, ridge: float) -> float:
        """Return the mean filter over the m directions."""
        return self.inverse.mean_filter(ridge)

    def fits(self, ridges: Sequence[float], b: Tensor) -> list[RidgeFit]:
        """Return the fit of b (N,) at each ridge, several of them in the eigenbasis."""
        if len(ridges) == 1 and isinstance(self.inverse, CholeskyInverse):
            return [fit_by_factor(self.columns, self.inverse, ridges[0], b)]
        return fits_by_spectrum(self.columns, self.eigen, self._spectral_rows, ridges, b)

    def spectrum(self, b: Tensor) -> tuple[Tensor, Tensor]:
        """Return λ_j, largest first, and (v_jᵀ b)².

        The dual form holds v_j; from the normal form v_jᵀ b = x_jᵀ Aᵀ b/√λ_j, x_j the eigenvectors
        of AᵀA.
        """
        eigenvalues = self.eigen.eigenvalues.flip(0)
        squares = (self.eigen.vectors.T @ self.columns.reduce(b)).square().flip(0)
        if not self.columns.is_dual:
            squares = squares / eigenvalues.clamp_min(1e-300)
        return eigenvalues, squares

    def directions(self, ridge: float) -> Tensor:
        """Return right singular vectors times √φ_j, (P, m). Cost: P m² in the dual form."""
        eigenvalues, vectors = self.eigen.eigenvalues, self.eigen.vectors
        kept = eigenvalues > NEGLIGIBLE * eigenvalues.max().clamp_min(1e-300)
        eigenvalues, vectors = eigenvalues[kept], vectors[:, kept]
        if self.columns.is_dual:
            return self.columns.penalised.T @ (vectors / (eigenvalues + ridge).sqrt())
        return vectors * (eigenvalues / (eigenvalues + ridge)).sqrt()

    def row_squares(self, rows: slice) -> Tensor:
        """Return ‖a_i‖² of some rows of A, (n,)."""
        return self.columns.penalised[rows].square().sum(1)

    def unshrunk(self, ridge: float, rows: Tensor, residuals: Tensor) -> Tensor:
        """Return T_gg^(−1/2) r_g, (k,). Cost: O(k² m + k³)."""
        own = self._spectral_rows[rows]
        block = (own / (self.eigen.eigenvalues + ridge)) @ own.T
        if self.columns.is_dual:
            block = ridge * block
        else:
            block = torch.eye(len(block), dtype=own.dtype, device=own.device) - block
        if self.shape[2]:
            by_column = self.eigen.inverse(ridge, self.columns.reduced)
            t_c = self.columns.residual(ridge, self.columns.unpenalised, by_column)
            mixed = t_c[self.observed][rows]
            block = block - mixed @ solve_gram(self.columns.unpenalised.T @ t_c, mixed.T)
        values, vectors = torch.linalg.eigh((block + block.T) / 2)
        # what the group alone determines has no residual to speak of, and nothing to divide by
        return vectors @ ((vectors.T @ residuals) * values.clamp_min(LEAST_FREEDOM).rsqrt())
