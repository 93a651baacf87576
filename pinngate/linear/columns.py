"""The columns of a Jacobian whose Gram matrix is formed, in the smaller of two forms.

With M = gram + α I and T_A the residual operator of the penalised columns A (N, P) alone:
dual form (N ≤ P) gram = A Aᵀ, T_A = α M⁻¹; normal form gram = AᵀA, T_A = I − A M⁻¹ Aᵀ.
`JacobianColumns` holds A; `normal.TiledColumns` makes its rows anew, a tile at a time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Literal

import torch
from torch import Tensor

from pinngate.linear.gram import lower_gram, solve_gram

Form = Literal["auto", "dual", "normal"]


class GramColumns(ABC):
    """A and C; `found` stands for M⁻¹ `reduce(x)`.

    Args:
        shape: N and P.
        unpenalised: C (N, K).
        observed: the rows that are observations.
        is_dual: which form.

    Attributes:
        reduced: C where M lives, (m, K).
        products: CᵀC (K, K).
    """

    def __init__(
        self, shape: tuple[int, int], unpenalised: Tensor, observed: slice, *, is_dual: bool
    ) -> None:
        self.num_rows, self.num_penalised = shape
        self.unpenalised, self.observed, self.is_dual = unpenalised, observed, is_dual
        self.reduced = self.reduce(unpenalised)
        self.products = unpenalised.T @ unpenalised

    @abstractmethod
    def apply(self, change: Tensor) -> Tensor:
        """Return A v for v (P, …), A v + C c for a change of (P + K,): (N, …)."""

    @abstractmethod
    def gram(self) -> Tensor:
        """Return A Aᵀ or AᵀA, right in its lower triangle."""

    @abstractmethod
    def reduce(self, x: Tensor) -> Tensor:
        """Return x (N, …) where M lives: x itself (dual) or Aᵀ x (normal)."""

    @abstractmethod
    def weights(self, found: Tensor) -> Tensor:
        """Return (AᵀA + αI)⁻¹ Aᵀ x (P, …)."""

    @abstractmethod
    def tiles(self) -> Iterator[tuple[slice, Tensor]]:
        """Yield the observation rows of A, (k, P), and their places among all rows."""

    @abstractmethod
    def of_observed(self, of_rows: Callable[[slice, Tensor], Tensor], size: int) -> Tensor:
        """Return what `of_rows` makes of places and rows of observations, (n, size)."""

    @abstractmethod
    def triangle(self) -> Tensor:
        """Return R with Rᵀ R = AᵀA, from a QR factorisation, (min(N, P), P)."""

    @abstractmethod
    def row_squares(self, rows: slice) -> Tensor:
        """Return ‖a_i‖² of some rows of A, (n,)."""

    @abstractmethod
    def rows_at(self, places: Tensor) -> Tensor:
        """Return some observation rows of A, (k, P), by their places among all rows."""

    @abstractmethod
    def unobserved(self) -> Tensor:
        """Return the rows of A that are no observations, (N − n, P)."""

    def schur(self, ridge: float, found: Tensor, plain: Tensor) -> Tensor:
        """Return Cᵀ T_A x from Cᵀ x (`plain`)."""
        product = self.reduced.T @ found
        return ridge * product if self.is_dual else plain - product

    def eliminated(
        self, ridge: float, found: Tensor, by_column: Tensor, b: Tensor, damping: float
    ) -> Tensor:
        """Return the c (K,) that minimises over both kinds of columns.

        Args:
            ridge: α.
            found: of b.
            by_column: of C.
            b: (N,).
            damping: ≥ 0, on c.
        """
        gram = self.schur(ridge, by_column, self.products)
        gram = gram + damping * torch.eye(len(gram), dtype=b.dtype, device=b.device)
        return -solve_gram(gram, self.schur(ridge, found, self.unpenalised.T @ b))


class JacobianColumns(GramColumns):
    """Those of a Jacobian that is formed.

    Args:
        jacobian: (N, P + K), the unpenalised columns last.
        num_unpenalised: K.
        observed: the rows that are observations.
        form: which Gram matrix to use; ``auto`` takes the smaller.

    Attributes:
        penalised: A (N, P).
    """

    def __init__(
        self, jacobian: Tensor, num_unpenalised: int, observed: slice, form: Form = "auto"
    ) -> None:
        num_rows, num_columns = jacobian.shape
        num_penalised = num_columns - num_unpenalised
        self.jacobian, self.penalised = jacobian, jacobian[:, :num_penalised]
        super().__init__(
            (num_rows, num_penalised),
            jacobian[:, num_penalised:],
            observed,
            is_dual=form == "dual" or (form == "auto" and num_rows <= num_penalised),
        )

    def apply(self, change: Tensor) -> Tensor:
        """Return A v or A v + C c."""
        is_of_weights = len(change) == self.num_penalised
        return (self.penalised if is_of_weights else self.jacobian) @ change

    def gram(self) -> Tensor:
        """Return A Aᵀ or AᵀA, right in its lower triangle."""
        return lower_gram(self.penalised.T if self.is_dual else self.penalised)

    def reduce(self, x: Tensor) -> Tensor:
        """Return x itself (dual) or Aᵀ x (normal)."""
        return x if self.is_dual else self.penalised.T @ x

    def weights(self, found: Tensor) -> Tensor:
        """Return (AᵀA + αI)⁻¹ Aᵀ x (P, …)."""
        return self.penalised.T @ found if self.is_dual else found

    def tiles(self) -> Iterator[tuple[slice, Tensor]]:
        """Yield all observation rows at once."""
        yield self.observed, self.penalised[self.observed]

    def of_observed(self, of_rows: Callable[[slice, Tensor], Tensor], size: int) -> Tensor:
        """Return what `of_rows` makes of all observations at once."""
        return of_rows(self.observed, self.penalised[self.observed])

    def triangle(self) -> Tensor:
        """Return R of all rows at once."""
        return torch.linalg.qr(self.penalised, mode="r").R

    def row_squares(self, rows: slice) -> Tensor:
        """Return ‖a_i‖² of some rows of A, (n,)."""
        return self.penalised[rows].square().sum(1)

    def rows_at(self, places: Tensor) -> Tensor:
        """Return some rows of A, (k, P)."""
        return self.penalised[places]

    def unobserved(self) -> Tensor:
        """Return the rows before the observations, (N − n, P)."""
        return self.penalised[: self.observed.start]

    def residual(self, ridge: float, x: Tensor, found: Tensor) -> Tensor:
        """Return T_A x (N, …): what the penalised columns cannot explain."""
        return ridge * found if self.is_dual else x - self.penalised @ found
