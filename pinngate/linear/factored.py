"""The linearised problem by singular values of the Jacobian itself.

Forming AᵀA squares the condition of A: beside rows of stiff physics, weights that only weak data
determine are lost in rounding. The singular values s_j of A = U S Vᵀ, from the triangle of a QR
factorisation, keep them, down to a ridge of α = ε² s_1² in place of ε s_1². For trial spaces whose
physics is met exactly; `dense` and `normal` are the cheaper ones where it is soft.

    φ_j = s_j²/(s_j² + α)      T_A = I − U φ Uᵀ      M⁻¹Aᵀ = V (s/(s² + α)) Uᵀ

U is never formed: Uᵀx solves the corrected seminormal equations, U^T x ← S⁻¹ Vᵀ Aᵀ x and then the
same of what is left (Å. Björck, Linear Algebra Appl. 88/89, 1987), so that the rows of A may be
held or made anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

import torch
from torch import Tensor

from pinngate.linear.columns import GramColumns
from pinngate.linear.freed import freed
from pinngate.linear.gram import solve_gram
from pinngate.linear.leave_one_out import joined, left_out
from pinngate.linear.system import RidgeFit

NEGLIGIBLE = 1e-14  # singular values below this fraction of the largest are rounding
MOST_KEPT = 50_000_000  # numbers of U, 400 MB, that are kept between questions
CORRECTIONS = 2  # of the seminormal equations: each gains as many digits as the condition leaves


class FactoredSystem:
    """`LinearisedSystem` on singular values.

    Args:
        columns: A and C in the normal form.

    Cost: 2 N P² for the triangle, some 20 P³ for the singular values, once; n m for each ridge; a
    solve takes six products with A.
    """

    def __init__(self, columns: GramColumns) -> None:
        self.columns, self.observed = columns, columns.observed
        self._kept: list[tuple[slice, Tensor]] | None = None

    @cached_property
    def factors(self) -> tuple[Tensor, Tensor]:
        """s (m,) and V (P, m)."""
        _, s, vh = torch.linalg.svd(self.columns.triangle(), full_matrices=False)
        kept = s > NEGLIGIBLE * s[0]
        return s[kept], vh[kept].T

    def _coordinates(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return Uᵀ x (m, …), and what of x (N, …) is outside of A's range."""
        s, v = self.factors
        scale = s if x.ndim == 1 else s[:, None]
        found: Tensor | float = 0.0
        outside = x
        for _ in range(1 + CORRECTIONS):
            found = found + v.T @ self.columns.reduce(outside) / scale
            outside = x - self.columns.apply(v @ (found / scale))
        return torch.as_tensor(found), outside

    @cached_property
    def _columns(self) -> tuple[Tensor, Tensor]:
        """Uᵀ C (m, K), and the part of C that A cannot reach, (N, K)."""
        c = self.columns.unpenalised
        if not c.shape[1]:
            return c.new_empty(len(self.factors[0]), 0), c
        return self._coordinates(c)

    @property
    def shape(self) -> tuple[int, int, int]:
        """N, P, K."""
        columns = self.columns
        return columns.num_rows, columns.num_penalised, columns.unpenalised.shape[1]

    def decompose(self) -> None:
        """Factorise now."""
        _ = self.factors

    def apply(self, change: Tensor) -> Tensor:
        """Return A v, or A v + C c: (N,)."""
        return self.columns.apply(change)

    def _left(self, ridge: float) -> Tensor:
        """Return 1 − φ (m,)."""
        return ridge / (self.factors[0].square() + ridge)

    def _schur(self, ridge: float, inside: Tensor, outside: Tensor) -> Tensor:
        """Return Cᵀ T_A x, for x (N, …) inside and outside of A's range."""
        own, beyond = self._columns
        left = self._left(ridge)
        kept = left * inside if inside.ndim == 1 else left[:, None] * inside
        return own.T @ kept + beyond.T @ outside

    def minimiser(self, ridge: float, b: Tensor, damping: float = 0.0) -> tuple[Tensor, Tensor]:
        """Return (v, c), as `LinearisedSystem`."""
        s, v = self.factors
        inside, outside = self._coordinates(b)
        c = b.new_zeros(self.shape[2])
        if len(c):
            gram = self._schur(ridge, *self._columns)
            gram = gram + damping * torch.eye(len(c), dtype=b.dtype, device=b.device)
            c = -solve_gram(gram, self._schur(ridge, inside, outside))
            inside = inside + self._columns[0] @ c
        return -(v @ ((s / (s.square() + ridge)) * inside)), c

    def unpenalised_covariance(self, ridge: float) -> Tensor:
        """Return (Cᵀ T_A C)⁻¹, (K, K)."""
        gram = self._schur(ridge, *self._columns)
        return solve_gram(gram, torch.eye(len(gram), dtype=gram.dtype, device=gram.device))

    def transfer(self, ridge: float) -> Tensor:
        """Return (AᵀA + αI)⁻¹ Aᵀ C, (P, K)."""
        s, v = self.factors
        return v @ ((s / (s.square() + ridge))[:, None] * self._columns[0])

    def is_definite(self, ridge: float) -> bool:
        """Whether the ridge is positive."""
        return ridge > 0

    def signal_fraction(self, ridge: float) -> float:
        """Return the mean filter over the m directions."""
        return float((1 - self._left(ridge)).mean())

    def fits(self, ridges: Sequence[float], b: Tensor) -> list[RidgeFit]:
        """Return the fit of b (N,) at each ridge. Cost: n m for each."""
        return [joined(parts) for parts in zip(*self._fits_by_tile(ridges, b), strict=True)]

    def _fits_by_tile(self, ridges: Sequence[float], b: Tensor) -> Iterator[list[RidgeFit]]:
        s, _ = self.factors
        inside, outside = self._coordinates(b)
        own, beyond = self._columns
        alpha = torch.tensor(list(ridges), dtype=b.dtype, device=b.device)
        left = alpha / (s.square()[:, None] + alpha)
        by_column = left[:, :, None] * own[:, None]
        grams = [self._schur(ridge, own, beyond) for ridge in ridges]
        moments = [self._schur(ridge, inside, outside) for ridge in ridges]
        for places, u in self._observed_vectors():
            diagonals = 1 - u.square() @ (1 - left)
            residuals = outside[places, None] + u @ (left * inside[:, None])
            images = (u @ by_column.flatten(1)).unflatten(1, by_column.shape[1:])
            images = beyond[places, None] + images
            yield [
                left_out(ridge, diagonals[:, k], residuals[:, k], images[:, k], *terms)
                for k, (ridge, *terms) in enumerate(zip(ridges, grams, moments, strict=True))
            ]

    def _observed_vectors(self) -> Iterable[tuple[slice, Tensor]]:
        """Yield the observation rows of U in tiles; they are kept where they are few."""
        s, v = self.factors
        if self._kept is not None:
            return self._kept
        made = ((places, rows @ (v / s)) for places, rows in self.columns.tiles())
        if (self.observed.stop - self.observed.start) * len(s) > MOST_KEPT:
            return made
        self._kept = list(made)
        return self._kept

    def best_fit(self, ridges: Sequence[float], b: Tensor) -> RidgeFit:
        """Return the fit of least risk; the others leave nothing but their risks."""
        risks = b.new_zeros(len(ridges))
        for parts in self._fits_by_tile(ridges, b):
            risks += torch.stack([part.leave_one_out.square().sum() for part in parts])
        return self.fits([ridges[int(risks.argmin())]], b)[0]

    def spectrum(self, b: Tensor) -> tuple[Tensor, Tensor]:
        """Return λ_j = s_j², largest first, and (u_jᵀ b)²."""
        return self.factors[0].square(), self._coordinates(b)[0].square()

    def directions(self, ridge: float) -> Tensor:
        """Return right singular vectors times √φ_j, (P, m)."""
        s, v = self.factors
        return v * (s / (s.square() + ridge).sqrt())

    def row_squares(self, rows: slice) -> Tensor:
        """Return ‖a_i‖² of some rows of A, (n,)."""
        return self.columns.row_squares(rows)

    def unshrunk(self, ridge: float, rows: Tensor, residuals: Tensor) -> Tensor:
        """Return T_gg^(−1/2) r_g, (k,). Cost: O(k² m + k³)."""
        s, v = self.factors
        left = self._left(ridge)
        own = self.columns.rows_at(self.observed.start + rows) @ (v / s)
        block = torch.eye(len(own), dtype=own.dtype, device=own.device) - (own * (1 - left)) @ own.T
        if self.shape[2]:
            inside, outside = self._columns
            mixed = outside[self.observed][rows] + own @ (left[:, None] * inside)
            gram = self._schur(ridge, inside, outside)
            block = block - mixed @ solve_gram(gram, mixed.T)
        return freed(block, residuals)
