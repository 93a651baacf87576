"""All residuals linearised at the present weights, every row in the unit of the noise.

The one prelude of every linear question: a step of the solver, the risk at the answer, its
posterior and its spectrum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pinngate.errors import SolveError
from pinngate.linear.factored import FactoredSystem
from pinngate.linear.forms import Form, Trial
from pinngate.linear.jacobian import Batches, flatten
from pinngate.linear.mixing import MixedColumns, Mixing
from pinngate.linear.system import LinearisedSystem
from pinngate.model.faults import fault
from pinngate.model.row_weights import RowWeights

NoiseOfRows = Callable[[Tensor, RowWeights], RowWeights]


@dataclass(frozen=True)
class Linearisation:
    """r(θ + δ) ≈ r + A v + C c, and the ridge about its centre w₀.

    Attributes:
        weights: of the rows, roots of the noise included.
        plain: residuals without those roots, not mixed, (N,).
        residual: r (N,).
        target: b = r − A (w − w₀) (N,): the ridge fit of b is measured from the centre.
        offset: w − w₀, (P,).
        system: of J.
    """

    weights: RowWeights
    plain: Tensor
    residual: Tensor
    target: Tensor
    offset: Tensor
    system: LinearisedSystem

    @property
    def observed(self) -> Tensor:
        """The residuals of the observations, (n,)."""
        return self.residual[self.weights.observed]


def linearise(
    form: Form,
    trial: Trial,
    batches: Batches,
    weights: RowWeights,
    anchor: Tensor,
    *,
    ridge: float = 1.0,
    noise: NoiseOfRows | None = None,
    has_coefficients: bool = True,
    mixing: Mixing | None = None,
) -> Linearisation:
    """Linearise all residuals at the present weights.

    Args:
        form: whether J is formed.
        trial: model, network (P weights) and coefficients.
        batches: points of every term.
        weights: of the rows, without roots.
        anchor: w₀ (P,).
        ridge: about which ridges the system will be asked.
        noise: plain residuals (N,) and weights → weights with roots of the noise; ones by default.
        has_coefficients: whether the coefficients move too.
        mixing: F on the rows that are no observations, for a form that is factored.

    Raises:
        SolveError: a residual is not finite; the message names its term and the part at fault.

    Cost: one forward and one backward propagation for each term and point.
    """
    rows = form.rows(trial, batches, weights)
    plain = rows.residual
    if not bool(torch.isfinite(plain).all()):
        raise SolveError(f"the residuals are not finite: {fault(*trial, batches)}")
    roots = torch.ones_like(plain)
    weights = weights.with_roots(roots) if noise is None else noise(plain, weights)
    roots = roots if weights.roots is None else weights.roots
    residual = weights.weighted(plain)
    num_free = trial.coefficients.raw.numel() if has_coefficients else 0
    system = rows.system(roots, num_free, weights.observed, ridge)
    if mixing is not None:
        if not isinstance(system, FactoredSystem):
            raise TypeError("rows are mixed in a form that is factored")
        residual = mixing(residual)
        system = FactoredSystem(MixedColumns(system.columns, mixing))
    offset = flatten(trial.network, trial.coefficients)[: len(anchor)] - anchor
    target = residual - system.apply(offset)
    return Linearisation(weights, plain, residual, target, offset, system)
