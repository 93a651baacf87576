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
from pinngate.model.residuals import Piece, ResidualModel
from pinngate.model.row_weights import RowWeights
from pinngate.model.terms import Batch
from pinngate.parallel.ranks import ranks

Batches = Mapping[str, Batch]


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


def row_weights(model: ResidualModel, batches: Batches, by_term: Mapping[str, float]) -> RowWeights:
    """Return the weights of the rows: equations, conditions, priors, then all observations.

    Args:
        model: the terms.
        batches: points of every term.
        by_term: weight of each term.
    """
    shared = next((t.name for t in model.terms if t.kind == "equation"), None)
    ordered = sorted(model.terms, key=lambda t: t.kind == "observation")
    slices, begin = {}, 0
    for term in ordered:
        name = shared if term.kind == "equation" and shared else term.name
        size = len(batches[name])
        slices[term.name] = slice(begin, begin + size)
        begin += size
    observed = [t.name for t in ordered if t.kind == "observation"]
    return RowWeights(slices, by_term, observed)


def jacobian(
    model: ResidualModel,
    network: Network,
    coefficients: Coefficients,
    batches: Batches,
    weights: RowWeights,
) -> tuple[Tensor, Tensor]:
    """Return residuals and their derivatives, with the weights of their terms.

    Args:
        model: the terms.
        network: the network, P weights.
        coefficients: K unknown coefficients.
        batches: points of every term.
        weights: of the rows; roots of the noise are not applied.

    Returns:
        J (N, P + K) and r (N,); observations come last. Columns of held wave numbers are zero.

    Cost: one forward and one backward propagation for each equation, and N·P numbers.
    """
    num_columns = network.num_parameters + coefficients.raw.numel()
    jac = network.low.new_empty(weights.num_rows, num_columns)
    r = network.low.new_empty(weights.num_rows)
    for tile in model.sweep(network, coefficients, batches):
        for e, m, factors in tile.backward(
            lambda e: torch.full_like(e.residual, weights.by_term[e.term.name])
        ):
            begin = weights.slices[e.term.name].start + e.start
            rows = slice(begin, begin + len(m))
            r[rows] = m * e.residual
            write_rows(network, factors, jac[rows])
            jac[rows, network.num_parameters :] = m[:, None] * e.by_coefficient
    return jac, r


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
    weights: RowWeights,
) -> Tensor:
    """Return r (N,) alone, in the rows of `jacobian`."""
    r = network.low.new_zeros(weights.num_rows)
    evaluated = model.evaluator(network, coefficients)

    def fill(piece: Piece) -> None:
        for e in evaluated(piece).evaluations:
            begin = weights.slices[e.term.name].start + e.start
            r[begin : begin + len(e.residual)] = weights.by_term[e.term.name] * e.residual

    ranks().filled(list(model.pieces(batches)), [r], fill)
    return r
