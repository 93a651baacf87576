"""Tensor bases: trial spaces that are linear in their weights.

A field is Σ w_ij.. ψ_i(x) ψ_j(t).. over the products whose frequencies lie inside an ellipsoid,
each divided by (1 + |ω|²)^(SMOOTHNESS/2), so that the ridge α‖w‖² is a Sobolev norm. To everything
downstream it is a network of a single linear layer whose inputs are the products and their
derivatives. Beside `networks`; the functions of one axis are in `axis_functions`.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pinngate.model.axis_functions import AxisFunctions
from pinngate.model.channels.plan import Orders
from pinngate.model.channels.propagate import Channels, LayerFactors
from pinngate.model.networks import Network

SMOOTHNESS = 3.0  # order of the Sobolev norm: that of a quintic smoothing spline
CACHED = 1_000_000_000  # bytes of products that are kept at most


class TensorBasis(Network):
    def __init__(
        self,
        domain: Sequence[tuple[float, float]],
        axes: Sequence[AxisFunctions],
        num_outputs: int,
        *,
        columns: Sequence[int] | None = None,
        is_full: bool = True,
        output_scale: Sequence[float] = (),
        output_shift: Sequence[float] = (),
        dtype: torch.dtype = torch.float64,
    ) -> None:
        nn.Module.__init__(self)
        self.axes = list(axes)
        self.columns = None if columns is None else list(columns)
        self.is_periodic = (False,) * len(domain)
        scale = list(output_scale) or [1.0] * num_outputs
        shift = list(output_shift) or [0.0] * num_outputs
        for name, values in (
            ("low", [low for low, _ in domain]),
            ("high", [high for _, high in domain]),
            ("output_scale", scale),
            ("output_shift", shift),
        ):
            self.register_buffer(name, torch.tensor(values, dtype=dtype))
        grids = np.meshgrid(*[f.frequencies for f in self.axes], indexing="ij")
        total = sum(g**2 for g in grids)
        inside = np.ones_like(total, dtype=bool)
        if not is_full:
            tops = [f.frequencies[-1] for f in self.axes]
            inside = sum((g / t) ** 2 for g, t in zip(grids, tops, strict=True)) <= 1.0 + 1e-9
        self.members = np.argwhere(inside)
        self.damping = (1 + total[inside]) ** (-SMOOTHNESS / 2)
        self.layers = nn.ModuleList([nn.Linear(len(self.members), num_outputs, dtype=dtype)])
        nn.init.zeros_(self.layers[0].weight)
        nn.init.zeros_(self.layers[0].bias)
        self._kept: dict[Any, Tensor] = {}

    @property
    def is_shallow(self) -> bool:
        return False

    @property
    def width_and_depth(self) -> tuple[int, int]:
        return len(self.members), 0

    @property
    def sizes(self) -> Tensor:
        """Weights of the orthonormal products, (fields, M): root mean squares over the box."""
        return self.layers[0].weight.detach() * torch.as_tensor(self.damping) / len(self.axes) ** 0

    def tails(self) -> list[float]:
        """Return for each axis the root of the energy in the last third of its functions."""
        energy = self.sizes.square().sum(0).numpy()
        found = []
        for place, functions in enumerate(self.axes):
            last = self.members[:, place] >= 2 * len(functions.frequencies) / 3
            found.append(float(np.sqrt(energy[last].sum())))
        return found

    def tail(self) -> float:
        """Return the largest of `tails`, in units of the fields' size."""
        return max(self.tails()) / 2 ** (len(self.axes) / 2)

    def fit_to(self, other: Network, points: Tensor) -> None:
        """Take over the values of another network at points (N, axes), by least squares."""
        with torch.no_grad():
            values = (other(points) - self.output_shift) / self.output_scale
            rows = self.products(points, (0,) * points.shape[1])
            found = torch.linalg.lstsq(rows, values, driver="gelsd").solution
            self.layers[0].weight.copy_(found.T)
            self.layers[0].bias.zero_()

    def describe(self) -> dict[str, Any]:
        return {"basis": [len(f.frequencies) for f in self.axes], "functions": len(self.members)}

    def products(self, points: Tensor, orders: Orders) -> Tensor:
        """Return ∂^α of every product at the points, (N, M), in 1/(axis units)^|α|."""
        array = points.detach().cpu().numpy()
        found = np.broadcast_to(self.damping, (len(array), len(self.members)))
        own = self.columns or range(array.shape[1])
        if sum(orders) > sum(orders[k] for k in own):
            return points.new_zeros(found.shape)
        for place, k in enumerate(own):
            low, high = float(self.low[place]), float(self.high[place])
            scaled = (2 * array[:, k] - low - high) / (high - low)
            factor = (2 / (high - low)) ** orders[k]
            values = self.axes[place].values(scaled, orders[k]) * factor
            found = found * values[:, self.members[:, place]]
        return torch.as_tensor(found).to(points)

    def _inputs(self, channels: Channels) -> Tensor:
        points = channels.points
        plain = [self._product(points, orders) for orders in channels.plan.derivatives]
        for terms in channels.operators:
            plain.append(sum(c * self._product(points, orders) for orders, c in terms))
        return torch.stack(plain)

    def _product(self, points: Tensor, orders: Orders) -> Tensor:
        key = (hashlib.sha1(points.cpu().numpy().tobytes()).digest(), orders)
        if key not in self._kept:
            if sum(t.numel() for t in self._kept.values()) * 8 > CACHED:
                self._kept.clear()
            self._kept[key] = self.products(points, orders)
        return self._kept[key]

    def propagate(self, channels: Channels) -> BasisTape:
        inputs = self._inputs(channels)
        outputs = inputs @ self.layers[0].weight.T
        outputs[0] += self.layers[0].bias
        outputs = outputs * self.output_scale
        outputs[0] += self.output_shift
        return BasisTape(outputs, inputs, self.output_scale)

    def forward(self, points: Tensor) -> Tensor:
        output = self.layers[0](self.products(points, (0,) * points.shape[1]))
        return output * self.output_scale + self.output_shift


@dataclass(frozen=True)
class BasisTape:
    outputs: Tensor
    inputs: Tensor
    scale: Tensor

    def backward(self, adjoints: Tensor) -> list[LayerFactors]:
        return [LayerFactors(adjoints * self.scale, self.inputs)]
