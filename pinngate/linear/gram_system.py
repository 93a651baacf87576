"""The linearised problem once its Gram matrix is there, whether its Jacobian is formed or not.

One ridge at a time is met by a Cholesky factor; the first time that several are asked for, or
anything that is read off the eigenbasis, the Gram matrix is decomposed, and serves every ridge from
then on. `dense` holds the Jacobian's rows, `normal` makes them anew; how observations see a fit is
theirs.
"""

from __future__ import annotations

from functools import cached_property
from typing import Generic, TypeVar

from torch import Tensor

from pinngate.linear.columns import GramColumns
from pinngate.linear.inverses import CholeskyInverse, ShiftedInverse, SpectralInverse

NEGLIGIBLE = 1e-10  # eigenvalues below this fraction of the largest are rounding

Columns = TypeVar("Columns", bound=GramColumns)


class GramSystem(Generic[Columns]):
    """What `LinearisedSystem` asks of M = gram + α I and of products with the columns.

    Args:
        columns: A and C.
        observed: the rows that are observations.

    Cost: that of the Gram matrix, 5/8 of N P m operations with m its size, then of `inverses`.
    """

    def __init__(self, columns: Columns) -> None:
        self.columns, self.observed = columns, columns.observed
        self._inverse: ShiftedInverse | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """N, P, K."""
        columns = self.columns
        return columns.num_rows, columns.num_penalised, columns.unpenalised.shape[1]

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

    def apply(self, change: Tensor) -> Tensor:
        """Return A v, or A v + C c: (N,)."""
        return self.columns.apply(change)

    def minimiser(self, ridge: float, b: Tensor, damping: float = 0.0) -> tuple[Tensor, Tensor]:
        """Return (v, c), as `LinearisedSystem`."""
        columns, c = self.columns, b.new_zeros(self.shape[2])
        found = self.inverse.inverse(ridge, columns.reduce(b))
        if len(c):
            by_column = self.inverse.inverse(ridge, columns.reduced)
            c = columns.eliminated(ridge, found, by_column, b, damping)
            found = found + by_column @ c
        return -columns.weights(found), c

    def unpenalised_gram(self, ridge: float) -> Tensor:
        """Return Cᵀ T_A C, (K, K)."""
        by_column = self.inverse.inverse(ridge, self.columns.reduced)
        return self.columns.schur(ridge, by_column, self.columns.products)

    def transfer(self, ridge: float) -> Tensor:
        """Return (AᵀA + αI)⁻¹ Aᵀ C, (P, K)."""
        return self.columns.weights(self.inverse.inverse(ridge, self.columns.reduced))

    def is_definite(self, ridge: float) -> bool:
        """Whether M can be inverted to rounding."""
        return self.inverse.is_definite(ridge)

    def signal_fraction(self, ridge: float) -> float:
        """Return the mean filter over the m directions."""
        return self.inverse.mean_filter(ridge)

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

    def directions(self, ridge: float) -> tuple[Tensor, Tensor]:
        """Return right singular vectors times √φ_j, (P, m), and 1 − φ_j.

        Cost: P m² in the dual form.
        """
        eigenvalues, vectors = self.eigen.eigenvalues, self.eigen.vectors
        kept = eigenvalues > NEGLIGIBLE * eigenvalues.max().clamp_min(1e-300)
        eigenvalues, vectors = eigenvalues[kept], vectors[:, kept]
        total = eigenvalues + ridge
        if self.columns.is_dual:
            return self.columns.weights(vectors / total.sqrt()), ridge / total
        return vectors * (eigenvalues / total).sqrt(), ridge / total
