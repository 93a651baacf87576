"""The Jacobian's columns and where their Gram matrix lives: in the smaller of two forms.

With M = gram + α I and T_A the residual operator of the penalised columns A (N, P) alone:
dual form (N ≤ P) gram = A Aᵀ, T_A = α M⁻¹; normal form gram = AᵀA, T_A = I − A M⁻¹ Aᵀ.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from pinngate.linear.gram import lower_gram, solve_gram

Form = Literal["auto", "dual", "normal"]


class JacobianColumns:
    """A and C of a dense Jacobian; `found` stands for M⁻¹ `reduce(x)`.

    Args:
        jacobian: (N, P + K), the unpenalised columns last.
        num_unpenalised: K.
        observed: the rows that are observations.
        form: which Gram matrix to use; ``auto`` takes the smaller.

    Attributes:
        penalised: A (N, P).
        unpenalised: C (N, K).
        reduced: C where M lives, (m, K).
        products: CᵀC (K, K).
        is_dual: which form.
    """

    def __init__(
        self, jacobian: Tensor, num_unpenalised: int, observed: slice, form: Form = "auto"
    ) -> None:
        num_rows, num_columns = jacobian.shape
        num_penalised = num_columns - num_unpenalised
        self.jacobian, self.observed = jacobian, observed
        self.penalised, self.unpenalised = jacobian[:, :num_penalised], jacobian[:, num_penalised:]
        self.is_dual = form == "dual" or (form == "auto" and num_rows <= num_penalised)
        self.reduced = self.reduce(self.unpenalised)
        self.products = self.unpenalised.T @ self.unpenalised

    def gram(self) -> Tensor:
        """Return A Aᵀ or AᵀA, right in its lower triangle."""
        return lower_gram(self.penalised.T if self.is_dual else self.penalised)

    def reduce(self, x: Tensor) -> Tensor:
        """Return x (N, …) where M lives: x itself (dual) or Aᵀ x (normal)."""
        return x if self.is_dual else self.penalised.T @ x

    def weights(self, found: Tensor) -> Tensor:
        """Return (AᵀA + αI)⁻¹ Aᵀ x (P, …)."""
        return self.penalised.T @ found if self.is_dual else found

    def residual(self, ridge: float, x: Tensor, found: Tensor) -> Tensor:
        """Return T_A x (N, …): what the penalised columns cannot explain."""
        return ridge * found if self.is_dual else x - self.penalised @ found

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
