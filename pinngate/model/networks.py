"""Fully connected networks and what surrounds them: input scaling, features, output scaling.

A network maps points (N, axes) to fields (N, unknowns). Axes are scaled to [−1, 1]. The first layer
may be a sine layer of stated bandwidth (random Fourier features that are trained, Tancik et al.
2020, arXiv 2006.10739). It always is where an axis is periodic: that axis then has whole wave
numbers as its weights, which are held fixed and make the fields exactly periodic. Outputs are
scaled and shifted to the size of the data. Derivatives are not taken here:
`pinngate.model.channels` propagates them through the same weights.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor, nn

from pinngate.model.channels.layered import propagate_layers
from pinngate.model.channels.propagate import Channels, Tape
from pinngate.statement.axis_bounds import Bounds, logarithmic_columns, search_ends
from pinngate.statement.options import NetworkOptions

PERIODIC_BANDWIDTH = 2.0  # standard deviation of the wave numbers drawn for a periodic axis


class Network(nn.Module):
    """A fully connected network on a box.

    Args:
        domain: (low, high) of each axis, in the order of the points' columns; one of
            `LogBounds` is seen through its logarithm, and derivatives along it are those along
            that.
        num_outputs: number of fields.
        options: width, depth, activation, bandwidth of a sine first layer.
        columns: which columns of the points these axes are; all by default.
        is_periodic: for each axis, whether the fields repeat after high − low.
        output_scale: size of each field; the last layer's output is multiplied by it.
        output_shift: centre of each field, added after scaling.
        generator: source of the random initial weights (Glorot normal; a sine first layer has
            normal weights of the stated bandwidth and uniform phases).
    """

    low: Tensor
    high: Tensor
    output_scale: Tensor
    output_shift: Tensor

    def __init__(
        self,
        domain: Sequence[tuple[float, float]],
        num_outputs: int,
        options: NetworkOptions,
        *,
        columns: Sequence[int] | None = None,
        is_periodic: Sequence[bool] = (),
        output_scale: Sequence[float] = (),
        output_shift: Sequence[float] = (),
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        self.options = options
        self.columns = None if columns is None else list(columns)
        self.is_periodic = tuple(is_periodic) or (False,) * len(domain)
        self._hold_axes(domain, dtype)
        scale = list(output_scale) or [1.0] * num_outputs
        shift = list(output_shift) or [0.0] * num_outputs
        self.register_buffer("output_scale", torch.tensor(scale, dtype=dtype))
        self.register_buffer("output_shift", torch.tensor(shift, dtype=dtype))

        widths = [len(domain)] + [options.width] * options.depth + [num_outputs]
        self.layers = nn.ModuleList(
            nn.Linear(a, b, dtype=dtype) for a, b in itertools.pairwise(widths)
        )
        self.activations = [options.activation] * options.depth
        if options.features is not None or any(self.is_periodic):
            self.activations[0] = "sin"
        self._initialise(generator)

    def _hold_axes(self, domain: Sequence[Bounds], dtype: torch.dtype) -> None:
        """Note the ends of every axis in its search coordinate."""
        ends = [search_ends(bounds) for bounds in domain]
        self.logarithmic = logarithmic_columns(domain)
        self.register_buffer("low", torch.tensor([low for low, _ in ends], dtype=dtype))
        self.register_buffer("high", torch.tensor([high for _, high in ends], dtype=dtype))

    def searched(self, points: Tensor) -> Tensor:
        """Return points (N, axes) in search coordinates, the logarithm on some axes."""
        if not self.logarithmic:
            return points
        found = points.clone()
        found[:, self.logarithmic] = points[:, self.logarithmic].log()
        return found

    @torch.no_grad()
    def _initialise(self, generator: torch.Generator | None) -> None:
        for layer in self.linears:
            nn.init.xavier_normal_(layer.weight, generator=generator)
            layer.bias.zero_()
        if self.options.features is None and not any(self.is_periodic):
            return
        first = self.linears[0]
        first.weight.normal_(0.0, self.options.features or 1.0, generator=generator)
        first.bias.uniform_(0.0, 2 * math.pi, generator=generator)
        for k in (k for k, is_held in enumerate(self.is_periodic) if is_held):
            numbers = torch.randn(len(first.weight), generator=generator, dtype=first.weight.dtype)
            first.weight[:, k] = math.pi * torch.round(PERIODIC_BANDWIDTH * numbers)

    @property
    def networks(self) -> list[Network]:
        """The networks that stand side by side in it: itself."""
        return [self]

    @property
    def linears(self) -> list[nn.Linear]:
        """The linear layers, first to last."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]

    @property
    def weights(self) -> list[nn.Parameter]:
        """What is trained, in the order of the Jacobian's columns."""
        found: list[Any] = [p for layer in self.linears for p in (layer.weight, layer.bias)]
        return found

    @property
    def layer_shapes(self) -> list[tuple[int, int]]:
        """(outputs, inputs) of each of the `LayerFactors` that `backward` returns."""
        return [(layer.out_features, layer.in_features) for layer in self.linears]

    @property
    def first_layers(self) -> list[int]:
        """Indices in `linears` of the layers that see the axes."""
        return [0]

    @property
    def num_outputs(self) -> int:
        """Number of fields."""
        return len(self.output_scale)

    @property
    def num_parameters(self) -> int:
        """Number of weights and biases."""
        return sum(p.numel() for p in self.weights)

    @property
    def is_shallow(self) -> bool:
        """Whether it has one hidden layer: smooth by its few units, and a mean of such is one."""
        return self.options.depth == 1

    @property
    def width_and_depth(self) -> tuple[int, int]:
        """Size of the hidden layers, from which memory is foreseen."""
        return self.options.width, self.options.depth

    def describe(self) -> dict[str, Any]:
        """Return what `metrics.json` says of it."""
        return asdict(self.options)

    def input_derivative(self, points: Tensor, orders: Sequence[int]) -> Tensor:
        """Return ∂^α of the scaled axes at the points, (N, axes), in 1/(axis units)^|α|."""
        if self.columns is not None:
            is_foreign = sum(orders) > sum(orders[k] for k in self.columns)
            points, orders = points[:, self.columns], [orders[k] for k in self.columns]
            if is_foreign:
                return torch.zeros_like(points)
        if not any(orders):
            return (2 * self.searched(points) - self.low - self.high) / (self.high - self.low)
        derivative = torch.zeros_like(points)
        if sum(orders) == 1:
            axis = list(orders).index(1)
            derivative[:, axis] = 2 / (self.high[axis] - self.low[axis])
        return derivative

    @property
    def unit(self) -> float:
        """Size of the fields, the root mean square of their scales."""
        return float(self.output_scale.square().mean().sqrt())

    def hold_periodic(self, gradient: Tensor, layer: int = 0) -> Tensor:
        """Return the gradient of a layer's weight with the held wave numbers' part zero.

        Acts on the last axis, (…, inputs), so it serves means, variances and rows alike.
        """
        if layer > 0 or not any(self.is_periodic):
            return gradient
        free = torch.tensor([not p for p in self.is_periodic], device=gradient.device)
        return gradient * free.to(gradient.dtype)

    def as_weights(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """Return gradients of every layer's weight and bias as ones of `weights`.

        Those of held wave numbers are zero.
        """
        held = list(gradients)
        for k in range(0, len(held), 2):
            held[k] = self.hold_periodic(held[k], k // 2)
        return held

    def propagate(self, channels: Channels) -> Tape:
        """Carry derivative channels to the fields; see `pinngate.model.channels.forward`."""
        return propagate_layers(self, channels)

    def forward(self, points: Tensor) -> Tensor:
        """Return the fields at the points: (N, axes) → (N, fields)."""
        a = self.input_derivative(points, (0,) * points.shape[1])
        for layer, activation in zip(self.linears[:-1], self.activations, strict=True):
            z = layer(a)
            a = torch.sin(z) if activation == "sin" else torch.tanh(z)
        output: Tensor = self.linears[-1](a)
        return output * self.output_scale + self.output_shift


class JointNetwork(Network):
    """Networks side by side at the same points: the fields', and one for each coefficient field.

    To everything that propagates channels or takes gradients it is one network whose layers are
    those of its parts in turn; no weight joins two parts.

    Args:
        parts: the first one gives the fields and has all axes.
    """

    def __init__(self, parts: Sequence[Network]) -> None:
        nn.Module.__init__(self)
        self.parts = nn.ModuleList(parts)
        self.is_periodic, self.logarithmic = parts[0].is_periodic, parts[0].logarithmic
        self.register_buffer("low", parts[0].low)
        self.register_buffer("high", parts[0].high)

    @property
    def networks(self) -> list[Network]:
        """The parts."""
        return [part for part in self.parts if isinstance(part, Network)]

    @property
    def linears(self) -> list[nn.Linear]:
        """The linear layers of the parts, one part after the other."""
        return [layer for part in self.networks for layer in part.linears]

    @property
    def weights(self) -> list[nn.Parameter]:
        """The weights of the parts, one part after the other."""
        return [weight for part in self.networks for weight in part.weights]

    @property
    def layer_shapes(self) -> list[tuple[int, int]]:
        """Shapes of the layers of the parts, one part after the other."""
        return [shape for part in self.networks for shape in part.layer_shapes]

    @property
    def first_layers(self) -> list[int]:
        """Indices of the layers that see the axes, one for each part."""
        sizes = [len(part.layer_shapes) for part in self.networks]
        return [sum(sizes[:k]) for k in range(len(sizes))]

    @property
    def num_outputs(self) -> int:
        """Number of fields and coefficient fields."""
        return sum(part.num_outputs for part in self.networks)

    @property
    def output_scale(self) -> Tensor:  # type: ignore[override]
        """Size of every output."""
        return torch.cat([part.output_scale for part in self.networks])

    @property
    def unit(self) -> float:
        """Size of the fields alone."""
        return self.networks[0].unit

    @property
    def is_shallow(self) -> bool:
        """As of the fields' network."""
        return self.networks[0].is_shallow

    @property
    def width_and_depth(self) -> tuple[int, int]:
        """As of the fields' network."""
        return self.networks[0].width_and_depth

    def describe(self) -> dict[str, Any]:
        """Return what `metrics.json` says of the fields' network."""
        return self.networks[0].describe()

    def hold_periodic(self, gradient: Tensor, layer: int = 0) -> Tensor:
        """As of a single network; `layer` counts through all parts."""
        for part in self.networks:
            if layer < len(part.layer_shapes):
                return part.hold_periodic(gradient, layer)
            layer -= len(part.layer_shapes)
        raise IndexError(layer)

    def as_weights(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """As of a single network, part by part."""
        found, begin = [], 0
        for part in self.networks:
            size = 2 * len(part.layer_shapes)
            found += part.as_weights(gradients[begin : begin + size])
            begin += size
        return found

    def forward(self, points: Tensor) -> Tensor:
        """Return the outputs of all parts at the points: (N, axes) → (N, outputs)."""
        return torch.cat([part(points) for part in self.networks], 1)


def averaged(networks: Sequence[Network], shares: Sequence[float]) -> Network:
    """Return the mean Σ w_k u_k of networks of one hidden layer as one such network.

    Args:
        networks: of the same axes and fields; their hidden units stand side by side in the result.
        shares: w, one for each.
    """
    mean = copy.deepcopy(networks[0])
    hidden, last = mean.linears
    width = sum(network.options.width for network in networks)
    mean.options = replace(mean.options, width=width)
    pairs = [network.linears for network in networks]
    weighted = list(zip(pairs, shares, strict=True))
    hidden.weight = nn.Parameter(torch.cat([first.weight.detach() for first, _ in pairs]))
    hidden.bias = nn.Parameter(torch.cat([first.bias.detach() for first, _ in pairs]))
    last.weight = nn.Parameter(torch.cat([w * out.weight.detach() for (_, out), w in weighted], 1))
    last.bias = nn.Parameter(
        torch.stack([w * out.bias.detach() for (_, out), w in weighted]).sum(0)
    )
    hidden.out_features = last.in_features = width
    return mean
