"""Residuals of all terms and their Jacobian over weights and coefficients, row by row.

Between the per-point derivatives of `pinngate.model.residuals` and the second-order solver: one
vector of parameters, one matrix. Equations and conditions come first, observations last; weights
first, unknown coefficients last.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network
from pinngate.model.residuals import Batch, ResidualModel

Batches = Mapping[str, Batch]
Rows = Mapping[str, slice]


def parameters(network: Network, coefficients: Coefficients) -> list[nn.Parameter]:
    """Return the parameters in the order of the Jacobian's columns."""
    return [*network.weights, coefficients.raw]


def flatten(network: Network, coefficients: Coefficients) -> Tensor:
    """Return all weights, then the raw coefficients, as one vector (P + K,)."""
    return torch.cat([p.detach().reshape(-1) for p in parameters(network, coefficients)])


def assign(network: Network, coefficients: Coefficients, theta: Tensor) -> None:
    """Write the vector of `flatten` back."""
    begin = 0
    with torch.no_grad():
        for p in parameters(network, coefficients):
            p.copy_(theta[begin : begin + p.numel()].view_as(p))
            begin += p.numel()


def row_slices(model: ResidualModel, batches: Batches) -> dict[str, slice]:
    """Return the rows of each term: equations, conditions, then all observations."""
    shared = next((t.name for t in model.terms if t.kind == "equation"), None)
    ordered = sorted(model.terms, key=lambda t: t.kind == "observation")
    slices, begin = {}, 0
    for term in ordered:
        name = shared if term.kind == "equation" and shared else term.name
        size = len(batches[name])
        slices[term.name] = slice(begin, begin + size)
        begin += size
    return slices


def jacobian(
    model: ResidualModel,
    network: Network,
    coefficients: Coefficients,
    batches: Batches,
    row_weights: Mapping[str, float],
) -> tuple[Tensor, Tensor, dict[str, slice]]:
    """Return weighted residuals and their derivatives.

    Args:
        model: the terms.
        network: the network, P weights.
        coefficients: K unknown coefficients.
        batches: points of every term.
        row_weights: factor on the rows of each term.

    Returns:
        J (N, P + K), r (N,) and the rows of each term; observations come last. Columns of held wave
        numbers are zero.

    Cost: one forward and one backward propagation for each equation, and N·P numbers.
    """
    slices = row_slices(model, batches)
    num_rows = max(s.stop for s in slices.values())
    num_columns = network.num_parameters + coefficients.raw.numel()
    jac = network.low.new_empty(num_rows, num_columns)
    r = network.low.new_empty(num_rows)
    for tile in model.sweep(network, coefficients, batches):
        for e, m, factors in tile.backward(
            lambda e: torch.full_like(e.residual, row_weights[e.term.name])
        ):
            begin = slices[e.term.name].start + e.start
            rows = slice(begin, begin + len(m))
            r[rows] = m * e.residual
            write_rows(network, factors, jac[rows])
            jac[rows, network.num_parameters :] = m[:, None] * e.by_coefficient
    return jac, r, slices


def write_rows(network: Network, factors: list[Any], out: Tensor) -> None:
    """Write each point's gradient over the weights into the rows of `out` (n, ≥ P)."""
    column = 0
    for k, (d, a) in enumerate(factors):
        num_points, outputs, inputs = d.shape[1], d.shape[2], a.shape[2]
        g = torch.bmm(d.permute(1, 2, 0), a.permute(1, 0, 2))
        g = network.hold_periodic(g, k)
        size = outputs * inputs
        out[:, column : column + size] = g.view(num_points, size)
        out[:, column + size : column + size + outputs] = d[0]
        column += size + outputs


def weighted_residuals(
    model: ResidualModel,
    network: Network,
    coefficients: Coefficients,
    batches: Batches,
    row_weights: Mapping[str, float],
) -> Tensor:
    """Return r (N,) alone, in the rows of `jacobian`."""
    slices = row_slices(model, batches)
    r = network.low.new_empty(max(s.stop for s in slices.values()))
    for tile in model.sweep(network, coefficients, batches):
        for e in tile.evaluations:
            begin = slices[e.term.name].start + e.start
            r[begin : begin + len(e.residual)] = row_weights[e.term.name] * e.residual
    return r
