"""First-order steps in the eigenbasis of each layer's gradient, where SOAP runs Adam.

Coordinates of the weights are an arbitrary basis to tell signal from noise in. For a layer with
weight gradient G, SOAP (arXiv 2409.11321) takes the eigenvectors U of the average of G Gᵀ and V of
that of Gᵀ G. The channels' factors turn into that basis before their second moments are taken, so
mean and variance of the rotated per-point gradient Uᵀ G_n V are as exact, and nearly as cheap, as
without: the optimizer, gated or not, then works on Uᵀ W V as on any other parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from pinngate.model.moments import Basis, TermMoments, gradient_moments
from pinngate.model.terms import Batch
from pinngate.optim.first_order import FirstOrder

DECAY = 0.95  # of the averages of G Gᵀ and Gᵀ G, SOAP's own
PERIOD = 10  # steps from one basis to the next, SOAP's own
FIRST_MOMENTS = ("exp_avg", "mean")  # what turns with the basis; second moments stay, as in SOAP


class RotatedFirstOrder(FirstOrder):
    """Steps the optimizer on rotated weights, with statistics of the rotated gradients.

    First layers keep their coordinates: their inputs are the axes themselves, some of them held.
    Coefficients are not rotated.

    Cost over `FirstOrder`: two products a layer for the factors and four small ones for the
    weights, and every `PERIOD` steps two QR factorisations of its width.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.bases: list[Basis | None] = [None] * len(self.network.layer_shapes)
        self.averages: list[Basis] = []
        self.own = self.parameters
        self.parameters = [nn.Parameter(p.detach().clone()) for p in self.own]
        factory = args[-1]
        self.optimizer = factory(self.parameters, self.options.learning_rate)

    def moments(self, batches: Mapping[str, Batch]) -> dict[str, TermMoments]:
        """Return each term's rotated gradient over a batch."""
        return gradient_moments(
            self.model,
            self.network,
            self.coefficients,
            batches,
            self.options.statistics,
            bases=self.bases,
        )

    def step(self) -> None:
        """Do one iteration, and turn the basis when it is time."""
        super().step()
        self._write_back()
        self._average()
        if self.iteration % PERIOD == 1:
            self._turn()

    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to go on."""
        return super().state_dict() | {
            "bases": list(self.bases),
            "averages": list(self.averages),
            "rotated": [p.detach().clone() for p in self.parameters],
        }

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`; the following iterations are bitwise the same."""
        super().load_state_dict(state)
        self.bases, self.averages = list(state["bases"]), list(state["averages"])
        for parameter, value in zip(self.parameters, state["rotated"], strict=True):
            parameter.copy_(value)

    @torch.no_grad()
    def _write_back(self) -> None:
        for k, basis in enumerate(self.bases):
            for j in (2 * k, 2 * k + 1):
                self.own[j].copy_(_back(self.parameters[j], basis))
        rest = slice(2 * len(self.bases), None)
        for own, stepped in zip(self.own[rest], self.parameters[rest], strict=True):
            own.copy_(stepped)

    @torch.no_grad()
    def _average(self) -> None:
        for k, basis in enumerate(self.bases):
            g = _back(self._gradient(2 * k), basis)
            now = (g @ g.T, g.T @ g)
            if len(self.averages) <= k:
                self.averages.append(now)
            else:
                for average, term in zip(self.averages[k], now, strict=True):
                    average.lerp_(term, 1 - DECAY)

    def _gradient(self, j: int) -> Tensor:
        gradient = self.parameters[j].grad
        if gradient is None:
            raise AssertionError("a step was taken")
        return gradient

    @torch.no_grad()
    def _turn(self) -> None:
        for k, (old, averages) in enumerate(zip(self.bases, self.averages, strict=True)):
            if k in self.network.first_layers:
                continue
            new = _eigenbasis(averages, old)
            self.bases[k] = new
            for j in (2 * k, 2 * k + 1):
                self.parameters[j].copy_(_into(self.own[j], new))
                state = self.optimizer.state[self.parameters[j]]
                for name in FIRST_MOMENTS:
                    if name in state:
                        state[name] = _into(_back(state[name], old), new)


def _eigenbasis(averages: Basis, old: Basis | None) -> Basis:
    """Return eigenvectors at first, then one step of orthogonal iteration, as SOAP does."""
    if old is None:
        left, right = (torch.linalg.eigh(a.double()).eigenvectors.flip(1) for a in averages)
    else:
        left, right = (
            torch.linalg.qr(a.double() @ q.double()).Q for a, q in zip(averages, old, strict=True)
        )
    kind = averages[0].dtype
    return left.to(kind), right.to(kind)


def _into(value: Tensor, basis: Basis | None) -> Tensor:
    """Return Uᵀ W V of a weight, Uᵀ b of a bias."""
    if basis is None:
        return value.clone()
    turned = basis[0].T @ value
    return turned @ basis[1] if value.ndim == 2 else turned


def _back(value: Tensor, basis: Basis | None) -> Tensor:
    """Undo `_into`."""
    if basis is None:
        return value.clone()
    turned = basis[0] @ value
    return turned @ basis[1].T if value.ndim == 2 else turned
