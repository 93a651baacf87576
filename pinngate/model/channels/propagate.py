"""Carry derivative channels through a network and their adjoints back, without autograd.

All channels of all points go through a linear layer as one product (arXiv 2405.15603: a derivative
is one more row through the same weights). Forward keeps a tape; backward turns adjoints of the
outputs into `LayerFactors`, from which `pinngate.model.moments` and the Gauss–Newton solver take
whatever they need of the per-point gradient G_n = Σ_c d_nc a_ncᵀ: its sum, its second moment or
its rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from pinngate.expression import evaluate
from pinngate.model.channels.plan import Plan, partitions
from pinngate.model.networks import JointNetwork, Network, activation_derivatives


class LayerFactors(NamedTuple):
    """Per-point gradient of one linear layer in factored form.

    For point n the weight gradient is Σ_c adjoints[c, n] inputs[c, n]ᵀ and the bias gradient is
    adjoints[0, n]. Shapes: adjoints (C, N, outputs), inputs (C, N, inputs).
    """

    adjoints: Tensor
    inputs: Tensor


class _Monomial(NamedTuple):
    """coefficient · Π z[channel]; the coefficient is a number or one number for each point."""

    coefficient: float | Tensor
    channels: tuple[int, ...]


@dataclass(frozen=True)
class Propagation:
    """The result of `forward`: outputs (C, N, fields) and what backward needs of each network."""

    outputs: Tensor
    tapes: list[_Tape]


@dataclass(frozen=True)
class _Tape:
    """What backward needs of one network."""

    network: Network
    inputs: list[Tensor]
    sigmas: list[list[Tensor]]
    preactivations: list[Tensor]
    rules: list[dict[int, list[_Monomial]]]


def forward(
    network: Network, plan: Plan, points: Tensor, values: Mapping[str, float | Tensor]
) -> Propagation:
    """Propagate every channel of the plan from the points to the fields.

    Args:
        network: any `Network`; its parameters are read, never recorded by autograd.
        plan: which channels.
        points: (N, axes).
        values: numbers for the constants that collapsed coefficients name.

    Returns:
        A `Propagation` whose outputs (C, N, fields) hold channel c of every field, in physical
        units.

    Cost: C products of N rows a layer, C·N·width numbers a layer kept for backward.
    """
    with torch.no_grad():
        columns = {axis: points[:, k] for k, axis in enumerate(plan.axes)}
        coefficients = _operator_coefficients(plan, {**values, **columns})
        rules = _rules(plan, coefficients)
        parts = network.networks if isinstance(network, JointNetwork) else [network]
        found = [_forward(part, plan, points, coefficients, rules) for part in parts]
    outputs = [out for out, _ in found]
    joined = outputs[0] if len(outputs) == 1 else torch.cat(outputs, 2)
    return Propagation(joined, [tape for _, tape in found])


def _forward(
    network: Network,
    plan: Plan,
    points: Tensor,
    coefficients: list[list[tuple[tuple[int, ...], float | Tensor]]],
    rules: list[dict[int, list[_Monomial]]],
) -> tuple[Tensor, _Tape]:
    plain = [network.input_derivative(points, orders) for orders in plan.derivatives]
    collapsed = []
    for terms in coefficients:
        total = torch.zeros_like(plain[0])
        for orders, c in terms:
            total = total + c * network.input_derivative(points, orders)
        collapsed.append(total)
    a = torch.stack(plain + collapsed)
    num_channels, num_points = a.shape[:2]
    inputs, sigmas, preactivations = [], [], []
    for layer, activation in zip(network.linears[:-1], network.activations, strict=True):
        inputs.append(a)
        z = (a.view(num_channels * num_points, -1) @ layer.weight.T).view(
            num_channels, num_points, -1
        )
        z[0] += layer.bias
        sigma = activation_derivatives(activation, z[0], plan.order + 1)
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
    return out, _Tape(network, inputs, sigmas, preactivations, rules)


def backward(propagation: Propagation, adjoints: Tensor) -> list[LayerFactors]:
    """Send adjoints of the outputs back through the network.

    Args:
        propagation: from `forward`.
        adjoints: (C, N, fields), the derivative of each point's own scalar with respect to the
            channels at that point.

    Returns:
        The factors of every linear layer, first to last.

    Cost: about twice that of `forward`.
    """
    factors: list[LayerFactors] = []
    begin = 0
    with torch.no_grad():
        for tape in propagation.tapes:
            size = len(tape.network.output_scale)
            factors += _backward(tape, adjoints[:, :, begin : begin + size])
            begin += size
    return factors


def _backward(tape: _Tape, adjoints: Tensor) -> list[LayerFactors]:
    network = tape.network
    d = adjoints * network.output_scale
    num_channels, num_points = d.shape[:2]
    factors = [LayerFactors(d, tape.inputs[-1])]
    for k in range(len(network.linears) - 2, -1, -1):
        above = network.linears[k + 1]
        upper = (d.view(num_channels * num_points, -1) @ above.weight).view(
            num_channels, num_points, -1
        )
        d = _activation_backward(upper, tape.sigmas[k], tape.preactivations[k], tape.rules)
        factors.append(LayerFactors(d, tape.inputs[k]))
    return factors[::-1]


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


def _operator_coefficients(
    plan: Plan, values: Mapping[str, float | Tensor]
) -> list[list[tuple[tuple[int, ...], float | Tensor]]]:
    found = []
    for operator in plan.operators:
        terms = []
        for orders, expression in operator.terms:
            c = evaluate(expression, values, torch)
            terms.append((orders, c[:, None] if isinstance(c, Tensor) else c))
        found.append(terms)
    return found


def _rules(
    plan: Plan, coefficients: list[list[tuple[tuple[int, ...], float | Tensor]]]
) -> list[dict[int, list[_Monomial]]]:
    """Return for each channel: number of blocks k ≥ 2 → the monomials that multiply σ^(k)."""
    index = {orders: c for c, orders in enumerate(plan.derivatives)}
    sums: list[list[tuple[tuple[int, ...], float | Tensor]]]
    sums = [[(orders, 1.0)] for orders in plan.derivatives]
    sums += coefficients
    rules = []
    for terms in sums:
        rule: dict[int, list[_Monomial]] = {}
        for orders, c in terms:
            for blocks, multiplicity in partitions(orders).items():
                if len(blocks) >= 2:
                    channels = tuple(index[block] for block in blocks)
                    rule.setdefault(len(blocks), []).append(_Monomial(c * multiplicity, channels))
        rules.append(rule)
    return rules
