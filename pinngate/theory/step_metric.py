"""The metric in which a first-order optimizer measured gradients between two logged times.

An Adam step moves weight p by −η q m̂/(√v̂ + ε): against the averaged gradient, times
d = η q/(√v̂ + ε). Hooks around each step of the optimizer add up d over the steps, q read off the
weights' own change where there is a gate. The sum is the D of `gramian`; momentum is taken as
caught up with the gradient. Where steps are taken in the eigenbases of the layers
(`optim.rotated`), D is diagonal in those.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pinngate.errors import InputError
from pinngate.model.moments import Basis
from pinngate.optim.first_order import FirstOrder
from pinngate.optim.rotated import RotatedFirstOrder


class StepMetric:
    """Follows the steps of a first-order stepper.

    Args:
        stepper: whose optimizer keeps Adam's two moments, ``exp_avg`` and ``exp_avg_sq``.
    """

    def __init__(self, stepper: FirstOrder) -> None:
        self.stepper = stepper
        optimizer: Any = stepper.optimizer
        self.is_gated = bool(getattr(optimizer, "is_gated", False))
        self.before: list[Tensor] = []
        self.sums: list[Tensor] = []
        self.reset()
        optimizer.register_step_pre_hook(self._keep)
        optimizer.register_step_post_hook(self._add)

    def reset(self) -> None:
        """Begin anew, with no step taken."""
        self.sums = [torch.zeros_like(p, dtype=torch.float64) for p in self.stepper.parameters]

    @property
    def bases(self) -> list[Basis | None]:
        """Bases of the layers' weight gradients, as they are now."""
        stepper = self.stepper
        if isinstance(stepper, RotatedFirstOrder):
            return list(stepper.bases)
        return [None] * len(stepper.network.layer_shapes)

    def _keep(self, *_: Any) -> None:
        self.before = [p.detach().clone() for p in self.stepper.parameters]

    @torch.no_grad()
    def _add(self, *_: Any) -> None:
        group = self.stepper.optimizer.param_groups[0]
        beta1, beta2 = group["betas"]
        for total, parameter, before in zip(
            self.sums, self.stepper.parameters, self.before, strict=True
        ):
            state = self.stepper.optimizer.state[parameter]
            if "exp_avg_sq" not in state:
                raise InputError(
                    "the steps of this optimizer cannot be followed",
                    expected="one with Adam's two moments: adam, adamw, population-risk-adam",
                )
            count = float(state["step"])
            size = (state["exp_avg_sq"] / (1 - beta2**count)).sqrt() + group["eps"]
            step = group["lr"] / size
            if self.is_gated:
                whole = step * state["exp_avg"] / (1 - beta1**count)
                is_moving = whole != 0
                opened = (before - parameter) / torch.where(is_moving, whole, 1.0)
                step = step * torch.where(is_moving, opened.clamp(0, 1), 0.0)
            total += step.double()

    def scaled(self, jacobian: Tensor) -> Tensor:
        """Return A = √2·J D^½ (N, P) of a Jacobian whose columns are the stepper's parameters.

        Coordinates of a layer with a basis are turned, which leaves A Aᵀ what it is.
        """
        parts, column, bases = [], 0, self.bases
        for k, total in enumerate(self.sums):
            block = jacobian[:, column : column + total.numel()]
            column += total.numel()
            basis = bases[k // 2] if k < 2 * len(bases) else None
            parts.append(_turned(block, total, basis) * (2 * total.reshape(-1)).sqrt())
        return torch.cat(parts, 1)


def _turned(block: Tensor, like: Tensor, basis: Basis | None) -> Tensor:
    """Return the columns of one parameter in its basis: Uᵀ G V of a weight, Uᵀ g of a bias."""
    if basis is None:
        return block
    left, right = (q.to(block) for q in basis)
    if like.ndim == 1:
        return block @ left
    gradients = block.view(len(block), *like.shape)
    return (left.T @ gradients @ right).flatten(1)
