"""Tensor bases: trial spaces that are linear in their weights.

A field is Σ w_ij.. ψ_i(x) ψ_j(t).. over the products whose frequencies lie inside an ellipsoid,
each divided by (1 + |ω|²)^(SMOOTHNESS/2), so that the ridge α‖w‖² is a Sobolev norm. To everything
downstream it is a network of a single linear layer whose inputs are the products and their
derivatives. Beside `networks`; the functions of one axis are in `axis_functions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pinngate.model.axis_functions import AxisFunctions
from pinngate.model.channels.plan import Orders
from pinngate.model.channels.propagate import Channels, LayerFactors
from pinngate.model.kept_values import KeptValues
from pinngate.model.networks import Network

Array = NDArray[np.float64]

SMOOTHNESS = 3.0  # order of the Sobolev norm: that of a quintic smoothing spline
TILE = 1024  # points of combinations at a time


class TensorBasis(Network):
    """Products of the functions of each axis of a box.

    Args:
        domain: (low, high) of each axis, in the order of the points' columns.
        axes: the functions of each axis.
        num_outputs: number of fields.
        columns: which columns of the points these axes are; all by default.
        is_full: whether all products are there, or those inside the ellipsoid through each axis's
            highest frequency: half of them on three axes.
        output_scale: size of each field.
        output_shift: centre of each field.

    Attributes:
        members: which function of each axis every product has, (M, axes).
        has_member: which of all products are there, a flag for each, (m_1, m_2, ...).
    """

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
        self.functions = list(axes)
        self.columns = None if columns is None else list(columns)
        self.is_periodic = (False,) * len(domain)
        self._hold_axes(domain, dtype)
        for name, values in (
            ("output_scale", list(output_scale) or [1.0] * num_outputs),
            ("output_shift", list(output_shift) or [0.0] * num_outputs),
        ):
            self.register_buffer(name, torch.tensor(values, dtype=dtype))
        grids = np.stack(np.meshgrid(*[f.frequencies for f in axes], indexing="ij"))
        square = (grids**2).sum(0)
        inside = np.ones(square.shape, dtype=bool)
        self.is_full = is_full
        if not is_full:
            tops = np.array([f.frequencies[-1] for f in axes]).reshape(-1, *(1,) * len(axes))
            inside = ((grids / tops) ** 2).sum(0) <= 1 + 1e-9
        self.members = np.argwhere(inside)
        self.has_member = torch.as_tensor(inside)
        self.smoothing: Array = (1 + square[inside]) ** (-SMOOTHNESS / 2)
        layer = nn.Linear(len(self.members), num_outputs, dtype=dtype)
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
        self.layers = nn.ModuleList([layer])
        self.kept = KeptValues()

    @property
    def layer(self) -> nn.Linear:
        """The weights of the products, and a constant."""
        return self.linears[0]

    @property
    def is_shallow(self) -> bool:
        """A mean of bases of different resolutions is none of them."""
        return False

    @property
    def width_and_depth(self) -> tuple[int, int]:
        """The products stand for one hidden layer."""
        return len(self.members), 1

    def describe(self) -> dict[str, Any]:
        """Return the functions of each axis and the number of products."""
        return {
            "basis": [len(f.frequencies) for f in self.functions],
            "parameters": self.num_parameters,
        }

    def products(self, points: Tensor, orders: Orders) -> Tensor:
        """Return ∂^α of every product at points (N, axes): (N, M), in 1/(axis units)^|α|."""
        scale = torch.as_tensor(self.smoothing).to(points)
        return multiplied(self._along_axes(points, orders), self.members).mul_(scale)

    def combined(self, points: Tensor, orders: Orders, weights: Tensor) -> Tensor:
        """Return ∂^α of combinations of the products at points (N, axes), weights (M, K): (N, K).

        Along lines of points that have one place on the first axis, its functions are summed first.

        Cost: 2·N·M·K operations; on lines of R products of the other axes 2·N·R·K. The products
        themselves are formed for few points at a time.
        """
        axes, others = self._along_axes(points, orders), self._others
        scaled = weights * torch.as_tensor(self.smoothing).to(weights)[:, None]
        lines = scaled.new_zeros(axes[0].shape[1] * len(others.members), weights.shape[1])
        lines[self.members[:, 0] * len(others.members) + others.of_product] = scaled
        lines = lines.view(axes[0].shape[1], -1)
        found = scaled.new_empty(len(points), weights.shape[1])
        before: list[Tensor] = []
        for rows in _lines(points[:, (self.columns or [0])[0]]):
            if rows.step is None:
                found[rows] = multiplied([own[rows] for own in axes], self.members) @ scaled
                continue
            own = [values[rows] for values in axes[1:]]
            if not before or not all(map(torch.equal, own, before)):
                before, across = own, multiplied(own, others.members)
            along = (axes[0][rows.start] @ lines).view(len(others.members), -1)
            torch.mm(across, along, out=found[rows])
        return found

    @cached_property
    def _others(self) -> _Others:
        """The products of all axes but the first."""
        return _Others(*np.unique(self.members[:, 1:], axis=0, return_inverse=True))

    def _along_axes(self, points: Tensor, orders: Orders) -> list[Tensor]:
        """Return derivatives of the functions of each axis at the points, (N, m) each."""
        array = points.detach().cpu().numpy()
        own = list(self.columns or range(array.shape[1]))
        is_foreign = sum(orders) > sum(orders[k] for k in own)
        found = []
        for place, k in enumerate(own):
            low, high = float(self.low[place]), float(self.high[place])
            column = np.log(array[:, k]) if place in self.logarithmic else array[:, k]
            scaled = (2 * column - low - high) / (high - low)
            values = self.functions[place].values(scaled, orders[k])
            values = values * (0.0 if is_foreign else (2 / (high - low)) ** orders[k])
            found.append(torch.as_tensor(np.ascontiguousarray(values)).to(points))
        return found

    def propagate(self, channels: Channels) -> BasisTape:
        """Carry derivative channels to the fields: the products' derivatives times the weights."""
        points = channels.points
        inputs = [
            self.kept.of(points, orders, self.products) for orders in channels.plan.derivatives
        ]
        for terms in channels.operators:
            parts = (c * self.kept.of(points, orders, self.products) for orders, c in terms)
            inputs.append(reduce(torch.Tensor.add_, parts))
        stacked = torch.stack(inputs)
        outputs = stacked @ self.layer.weight.T
        outputs[0] += self.layer.bias
        outputs = outputs * self.output_scale
        outputs[0] += self.output_shift
        return BasisTape(outputs, stacked, self.output_scale)

    def forward(self, points: Tensor) -> Tensor:
        """Return the fields at the points: (N, axes) → (N, fields)."""
        output: Tensor = self.layer(self.products(points, (0,) * points.shape[1]))
        return output * self.output_scale + self.output_shift

    def fit_to(self, other: Network, points: Tensor) -> None:
        """Take over the values of another network at points (N, axes), by least squares."""
        with torch.no_grad():
            values = (other(points) - self.output_shift) / self.output_scale
            rows = self.products(points, (0,) * points.shape[1])
            found = torch.linalg.lstsq(rows, values, driver="gelsd").solution
            self.layer.weight.copy_(found.T)
            self.layer.bias.zero_()


