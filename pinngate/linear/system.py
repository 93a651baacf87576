"""The linearised problem as everything downstream sees it, whether its Jacobian is formed or not.

Residual rows b + A v + C c with penalised columns A (N, P) and few unpenalised columns C (N, K):

    min ‖b + A v + C c‖² + α‖v‖².

With M = A Aᵀ + α I the residual of the minimiser is T b,

    T = α (M⁻¹ − M⁻¹ C (Cᵀ M⁻¹ C)⁻¹ Cᵀ M⁻¹),

and the residual of row i in a fit that never saw row i is exactly (T b)_i / T_ii (Allen's PRESS;
with unpenalised columns the identity of universal kriging, Dubrule 1983). Its mean square over the
observation rows is the leave-one-out risk: noise variance plus squared error, without a validation
set. `dense` forms A, `normal` AᵀA alone, `matrix_free` neither; `tests/linear/test_conformance.py`
holds them to the same answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


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

    @property
    def risk(self) -> float:
        """The leave-one-out risk, mean e_i² over the observations, in the rows' squared unit."""
        return float(self.leave_one_out.square().mean())


class LinearisedSystem(Protocol):
    """What a linearisation answers; rows are in one unit, observations last."""

    @property
    def observed(self) -> slice:
        """The rows that are observations."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """N rows, P penalised and K unpenalised columns."""

    def decompose(self) -> None:
        """Prepare for questions about directions and many ridges."""

    def apply(self, change: Tensor) -> Tensor:
        """Return A v for a change v (P,) of the weights, A v + C c for one of (P + K,): (N,)."""

    def fits(self, ridges: Sequence[float], b: Tensor) -> list[RidgeFit]:
        """Return the fit of b (N,) at each ridge: residuals, leverages, leave-one-out residuals."""

    def best_fit(self, ridges: Sequence[float], b: Tensor) -> RidgeFit:
        """Return the one of `fits` that has the least leave-one-out risk."""

    def minimiser(self, ridge: float, b: Tensor, damping: float = 0.0) -> tuple[Tensor, Tensor]:
        """Return (v, c) that minimise ‖b + A v + C c‖² + ridge ‖v‖² + damping ‖c‖²."""

    def is_definite(self, ridge: float) -> bool:
        """Whether M can be inverted to rounding."""

    def signal_fraction(self, ridge: float) -> float:
        """Return the mean filter φ_j = λ_j/(λ_j + α) over all directions of the kernel A Aᵀ."""

    def spectrum(self, b: Tensor) -> tuple[Tensor, Tensor]:
        """Return λ_j (m,), largest first, and (v_jᵀ b)² (m,), v_j the eigenvectors of A Aᵀ."""

    def directions(self, ridge: float) -> tuple[Tensor, Tensor]:
        """Return right singular vectors of A times √φ_j, (P, m), and 1 − φ_j = α/(λ_j + α), (m,).

        What the rows take away from the prior variance of g·v is ‖gᵀ directions‖²; where that is
        nearly all, the second says what is left.
        """

    def transfer(self, ridge: float) -> Tensor:
        """Return (AᵀA + αI)⁻¹ Aᵀ C, (P, K): how the weights that fit best move with c."""

    def unpenalised_gram(self, ridge: float) -> Tensor:
        """Return Cᵀ T_A C, (K, K): the information on c times σ², T_A = T without C."""

    def row_squares(self, rows: slice) -> Tensor:
        """Return ‖a_i‖² of some rows of A, (n,)."""

    def unshrunk(self, ridge: float, rows: Tensor, residuals: Tensor) -> Tensor:
        """Return T_gg^(−1/2) r_g (k,): residuals of a group freed of what the fit took from them.

        Independent noise of variance σ² leaves residuals r_g of covariance σ² T_gg in an
        unpenalised fit, so that these have the covariance of the noise again.

        Args:
            ridge: α > 0.
            rows: the group's places among the observations, (k,).
            residuals: r_g = (T b)_g, (k,).
        """
