"""Fields that are linear in a few numbers, u + Σ_j z_j ∂u/∂z_j, as a network.

The tangents of every field are known at the points, from a solver or as functions of a basis. To
everything downstream such fields are a network of one linear layer of one output, whose inputs
differ between fields. Beside `networks` and `bases`.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pinngate.model.channels.plan import Orders
from pinngate.model.channels.propagate import Channels, LayerFactors
from pinngate.model.networks import Network


class TangentNetwork(Network):
    """z ↦ fields; what makes one calls `_hold_numbers` and says what its tangents are."""

    def _hold_numbers(self, count: int) -> None:
        """Begin with M = `count` numbers that are zero."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where nothing was searched for there are no tangents
            layer = nn.Linear(count, 1, dtype=torch.float64)
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.layers = nn.ModuleList([layer])

    @property
    def numbers(self) -> Tensor:
        """z (M,)."""
        return self.linears[0].weight[0]

    @abstractmethod
    def values(self, points: Tensor, orders: Orders) -> tuple[Tensor, Tensor]:
        """Return ∂^α of the outputs at points (N, axes), (N, F), and tangents, (N, F, M)."""

    @property
    def is_shallow(self) -> bool:
        """A mean of such fields is none of their kind."""
        return False

    @property
    def width_and_depth(self) -> tuple[int, int]:
        """The tangents stand for one hidden layer."""
        return len(self.numbers), 1

    def propagate(self, channels: Channels) -> TangentTape:
        """Carry derivative channels to the fields."""
        points = channels.points
        found = [self.values(points, orders) for orders in channels.plan.derivatives]
        for terms in channels.operators:
            parts = [(c, *self.values(points, orders)) for orders, c in terms]
            values = torch.stack([c * value for c, value, _ in parts]).sum(0)
            slopes = [_by_point(c) * slope for c, _, slope in parts]
            found.append((values, torch.stack(slopes).sum(0)))
        outputs = torch.stack([value for value, _ in found])
        inputs = torch.stack([slope for _, slope in found])
        return TangentTape(outputs + inputs @ self.numbers, inputs)

    def forward(self, points: Tensor) -> Tensor:
        """Return the outputs at the points: (N, axes) → (N, F)."""
        values, slopes = self.values(points, (0,) * points.shape[1])
        return values + slopes @ self.numbers


@dataclass(frozen=True)
class TangentTape:
    """Outputs (C, N, F) and their tangents (C, N, F, M)."""

    outputs: Tensor
    inputs: Tensor

    def backward(self, adjoints: Tensor) -> list[LayerFactors]:
        """Return the factors of the layer, a channel for each output; its bias moves nothing."""
        channels, num_points, outputs, _ = self.inputs.shape
        size = channels * outputs
        d = adjoints.permute(0, 2, 1).reshape(size, num_points, 1)
        a = self.inputs.permute(0, 2, 1, 3).reshape(size, num_points, -1)
        nothing = d.new_zeros(1, num_points, 1)
        return [LayerFactors(torch.cat([nothing, d]), torch.cat([torch.zeros_like(a[:1]), a]))]


def _by_point(c: float | Tensor) -> float | Tensor:
    """Return a factor of each point, (N, 1), as one of (N, 1, 1)."""
    return c[:, :, None] if isinstance(c, Tensor) else c
