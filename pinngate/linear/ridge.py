"""Ridge fits of a linearised problem: its minimiser, and how much each observation draws it.

Pure linear algebra on tensors, between the Jacobian of all residuals and the Gauss–Newton solver.
The linearised problem is ``min ‖b + A v + C c‖² + α‖v‖²`` with penalised columns A (N, P) and few
unpenalised columns C (N, K). With ``M = A Aᵀ + α I`` the residual of the minimiser is ``T b``,

    T = α (M⁻¹ − M⁻¹ C (Cᵀ M⁻¹ C)⁻¹ Cᵀ M⁻¹).

`RidgeFactor` factorises one ridge at a time; `risk.RidgeSpectrum` knows every ridge at once, at
several times the cost.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Form = Literal["auto", "dual", "normal"]

LEAST_PIVOT = 0.9  # of the ridge; what falls below is rounding


@dataclass(frozen=True)
class RidgeFit:
    """The fit at one ridge, seen from the observation rows.

    Attributes:
        ridge: α.
        residual: T b on the observation rows, (n,).
        leverage: 1 − T_ii, how much each observation draws the fit to itself, (n,).
        leave_one_out: (T b)_i / T_ii, (n,).
    """

    ridge: float
    residual: Tensor
    leverage: Tensor
    leave_one_out: Tensor

    @property
    def effective_dimension(self) -> float:
        """Trace of the hat matrix over the observation rows."""
        return float(self.leverage.sum())


class RidgeSystem(ABC):
    """The linearised problem in the smaller of its two forms; subclasses invert M = gram + α I.

    With T_A the residual operator of the penalised columns alone: dual form (N ≤ P) gram = A Aᵀ,
    T_A = α M⁻¹; normal form gram = Aᵀ A, T_A = I − A M⁻¹ Aᵀ.

    Args:
        jacobian: (N, P + K), the unpenalised columns last.
        num_unpenalised: K.
        observed: the rows that are observations, the last ones.
        form: which matrix to use; ``auto`` takes the smaller.

    Attributes:
        penalised: A (N, P).
        unpenalised: C (N, K).
        is_dual: which form.
    """

    def __init__(
        self, jacobian: Tensor, num_unpenalised: int, observed: slice, form: Form = "auto"
    ) -> None:
        num_rows, num_columns = jacobian.shape
        num_penalised = num_columns - num_unpenalised
        self.penalised = jacobian[:, :num_penalised]
        self.unpenalised = jacobian[:, num_penalised:]
        self.observed = observed
        self.is_dual = form == "dual" or (form == "auto" and num_rows <= num_penalised)
        self._reduced_columns = self.reduce(self.unpenalised)
        self._column_products = self.unpenalised.T @ self.unpenalised

    @abstractmethod
    def inverse(self, ridge: float, x: Tensor) -> Tensor:
        """Return M⁻¹ x for x (m, …)."""

    @abstractmethod
    def fits(self, ridges: Sequence[float], b: Tensor) -> list[RidgeFit]:
        """Return the fit of b (N,) at each ridge."""

    @abstractmethod
    def signal_fraction(self, ridge: float) -> float:
        """Return the mean filter φ_j = λ_j/(λ_j + α) over all directions of the kernel."""

    def is_definite(self, ridge: float) -> bool:
        """Whether M can be inverted to rounding."""
        return ridge > 0

    def reduce(self, x: Tensor) -> Tensor:
        """Return x (N, …) where M lives: x itself (dual) or Aᵀ x (normal)."""
        return x if self.is_dual else self.penalised.T @ x

    def penalised_residual(self, ridge: float, x: Tensor) -> Tensor:
        """Return T_A x for x (N, …): what the penalised columns cannot explain."""
        found = self.inverse(ridge, self.reduce(x))
        return ridge * found if self.is_dual else x - self.penalised @ found

    def penalised_weights(self, ridge: float, x: Tensor) -> Tensor:
        """Return (Aᵀ A + α I)⁻¹ Aᵀ x for x (N, …)."""
        return self._weights(self.inverse(ridge, self.reduce(x)))

    def minimiser(self, ridge: float, b: Tensor, damping: float = 0.0) -> tuple[Tensor, Tensor]:
        """Return (v, c) that minimise ‖b + A v + C c‖² + ridge ‖v‖² + damping ‖c‖².

        Args:
            ridge: α > 0.
            b: (N,).
            damping: ≥ 0, on the unpenalised columns.
        """
        c = b.new_zeros(self.unpenalised.shape[1])
        found = self.inverse(ridge, self.reduce(b))
        if len(c):
            by_column = self.inverse(ridge, self._reduced_columns)
            gram = self._schur(ridge, by_column, self._column_products)
            gram = gram + damping * torch.eye(len(c), dtype=b.dtype, device=b.device)
            c = -solve_gram(gram, self._schur(ridge, found, self.unpenalised.T @ b))
            found = found + by_column @ c
        return -self._weights(found), c

    def unpenalised_covariance(self, ridge: float) -> Tensor:
        """Return (Cᵀ T_A C)⁻¹, (K, K): the covariance of c / σ²."""
        by_column = self.inverse(ridge, self._reduced_columns)
        gram = self._schur(ridge, by_column, self._column_products)
        return solve_gram(gram, torch.eye(len(gram), dtype=gram.dtype, device=gram.device))

    def _weights(self, found: Tensor) -> Tensor:
        return self.penalised.T @ found if self.is_dual else found

    def _schur(self, ridge: float, found: Tensor, plain: Tensor) -> Tensor:
        """Return Cᵀ T_A x from M⁻¹ x reduced (`found`) and Cᵀ x (`plain`)."""
        product = self._reduced_columns.T @ found
        return ridge * product if self.is_dual else plain - product

    def _fit(
        self,
        ridge: float,
        diagonal: Tensor,
        residual: Tensor,
        t_c: Tensor,
        gram: Tensor,
        moment: Tensor,
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
        # 1 − h is positive in exact arithmetic; rounding must not turn a leverage of one
        # into a negative distance.
        diagonal = diagonal.clamp_min(1e-12)
        return RidgeFit(float(ridge), residual, 1 - diagonal, residual / diagonal)


class RidgeFactor(RidgeSystem):
    """Cholesky factors of one ridge at a time, the last few kept.

    Cost: half of N P m operations once; m³/3 for each ridge, and n m² for the leverages.
    """

    def __init__(
        self, jacobian: Tensor, num_unpenalised: int, observed: slice, form: Form = "auto"
    ) -> None:
        super().__init__(jacobian, num_unpenalised, observed, form)
        self._gram = lower_gram(self.penalised.T if self.is_dual else self.penalised)
        self._factors: dict[float, Tensor] = {}

    def inverse(self, ridge: float, x: Tensor) -> Tensor:
        """Return M⁻¹ x for x (m, …)."""
        columns = x if x.ndim == 2 else x[:, None]
        return torch.cholesky_solve(columns, self._factor(ridge)).view_as(x)

    def fits(self, ridges: Sequence[float], b: Tensor) -> list[RidgeFit]:
        """Return the fit of b (N,) at each ridge; every ridge is factorised anew."""
        return [self._fit_at(ridge, b) for ridge in ridges]

    def _fit_at(self, ridge: float, b: Tensor) -> RidgeFit:
        factor, observed = self._factor(ridge), self.observed
        found = self.inverse(ridge, self.reduce(b))
        by_column = self.inverse(ridge, self._reduced_columns)
        if self.is_dual:
            diagonal = ridge * torch.cholesky_inverse(factor).diagonal()[observed]
            residual, t_c = ridge * found[observed], ridge * by_column[observed]
        else:
            rows = self.penalised[observed]
            whitened = torch.linalg.solve_triangular(factor, rows.T, upper=False)
            diagonal = 1 - whitened.square().sum(0)
            residual = b[observed] - rows @ found
            t_c = self.unpenalised[observed] - rows @ by_column
        gram = self._schur(ridge, by_column, self._column_products)
        moment = self._schur(ridge, found, self.unpenalised.T @ b)
        return self._fit(ridge, diagonal, residual, t_c, gram, moment)

    def signal_fraction(self, ridge: float) -> float:
        """Return the mean filter: 1 − α tr(M⁻¹)/m."""
        return 1 - ridge * float(torch.cholesky_inverse(self._factor(ridge)).diagonal().mean())

    def is_definite(self, ridge: float) -> bool:
        """Whether M is factorised to rounding: a ridge can be too small beside A.

        The squared pivots of M are at least its least eigenvalue, which is at least the ridge.
        """
        try:
            pivots = self._factor(ridge).diagonal().square()
        except torch.linalg.LinAlgError:
            return False
        return bool(pivots.min() > LEAST_PIVOT * ridge)

    def _factor(self, ridge: float) -> Tensor:
        if ridge not in self._factors:
            self._factors = dict(list(self._factors.items())[-1:])
            matrix = self._gram.clone()
            matrix.diagonal().add_(ridge)
            self._factors[ridge] = torch.linalg.cholesky(matrix)
        return self._factors[ridge]


def lower_gram(a: Tensor) -> Tensor:
    """Return Aᵀ A (P, P), right in its lower triangle alone. Cost: 5/8 of the full product."""
    size = a.shape[1]
    gram = a.new_zeros(size, size)
    step = max(128, -(-size // 4))
    for begin in range(0, size, step):
        end = min(begin + step, size)
        torch.mm(a[:, begin:end].T, a[:, :end], out=gram[begin:end, :end])
    return gram


def solve_gram(gram: Tensor, rhs: Tensor) -> Tensor:
    """Solve a small symmetric positive semidefinite system, undetermined directions left at zero.

    Columns are scaled to one first: coefficients of different units must not hide one another.
    """
    scale = gram.diagonal().clamp_min(torch.finfo(gram.dtype).tiny).rsqrt()
    inverse = torch.linalg.pinv(gram * scale[:, None] * scale, rtol=1e-12, hermitian=True)
    scaled = scale[:, None] * rhs if rhs.ndim == 2 else scale * rhs
    result = inverse @ scaled
    return scale[:, None] * result if rhs.ndim == 2 else scale * result
