"""The linearised problem by singular values of the Jacobian itself.

Forming AᵀA squares the condition of A: beside rows of stiff physics, weights that only weak data
determine are lost in rounding. The singular values s_j of A = U S Vᵀ, from a QR factorisation, keep
them, down to a ridge of α = ε² s_1² in place of ε s_1². For trial spaces whose physics is met
exactly; `dense` is the cheaper one where it is soft.

    φ_j = s_j²/(s_j² + α)      T_A = I − U φ Uᵀ      M⁻¹Aᵀ = V (s/(s² + α)) Uᵀ
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from pinngate.linear.freed import freed
from pinngate.linear.gram import solve_gram
from pinngate.linear.leave_one_out import LEAST_DISTANCE
from pinngate.linear.system import RidgeFit

NEGLIGIBLE = 1e-14  # singular values below this fraction of the largest are rounding


class FactoredSystem:
    """`LinearisedSystem` on singular values.

    Args:
        jacobian: (N, P + K), the unpenalised columns last.
        num_unpenalised: K.
        observed: the rows that are observations.

    Cost: 2 N P² for the QR factorisation, some 20 P³ for the singular values, once; then N m for
    each ridge.
    """

    def __init__(self, jacobian: Tensor, num_unpenalised: int, observed: slice) -> None:
        num_penalised = jacobian.shape[1] - num_unpenalised
        self.jacobian, self.observed = jacobian, observed
        self.penalised, self.unpenalised = jacobian[:, :num_penalised], jacobian[:, num_penalised:]

    @cached_property
    def factors(self) -> tuple[Tensor, Tensor, Tensor]:
        """U (N, m), s (m,), V (P, m)."""
        a = self.penalised
        if len(a) > a.shape[1]:
            q, r = torch.linalg.qr(a)
            u, s, vh = torch.linalg.svd(r, full_matrices=False)
            u = q @ u
        else:
            u, s, vh = torch.linalg.svd(a, full_matrices=False)
        kept = s > NEGLIGIBLE * s[0]
        return u[:, kept], s[kept], vh[kept].T

    @cached_property
    def _columns(self) -> tuple[Tensor, Tensor]:
        """Uᵀ C (m, K), and the part of C that A cannot reach, (N, K)."""
        u, _, _ = self.factors
        inside = u.T @ self.unpenalised
        return inside, self.unpenalised - u @ inside

    @property
    def shape(self) -> tuple[int, int, int]:
        """N, P, K."""
        return len(self.jacobian), self.penalised.shape[1], self.unpenalised.shape[1]

    def decompose(self) -> None:
        """Factorise now."""
        _ = self.factors

    def apply(self, change: Tensor) -> Tensor:
        """Return A v, or A v + C c: (N,)."""
        is_of_weights = len(change) == self.shape[1]
        return (self.penalised if is_of_weights else self.jacobian) @ change

    def _left(self, ridge: float) -> Tensor:
        """Return 1 − φ (m,)."""
        _, s, _ = self.factors
        return ridge / (s.square() + ridge)

    def _schur(self, ridge: float, x: Tensor) -> Tensor:
        """Return Cᵀ T_A x, for x (N, …)."""
        u, _, _ = self.factors
        inside, outside = self._columns
        own = u.T @ x
        left = self._left(ridge)
        kept = left * own if x.ndim == 1 else left[:, None] * own
        return inside.T @ kept + outside.T @ (x - u @ own)

    def minimiser(self, ridge: float, b: Tensor, damping: float = 0.0) -> tuple[Tensor, Tensor]:
        """Return (v, c), as `LinearisedSystem`."""
        u, s, v = self.factors
        c = b.new_zeros(self.shape[2])
        if len(c):
            gram = self._schur(ridge, self.unpenalised)
            gram = gram + damping * torch.eye(len(c), dtype=b.dtype, device=b.device)
            c = -solve_gram(gram, self._schur(ridge, b))
            b = b + self.unpenalised @ c
        return -(v @ ((s / (s.square() + ridge)) * (u.T @ b))), c

    def unpenalised_covariance(self, ridge: float) -> Tensor:
        """Return (Cᵀ T_A C)⁻¹, (K, K)."""
        gram = self._schur(ridge, self.unpenalised)
        return solve_gram(gram, torch.eye(len(gram), dtype=gram.dtype, device=gram.device))

    def transfer(self, ridge: float) -> Tensor:
        """Return (AᵀA + αI)⁻¹ Aᵀ C, (P, K)."""
        _, s, v = self.factors
        return v @ ((s / (s.square() + ridge))[:, None] * self._columns[0])

    def is_definite(self, ridge: float) -> bool:
        """Whether the ridge is positive."""
        return ridge > 0

    def signal_fraction(self, ridge: float) -> float:
        """Return the mean filter over the m directions."""
        return float((1 - self._left(ridge)).mean())

    def fits(self, ridges: Sequence[float], b: Tensor) -> list[RidgeFit]:
        """Return the fit of b (N,) at each ridge. Cost: n m for each."""
        u, _, _ = self.factors
        own, seen = u.T @ b, self.observed
        rows = u[seen]
        outside = (b - u @ own)[seen]
        found = []
        for ridge in ridges:
            left = self._left(ridge)
            residual = outside + rows @ (left * own)
            diagonal = 1 - rows.square() @ (1 - left)
            if self.shape[2]:
                inside, beyond = self._columns
                t_c = beyond[seen] + rows @ (left[:, None] * inside)
                gram = self._schur(ridge, self.unpenalised)
                residual = residual - t_c @ solve_gram(gram, self._schur(ridge, b))
                diagonal = diagonal - (t_c * solve_gram(gram, t_c.T).T).sum(1)
            diagonal = diagonal.clamp_min(LEAST_DISTANCE)
            found.append(RidgeFit(float(ridge), residual, 1 - diagonal, residual / diagonal))
        return found

    def best_fit(self, ridges: Sequence[float], b: Tensor) -> RidgeFit:
        """Return the fit of least risk."""
        return min(self.fits(ridges, b), key=lambda fit: fit.risk)

    def spectrum(self, b: Tensor) -> tuple[Tensor, Tensor]:
        """Return λ_j = s_j², largest first, and (u_jᵀ b)²."""
        u, s, _ = self.factors
        return s.square(), (u.T @ b).square()

    def directions(self, ridge: float) -> Tensor:
        """Return right singular vectors times √φ_j, (P, m)."""
        _, s, v = self.factors
        return v * (s / (s.square() + ridge).sqrt())

    def row_squares(self, rows: slice) -> Tensor:
        """Return ‖a_i‖² of some rows of A, (n,)."""
        return self.penalised[rows].square().sum(1)

    def unshrunk(self, ridge: float, rows: Tensor, residuals: Tensor) -> Tensor:
        """Return T_gg^(−1/2) r_g, (k,). Cost: O(k² m + k³)."""
        u, _, _ = self.factors
        left = self._left(ridge)
        own = u[self.observed][rows]
        block = torch.eye(len(own), dtype=own.dtype, device=own.device) - (own * (1 - left)) @ own.T
        if self.shape[2]:
            inside, outside = self._columns
            mixed = outside[self.observed][rows] + own @ (left[:, None] * inside)
            gram = self._schur(ridge, self.unpenalised)
            block = block - mixed @ solve_gram(gram, mixed.T)
        return freed(block, residuals)
