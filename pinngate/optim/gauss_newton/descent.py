"""A trust-region step of the weights of a trial space, networks and bases alike.

Between `trust_region`, which knows a step by its numbers alone, and the solvers, which linearise.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pinngate.linear.forms import Trial
from pinngate.linear.jacobian import Batches, assign, flatten, weighted_residuals
from pinngate.linear.linearisation import Linearisation
from pinngate.linear.mixing import Mixing
from pinngate.optim.gauss_newton.trust_region import Restraint, Step, descend


def step_down(
    trial: Trial,
    batches: Batches,
    line: Linearisation,
    restraint: Restraint,
    *,
    mixing: Mixing | None = None,
    is_accelerated: bool = True,
) -> Step:
    """Move weights and coefficients by one step, or leave them where every try was refused.

    Args:
        trial: model, network and coefficients.
        batches: points of every term.
        line: the residuals linearised at the present weights; coefficients that it holds stay.
        restraint: what holds the step back.
        mixing: of the rows that are no observations, as `line` was made with.
        is_accelerated: whether to correct for curvature.
    """
    _, network, coefficients = trial
    theta = flatten(network, coefficients)

    def moved(delta: Tensor) -> Tensor:
        return theta + torch.cat([delta, delta.new_zeros(len(theta) - len(delta))])

    def residuals(delta: Tensor) -> Tensor:
        assign(network, coefficients, moved(delta))
        rows = line.weights.weighted(weighted_residuals(*trial, batches, line.weights))
        return rows if mixing is None else mixing(rows)

    step = descend(
        residuals,
        line.system,
        line.residual,
        line.offset,
        restraint,
        is_accelerated=is_accelerated,
    )
    assign(network, coefficients, theta if step.delta is None else moved(step.delta))
    return step
