"""Channels through the linear layers of a network and back, by hand.

All channels of all points go through a linear layer as one product (arXiv 2405.15603: a derivative
is one more row through the same weights). Forward keeps a tape; backward turns adjoints of the
outputs into the factors d, a of every layer's per-point gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from pinngate.model.channels.plan import partitions
from pinngate.model.channels.propagate import Channels, LayerFactors, Sum

if TYPE_CHECKING:
    from pinngate.model.networks import Network


def activation_derivatives(name: str, z: Tensor, order: int) -> list[Tensor]:
    """Return [σ(z), σ′(z), …, σ^(order)(z)] for ``tanh`` or ``sin``, order ≤ 5."""
    if name == "sin":
        sine, cosine = torch.sin(z), torch.cos(z)
        cycle = [sine, cosine, -sine, -cosine] if order > 1 else [sine, cosine]
        return [cycle[k % 4] for k in range(order + 1)]
    s = torch.tanh(z)
    derivatives = [s]
    if order >= 1:
        q = s * s
        first = 1 - q
        derivatives.append(first)
    if order >= 2:
        s_first = s * first
        derivatives.append(-2 * s_first)
    if order >= 3:
        derivatives.append(first * (6 * q - 2))
    if order >= 4:
        derivatives.append(s_first * (16 - 24 * q))
    if order >= 5:
        derivatives.append(first * (16 - 120 * q + 120 * q * q))
    return derivatives


class _Monomial(NamedTuple):
    """coefficient · Π z[channel]; the coefficient is a number or one number for each point."""

    coefficient: float | Tensor
    channels: tuple[int, ...]


@dataclass(frozen=True)
class LayeredTape:
    """The outputs (C, N, fields) of one network and what backward needs of it."""

    outputs: Tensor
    network: Network
    inputs: list[Tensor]
    sigmas: list[list[Tensor]]
    preactivations: list[Tensor]
    rules: list[dict[int, list[_Monomial]]]

    def backward(self, adjoints: Tensor) -> list[LayerFactors]:
        """Return the factors of every linear layer, first to last. Cost: twice a forward pass."""
        network = self.network
        d = adjoints * network.output_scale
        num_channels, num_points = d.shape[:2]
        factors = [LayerFactors(d, self.inputs[-1])]
        for k in range(len(network.linears) - 2, -1, -1):
            above = network.linears[k + 1]
            upper = (d.view(num_channels * num_points, -1) @ above.weight).view(
                num_channels, num_points, -1
            )
            d = _activation_backward(upper, self.sigmas[k], self.preactivations[k], self.rules)
            factors.append(LayerFactors(d, self.inputs[k]))
        return factors[::-1]


def propagate_layers(network: Network, channels: Channels) -> LayeredTape:
    """Propagate every channel through the linear layers.

    Cost: C products of N rows a layer, C·N·width numbers a layer kept for backward.
    """
    a = torch.stack(_inputs(network, channels))
    rules = _rules(channels)
    num_channels, num_points = a.shape[:2]
    inputs, sigmas, preactivations = [], [], []
    for layer, activation in zip(network.linears[:-1], network.activations, strict=True):
        inputs.append(a)
        z = (a.view(num_channels * num_points, -1) @ layer.weight.T).view(
            num_channels, num_points, -1
        )
        z[0] += layer.bias
        sigma = activation_derivatives(activation, z[0], channels.plan.order + 1)
        a = torch.empty_like(z)
        a[0] = sigma[0]
        for c in range(1, num_channels):
            torch.mul(sigma[1], z[c], out=a[c])
            for k, monomials in rules[c].items():
                a[c].addcmul_(sigma[k], _polynomial(monomials, z))
        sigmas.append(sigma)
        preactivations.append(z)
    inputs.append(a)
    last = network.linears[-1]
    out = (a.view(num_channels * num_points, -1) @ last.weight.T).view(num_channels, num_points, -1)
    out[0] += last.bias
    out = out * network.output_scale
    out[0] += network.output_shift
    return LayeredTape(out, network, inputs, sigmas, preactivations, rules)


def _inputs(network: Network, channels: Channels) -> list[Tensor]:
    points = channels.points
    plain = [network.input_derivative(points, orders) for orders in channels.plan.derivatives]
    collapsed = []
    for terms in channels.operators:
        total = torch.zeros_like(plain[0])
        for orders, c in terms:
            total = total + c * network.input_derivative(points, orders)
        collapsed.append(total)
    return plain + collapsed


def _activation_backward(
    upper: Tensor,
    sigma: list[Tensor],
    z: Tensor,
    rules: list[dict[int, list[_Monomial]]],
) -> Tensor:
    d = upper * sigma[1]
    centre = d[0]
    for c in range(1, upper.shape[0]):
        weighted = upper[c] * sigma[2]
        centre.addcmul_(weighted, z[c])
        for k, monomials in rules[c].items():
            outer = upper[c] * sigma[k]
            centre.addcmul_(upper[c] * sigma[k + 1], _polynomial(monomials, z))
            for monomial in monomials:
                for b in set(monomial.channels):
                    d[b].addcmul_(outer, _monomial_derivative(monomial, b, z))
    return d


def _polynomial(monomials: list[_Monomial], z: Tensor) -> Tensor:
    total: Tensor | None = None
    for coefficient, channels in monomials:
        product = z[channels[0]] * z[channels[1]]
        for channel in channels[2:]:
            product *= z[channel]
        if isinstance(coefficient, Tensor) or coefficient != 1.0:
            product *= coefficient
        total = product if total is None else total.add_(product)
    if total is None:
        raise AssertionError("a rule has at least one monomial")
    return total


def _monomial_derivative(monomial: _Monomial, channel: int, z: Tensor) -> Tensor:
    power = monomial.channels.count(channel)
    rest = list(monomial.channels)
    rest.remove(channel)
    product = z[rest[0]] * (monomial.coefficient * power)
    for other in rest[1:]:
        product *= z[other]
    return product


def _rules(channels: Channels) -> list[dict[int, list[_Monomial]]]:
    """Return for each channel: number of blocks k ≥ 2 → the monomials that multiply σ^(k)."""
    derivatives = channels.plan.derivatives
    index = {orders: c for c, orders in enumerate(derivatives)}
    sums: list[Sum] = [[(orders, 1.0)] for orders in derivatives]
    sums += channels.operators
    rules = []
    for terms in sums:
        rule: dict[int, list[_Monomial]] = {}
        for orders, c in terms:
            for blocks, multiplicity in partitions(orders).items():
                if len(blocks) >= 2:
                    places = tuple(index[block] for block in blocks)
                    rule.setdefault(len(blocks), []).append(_Monomial(c * multiplicity, places))
        rules.append(rule)
    return rules
