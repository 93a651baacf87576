"""Carry derivative channels through a network and their adjoints back.

Here is what every network has in common. `forward` evaluates the coefficients of collapsed
channels and lets each part of the network carry all channels in its own way: by hand through linear
layers (`layered`), by automatic differentiation where its inside is unknown
(`pinngate.model.own_network`). `backward` turns adjoints of the outputs into `LayerFactors`, from
which `pinngate.model.moments` and the Gauss–Newton solver take whatever they need of the per-point
gradient G_n = Σ_c d_nc a_ncᵀ: its sum, its second moment or its rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch
from torch import Tensor

from pinngate.expression import evaluate
from pinngate.model.channels.delayed import side_by_side, spread, with_earlier
from pinngate.model.channels.plan import Orders, Plan

if TYPE_CHECKING:
    from pinngate.model.networks import Network

Sum = list[tuple[Orders, float | Tensor]]
"""Σ c_α ∂^α as pairs (α, c_α); c_α is a number or (N, 1), one number for each point."""


class LayerFactors(NamedTuple):
    """Per-point gradient of one linear layer in factored form.

    For point n the weight gradient is Σ_c adjoints[c, n] inputs[c, n]ᵀ and the bias gradient is
    adjoints[0, n]. Shapes: adjoints (C, N, outputs), inputs (C, N, inputs). A layer without inputs
    is its bias alone: so does a gradient of P weights that is no product enter, with adjoints
    (1, N, P) and inputs (1, N, 0).
    """

    adjoints: Tensor
    inputs: Tensor


@dataclass(frozen=True)
class Channels:
    """What is to be carried: the plan at points (N, axes), its collapsed channels in numbers."""

    plan: Plan
    points: Tensor
    operators: list[Sum]


class Tape(Protocol):
    """One network's outputs (C, N, fields) and the way back to its weights."""

    @property
    def outputs(self) -> Tensor:
        """Channel c of every field, in physical units."""

    def backward(self, adjoints: Tensor) -> list[LayerFactors]:
        """Return the factors of every layer for adjoints (C, N, fields) of the outputs."""


@dataclass(frozen=True)
class Propagation:
    """The result of `forward`: outputs (C, N, fields) and the tape of each part of the network.

    The last `num_delays` channels are values at earlier places, at which the tapes are as well.
    """

    outputs: Tensor
    tapes: Sequence[Tape]
    num_delays: int = 0


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
    """
    with torch.no_grad():
        places = with_earlier(points, plan.delays, plan.start)
        columns = {axis: places[:, k] for k, axis in enumerate(plan.axes)}
        operators = _operators(plan, {**values, **columns})
        channels = Channels(plan, places, operators)
        tapes = [part.propagate(channels) for part in network.networks]
    outputs = [tape.outputs for tape in tapes]
    joined = outputs[0] if len(outputs) == 1 else torch.cat(outputs, 2)
    num_delays = len(plan.delays)
    return Propagation(side_by_side(joined, num_delays), tapes, num_delays)


def backward(propagation: Propagation, adjoints: Tensor) -> list[LayerFactors]:
    """Send adjoints of the outputs back through the network.

    Args:
        propagation: from `forward`.
        adjoints: (C, N, fields), the derivative of each point's own scalar with respect to the
            channels at that point.

    Returns:
        The factors of every layer, first to last.

    Cost: about twice that of `forward`.
    """
    factors: list[LayerFactors] = []
    begin = 0
    with torch.no_grad():
        spread_out = spread(adjoints, propagation.num_delays)
        for tape in propagation.tapes:
            size = tape.outputs.shape[2]
            factors += tape.backward(spread_out[:, :, begin : begin + size])
            begin += size
    return [folded(own, 1 + propagation.num_delays) for own in factors]


def folded(factors: LayerFactors, num_nodes: int) -> LayerFactors:
    """Return the factors of rows of several nodes: the nodes become channels of their row.

    The bias gradient is channel 0 alone, so its adjoints are summed there, and the other nodes
    carry their inputs' difference from the first: Σ_q d_q a_qᵀ = (Σ d_q) a_1ᵀ + Σ d_q (a_q − a_1)ᵀ.
    """
    if num_nodes == 1:
        return factors
    d, a = (
        t.unflatten(1, (-1, num_nodes)).transpose(1, 2) for t in (factors.adjoints, factors.inputs)
    )
    adjoints = [d[0].sum(0, keepdim=True), d[0, 1:], d[1:].flatten(0, 1)]
    inputs = [a[0, :1], a[0, 1:] - a[0, :1], a[1:].flatten(0, 1)]
    return LayerFactors(torch.cat(adjoints), torch.cat(inputs))


def _operators(plan: Plan, values: Mapping[str, float | Tensor]) -> list[Sum]:
    found = []
    for operator in plan.operators:
        terms: Sum = []
        for orders, expression in operator.terms:
            c = evaluate(expression, values, torch)
            terms.append((orders, c[:, None] if isinstance(c, Tensor) else c))
        found.append(terms)
    return found
