"""Trefftz bases: the part of a tensor basis that obeys linear equations and conditions.

    w = w₀ + Z z,   Zᵀ Z = I,   Zᵀ w₀ = 0

with w the weights of a `TensorBasis`, w₀ those that meet the sources and Z the directions that the
equations leave free, found numerically (C. Lehrenfeld, P. Stocker, Int. J. Numer. Methods Eng. 124,
2023, "embedded Trefftz"). Of n² functions of two axes a few n are left, and the ridge α‖w‖² is
α‖z‖² but for a constant. The directions come from `pinngate.optim.collocation.free_directions`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from pinngate.model.bases import TensorBasis
from pinngate.model.channels.plan import Orders
from pinngate.model.kept_values import KeptValues
from pinngate.model.networks import Network
from pinngate.model.tangent_network import TangentNetwork


class TrefftzBasis(TangentNetwork):
    """z ↦ fields.

    Args:
        tensor: M products, F fields.
        offset: w₀ (F·M,), the weights of one field after those of another.
        directions: Z (F·M, f).
    """

    def __init__(self, tensor: TensorBasis, offset: Tensor, directions: Tensor) -> None:
        nn.Module.__init__(self)
        self.tensor = tensor
        self.columns, self.is_periodic = tensor.columns, tensor.is_periodic
        self.logarithmic = tensor.logarithmic
        for name in ("low", "high", "output_scale", "output_shift"):
            self.register_buffer(name, getattr(tensor, name))
        self.register_buffer("offset", offset)
        self.register_buffer("directions", directions)
        self._hold_numbers(directions.shape[1])
        self.kept = KeptValues()

    offset: Tensor
    directions: Tensor

    @property
    def expanded(self) -> TensorBasis:
        """The tensor basis, at the weights that these numbers make."""
        weights = self.offset + self.directions @ self.numbers.detach()
        with torch.no_grad():
            self.tensor.layer.weight.copy_(weights.view_as(self.tensor.layer.weight))
        return self.tensor

    def describe(self) -> dict[str, Any]:
        """Return the functions of each axis and the number of directions."""
        return self.tensor.describe() | {"parameters": self.num_parameters}

    def values(self, points: Tensor, orders: Orders) -> tuple[Tensor, Tensor]:
        """Return ∂^α of the fields at points (N, axes), (N, F), and of its directions, (N, F, f).

        Cost: N·M·f·F operations; kept for points that come again.
        """
        found = self.kept.of(points, orders, self._made)
        return found[:, :, -1], found[:, :, :-1]

    def _made(self, points: Tensor, orders: Orders) -> Tensor:
        both = torch.cat([self.directions, self.offset[:, None]], 1)
        by_field = both.view(len(self.output_scale), -1, both.shape[1])
        made = [self.tensor.combined(points, orders, own) for own in by_field]
        found = torch.stack(made, 1) * self.output_scale[:, None]
        if not any(orders):
            found[:, :, -1] += self.output_shift
        return found

    def fit_to(self, other: Network, points: Tensor) -> None:
        """Take over the values of another network at points (N, axes), by least squares."""
        values, directions = self.values(points, (0,) * points.shape[1])
        with torch.no_grad():
            missed = (other(points) - values).reshape(-1)
            rows = directions.reshape(len(missed), -1)
            found = torch.linalg.lstsq(rows, missed, driver="gelsd").solution
            self.linears[0].weight.copy_(found[None])
