"""The linearised problem by singular values of the Jacobian itself.

Forming AᵀA squares the condition of A: beside rows of stiff physics, weights that only weak data
determine are lost in rounding. The singular values s_j of A = U S Vᵀ, from the triangle of a QR
factorisation, keep them, down to a ridge of α = ε² s_1² in place of ε s_1². For trial spaces whose
physics is met exactly; `dense` and `normal` are the cheaper ones where it is soft.

    φ_j = s_j²/(s_j² + α)      T_A = I − U φ Uᵀ      M⁻¹Aᵀ = V (s/(s² + α)) Uᵀ

U is never formed, see `singular_basis`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pinngate.linear.columns import GramColumns
from pinngate.linear.freed import freed
from pinngate.linear.gram import solve_gram
from pinngate.linear.leave_one_out import fits_by_singular_values, joined
from pinngate.linear.singular_basis import SingularBasis
from pinngate.linear.system import RidgeFit


class FactoredSystem:
    """`LinearisedSystem` on singular values.

    Args:
        columns: A and C in the normal form.

    Cost: that of `SingularBasis`, once; n m for each ridge; a solve takes six products with A.
    """

    def __init__(self, columns: GramColumns) -> None:
        self.columns, self.observed = columns, columns.observed
        self.basis = SingularBasis(columns)

    @property
    def shape(self) -> tuple[int, int, int]:
        """N, P, K."""
        columns = self.columns
        return columns.num_rows, columns.num_penalised, columns.unpenalised.shape[1]

    def decompose(self) -> None:
        """Factorise now."""
        _ = self.basis.factors

    def apply(self, change: Tensor) -> Tensor:
        """Return A v, or A v + C c: (N,)."""
        return self.columns.apply(change)

    def minimiser(self, ridge: float, b: Tensor, damping: float = 0.0) -> tuple[Tensor, Tensor]:
        """Return (v, c), as `LinearisedSystem`."""
        s, v = self.basis.factors
        inside, outside = self.basis.coordinates(b)
        c = b.new_zeros(self.shape[2])
        if len(c):
            gram = self.basis.schur(ridge, *self.basis.unpenalised)
            gram = gram + damping * torch.eye(len(c), dtype=b.dtype, device=b.device)
            c = -solve_gram(gram, self.basis.schur(ridge, inside, outside))
            inside = inside + self.basis.unpenalised[0] @ c
        return -(v @ ((s / (s.square() + ridge)) * inside)), c

    def unpenalised_gram(self, ridge: float) -> Tensor:
        """Return Cᵀ T_A C, (K, K)."""
        return self.basis.schur(ridge, *self.basis.unpenalised)

    def transfer(self, ridge: float) -> Tensor:
        """Return (AᵀA + αI)⁻¹ Aᵀ C, (P, K)."""
        s, v = self.basis.factors
        return v @ ((s / (s.square() + ridge))[:, None] * self.basis.unpenalised[0])

    def is_definite(self, ridge: float) -> bool:
        """Whether the ridge is positive."""
        return ridge > 0

    def signal_fraction(self, ridge: float) -> float:
        """Return the mean filter over the m directions."""
        return float((1 - self.basis.left(ridge)).mean())

    def fits(self, ridges: Sequence[float], b: Tensor) -> list[RidgeFit]:
        """Return the fit of b (N,) at each ridge. Cost: n m for each."""
        tiles = fits_by_singular_values(self.basis, ridges, b)
        return [joined(parts) for parts in zip(*tiles, strict=True)]

    def best_fit(self, ridges: Sequence[float], b: Tensor) -> RidgeFit:
        """Return the fit of least risk; the others leave nothing but their risks."""
        risks = b.new_zeros(len(ridges))
        for parts in fits_by_singular_values(self.basis, ridges, b):
            risks += torch.stack([part.leave_one_out.square().sum() for part in parts])
        return self.fits([ridges[int(risks.argmin())]], b)[0]

    def spectrum(self, b: Tensor) -> tuple[Tensor, Tensor]:
        """Return λ_j = s_j², largest first, and (u_jᵀ b)²."""
        return self.basis.factors[0].square(), self.basis.coordinates(b)[0].square()

    def directions(self, ridge: float) -> tuple[Tensor, Tensor]:
        """Return right singular vectors times √φ_j, (P, m), and 1 − φ_j."""
        s, v = self.basis.factors
        total = s.square() + ridge
        return v * (s / total.sqrt()), ridge / total

    def row_squares(self, rows: slice) -> Tensor:
        """Return ‖a_i‖² of some rows of A, (n,)."""
        return self.columns.row_squares(rows)

    def unshrunk(self, ridge: float, rows: Tensor, residuals: Tensor) -> Tensor:
        """Return T_gg^(−1/2) r_g, (k,). Cost: O(k² m + k³)."""
        s, v = self.basis.factors
        left = self.basis.left(ridge)
        own = self.columns.rows_at(self.observed.start + rows) @ (v / s)
        block = torch.eye(len(own), dtype=own.dtype, device=own.device) - (own * (1 - left)) @ own.T
        if self.shape[2]:
            inside, outside = self.basis.unpenalised
            mixed = outside[self.observed][rows] + own @ (left[:, None] * inside)
            gram = self.basis.schur(ridge, inside, outside)
            block = block - mixed @ solve_gram(gram, mixed.T)
        return freed(block, residuals)
