"""The dissipation Gramian of a run: which part of the first error was ever worked on.

Along training the residual rows r obey ṙ = −K r with the kernel K = A Aᵀ, A = √2·J D^½ of the
weighted Jacobian J and the optimizer's metric D (loss ‖r‖², weights θ̇ = −2 D Jᵀ r, time in steps).
With the propagator E, r(t) = E(t) r(0), outputs elsewhere move by

    u(T) − u(0) = −M r(0),    M = ∫ B Aᵀ E dt,    B = √2·J_test D^½,

and the *dissipation Gramian* W = ∫ Eᵀ K E dt = ½(I − EᵀE) is the loss that each direction of r(0)
gives up. W v = 0 means Aᵀ E v = 0 at all times: no weight ever moves on behalf of v, hence M v = 0,
no test output does. Quantitatively, by Cauchy and Schwarz,

    ‖M v‖² ≤ (∫ ‖B‖² dt) · vᵀ W v.

`FlowResponse` integrates this along a path of first-order steps, `ridge_response` gives the closed
form of a ridge fit, which is what Gauss–Newton comes to rest at. Stands above the linear algebra of
`tangent_kernel` and below `partition`. Source: arXiv 2605.01172; the bound is its proof, kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Response:
    """What became of every direction of the first residual, and what it moved.

    Attributes:
        residual: E (N, N), r(T) = E r(0).
        displacement: M (m, N), u(T) − u(0) = −M r(0), in units of u per unit of r.
        gramian: W (N, N), no unit: the share of ‖v‖² that is dissipated is 2 vᵀ W v.
        reach: ∫ ‖B‖² dt, the constant of the bound.
    """

    residual: Tensor
    displacement: Tensor
    gramian: Tensor
    reach: float

    def leverage(self, rows: slice) -> Tensor:
        """Return h_ii = 1 − E_ii (n,): how far each fitted value follows its own observation."""
        return 1 - self.residual.diagonal()[rows]

    def bound(self, directions: Tensor) -> Tensor:
        """Return the most by which directions (N, k) can have moved the test outputs, (k,)."""
        energy = ((self.gramian @ directions) * directions).sum(0).clamp_min(0)
        return (self.reach * energy).sqrt()


class FlowResponse:
    """Integrates E, M and W along a path on which the kernel is constant between two logged times.

    Args:
        num_rows: N.
        num_outputs: m.

    Between two times the propagator is exp(−K) exactly, so that W = ½(I − EᵀE) and the bound hold
    to rounding whatever the kernels are; what the pieces cost shows in ‖E r(0) − r(T)‖.
    """

    def __init__(self, num_rows: int, num_outputs: int) -> None:
        self.residual = torch.eye(num_rows, dtype=torch.float64)
        self.displacement = torch.zeros(num_outputs, num_rows, dtype=torch.float64)
        self.gramian = torch.zeros(num_rows, num_rows, dtype=torch.float64)
        self.reach = 0.0

    def advance(self, rows: Tensor, outputs: Tensor) -> Tensor:
        """Go on by one piece and return its kernel, A Aᵀ·Δt (N, N).

        Args:
            rows: A·√Δt (N, P), the preconditioned Jacobian of the residuals over the whole piece.
            outputs: B·√Δt (m, P), that of the test outputs.

        Cost: N² (P + m) and one eigendecomposition, N³.
        """
        kernel = (rows @ rows.T).double()
        values, vectors = torch.linalg.eigh(kernel)
        values = values.clamp_min(0)
        left = torch.exp(-values)
        # (1 − e^{−λ})/λ without 0/0, and ½(1 − e^{−2λ})
        mean = torch.where(values > 0, -torch.expm1(-values) / values.clamp_min(1e-300), 1.0)
        spent = -0.5 * torch.expm1(-2 * values)
        turned = vectors.T @ self.residual
        self.gramian = self.gramian + turned.T @ (spent[:, None] * turned)
        cross = (outputs @ rows.T).double()
        self.displacement = self.displacement + cross @ (vectors @ (mean[:, None] * turned))
        self.residual = vectors @ (left[:, None] * turned)
        self.reach += squared_norm(outputs)
        return kernel

    def response(self) -> Response:
        """Return what has been integrated so far."""
        return Response(self.residual, self.displacement, self.gramian, self.reach)


def squared_norm(matrix: Tensor) -> float:
    """Return ‖B‖₂² of a matrix from the smaller of its Gram matrices."""
    small = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    return float(torch.linalg.eigvalsh(small.double())[-1].clamp_min(0))


def ridge_response(jacobian: Tensor, test_jacobian: Tensor, ridge: float) -> Response:
    """Return the response of the minimiser of ‖b + J v‖² + α‖v‖² to its target b.

    E = α (K + α I)⁻¹, M = J_test Jᵀ (K + α I)⁻¹, W = ½(I − E²) with K = J Jᵀ. In the direction of
    eigenvalue λ the residual keeps α/(λ + α) = 1 − φ. ‖M v‖² ≤ (‖J_test‖²/α) vᵀ W v, since
    λ/(λ + α)² is at most ½(1 − α²/(λ + α)²)/α.

    Args:
        jacobian: J (N, P), rows weighted as in the fit.
        test_jacobian: (m, P).
        ridge: α > 0.

    Cost: a singular value decomposition, N P min(N, P).
    """
    # of J itself: in J Jᵀ, rounding would hide what a small ridge tells apart
    vectors, sizes, weights = torch.linalg.svd(jacobian, full_matrices=False)
    values = sizes.square()
    gone = values / (values + ridge)
    identity = torch.eye(len(jacobian), dtype=jacobian.dtype, device=jacobian.device)
    residual = identity - (vectors * gone) @ vectors.T
    gramian = (vectors * (gone - 0.5 * gone.square())) @ vectors.T
    displacement = (test_jacobian @ weights.T) * (sizes / (values + ridge)) @ vectors.T
    return Response(residual, displacement, gramian, squared_norm(test_jacobian) / ridge)