@dataclass(frozen=True)
class _Others:
    """Products of the axes but the first: their members, and which of them every product has."""

    members: NDArray[np.int64]
    of_product: NDArray[np.int64]


def multiplied(axes: Sequence[Tensor], members: NDArray[np.int64]) -> Tensor:
    """Return products of functions of each axis, (N, m_a) each, by members (M, axes): (N, M).

    Members stand in lexical order; those that differ in the last axis alone are its first ones.
    """
    found = axes[0].new_empty(len(axes[0]), len(members))
    changes = np.flatnonzero((np.diff(members[:, :-1], axis=0) != 0).any(1)) + 1
    for begin, end in pairwise([0, *changes.tolist(), len(members)]):
        last = axes[-1][:, : end - begin]
        heads = [own[:, k, None] for own, k in zip(axes[:-1], members[begin], strict=False)]
        torch.mul(last, reduce(torch.mul, heads, last.new_ones(1)), out=found[:, begin:end])
    return found


def _lines(x: Tensor) -> list[slice]:
    """Return runs of points of one x (N,), with a step; where those are single, tiles without."""
    lengths = torch.unique_consecutive(x, return_counts=True)[1].tolist()
    if 2 * len(lengths) > len(x):
        return [slice(begin, begin + TILE) for begin in range(0, len(x), TILE)]
    ends = list(accumulate(lengths))
    return [slice(end - n, end, 1) for end, n in zip(ends, lengths, strict=True)]


@dataclass(frozen=True)
class BasisTape:
    """Outputs (C, N, fields) of a basis, its inputs (C, N, M) and the fields' sizes."""

    outputs: Tensor
    inputs: Tensor
    scale: Tensor

    def backward(self, adjoints: Tensor) -> list[LayerFactors]:
        """Return the factors of the one layer."""
        return [LayerFactors(adjoints * self.scale, self.inputs)]
