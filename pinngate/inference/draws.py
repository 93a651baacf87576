"""Draws from the posterior of an answer: fields at points and coefficients, jointly.

Beside `posterior`, whose covariance of weights w and raw coefficients c it draws from without ever
forming it. With directions D = U √Φ (orthogonal columns), transfer T and coefficient covariance C,

    δw = √(σ̂²/α) (I − U (I − √(I − Φ)) Uᵀ) z − T δc,    δc = C^{1/2} ζ,

z and ζ standard normal, has Cov(w, w) = σ̂²/α (I − D Dᵀ) + T C Tᵀ and Cov(w, c) = −T C; a field at
a point moves by g·δw with g its gradient. Where residuals are correlated, the moves of the sandwich
are added, and each value and coefficient is scaled to the standard deviation that the posterior
states of it, the larger of the two. Of a mean of networks, each draw comes from one of them, by
their shares.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pinngate.errors import InputError
from pinngate.inference.averaging import AveragedPosterior, Member
from pinngate.inference.posterior import MAX_TILE, Posterior
from pinngate.inference.uncertainty import Uncertainty
from pinngate.linear.jacobian import write_rows
from pinngate.model.channels import Plan, backward, forward
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network


@dataclass(frozen=True)
class Draws:
    """Joint draws about an answer.

    Attributes:
        outputs: what the network gives at the points, (draws, points, outputs).
        raw: the raw coefficients, (draws, K).
    """

    outputs: Tensor
    raw: Tensor


def draw(
    uncertainty: Uncertainty,
    network: Network,
    coefficients: Coefficients,
    points: Tensor,
    count: int,
    generator: torch.Generator,
) -> Draws:
    """Draw outputs at points and raw coefficients jointly.

    Args:
        uncertainty: of the answer.
        network: the answer, double precision.
        coefficients: the answer's, K of them.
        points: (N, axes), double precision.
        count: number of draws.
        generator: of the random numbers, on the CPU.

    Raises:
        InputError: the uncertainty is no posterior of weights.

    Cost: count·P·(m + N) operations for m directions and P weights; count·(P + N) numbers.
    """
    members = _members(uncertainty, network)
    shares = torch.tensor([member.share for member in members], dtype=torch.float64)
    chosen = torch.multinomial(shares, count, replacement=True, generator=generator)
    outputs = points.new_empty(count, len(points), network.num_outputs)
    raw = points.new_empty(count, coefficients.raw.numel())
    for k, member in enumerate(members):
        own = torch.nonzero(chosen == k)[:, 0].to(points.device)
        moves = _moves(member.posterior, len(own), generator)
        num_weights = len(member.posterior.directions)
        outputs[own] = _outputs(member, points, moves[:, :num_weights])
        ratio = _coefficient_ratios(member.posterior, coefficients)
        raw[own] = coefficients.raw.detach().double() + ratio * moves[:, num_weights:]
    return Draws(outputs, raw)


def coefficient_covariance(uncertainty: Uncertainty, coefficients: Coefficients) -> Tensor:
    """Return the joint covariance of the coefficients in their own units, (K, K).

    Its diagonal holds the squares of the stated standard deviations.

    Raises:
        InputError: the uncertainty is no posterior of weights.
    """
    if isinstance(uncertainty, AveragedPosterior):
        uncertainty = uncertainty.first
    joint = _raw_covariance(_checked(uncertainty))
    size = joint.diagonal().clamp_min(torch.finfo(joint.dtype).tiny).rsqrt()
    std = _stds(uncertainty, coefficients).to(joint)
    factors = coefficients.values_and_slopes()[1].to(joint).sign() * std * size
    return factors[:, None] * factors * joint


def field_gradients(network: Network, points: Tensor) -> Iterator[tuple[slice, int, Tensor]]:
    """Yield the gradients of an output over the weights, (n, P), at the points of a slice.

    Args:
        network: P weights.
        points: (N, axes).

    Cost: one propagation for each output; memory bounded by tiles of points.
    """
    zero = (0,) * points.shape[1]
    plan = Plan(tuple(str(k) for k in range(points.shape[1])), (zero,), (), (), {})
    tile = max(1, MAX_TILE // network.num_parameters)
    for start in range(0, len(points), tile):
        part = points[start : start + tile]
        propagation = forward(network, plan, part, {})
        for output in range(network.num_outputs):
            adjoints = torch.zeros_like(propagation.outputs)
            adjoints[0, :, output] = 1.0
            rows = part.new_empty(len(part), network.num_parameters)
            write_rows(network, backward(propagation, adjoints), rows)
            yield slice(start, start + len(part)), output, rows


def _members(uncertainty: Uncertainty, network: Network) -> list[Member]:
    if isinstance(uncertainty, AveragedPosterior):
        return uncertainty.members
    return [Member(network, 1.0, _checked(uncertainty))]


def _checked(uncertainty: Uncertainty) -> Posterior:
    if not isinstance(uncertainty, Posterior):
        raise InputError(
            f"draws come from a posterior of weights, not from {type(uncertainty).__name__}"
        )
    return uncertainty


def _moves(posterior: Posterior, count: int, generator: torch.Generator) -> Tensor:
    """Draw moves of weights and raw coefficients, (count, P + K), sandwich included."""
    directions, transfer = posterior.directions, posterior.transfer

    def normal(size: int) -> Tensor:
        drawn = torch.randn(count, size, generator=generator, dtype=torch.float64)
        return drawn.to(directions.device)

    squares = directions.square().sum(0)
    units = directions / squares.clamp_min(torch.finfo(squares.dtype).tiny).sqrt()
    z = normal(len(directions))
    taken = (z @ units) * (1 - (1 - squares).clamp_min(0).sqrt())
    weights = (posterior.variance / posterior.ridge) ** 0.5 * (z - taken @ units.T)
    values, vectors = torch.linalg.eigh(posterior.coefficient_covariance)
    raw = (normal(len(values)) * values.clamp_min(0).sqrt()) @ vectors.T
    moves = torch.cat([weights - raw @ transfer.T, raw], 1)
    if posterior.sandwich is not None:
        moves = moves + normal(len(posterior.sandwich)) @ posterior.sandwich
    return moves


def _outputs(member: Member, points: Tensor, moves: Tensor) -> Tensor:
    """Return the outputs at points under moves (count, P) of the weights, (count, N, outputs)."""
    with torch.no_grad():
        outputs = member.network(points).expand(len(moves), -1, -1).clone()
        for where, output, rows in field_gradients(member.network, points):
            ratio = _field_ratios(member.posterior, rows)
            outputs[:, where, output] += ratio * (moves @ rows.T)
    return outputs


def _field_ratios(posterior: Posterior, rows: Tensor) -> Tensor | float:
    """Return the stated standard deviations over those of the moves, (n,)."""
    if posterior.sandwich is None:
        return 1.0
    influence = (rows @ posterior.sandwich[:, : rows.shape[1]].T).square().sum(1)
    drawn = replace(posterior, sandwich=None).variance_of(rows) + influence
    return (posterior.variance_of(rows) / drawn).sqrt()


def _coefficient_ratios(posterior: Posterior, coefficients: Coefficients) -> Tensor | float:
    """Return the stated standard deviations of raw coefficients over those of the moves, (K,)."""
    if posterior.sandwich is None or not coefficients.names:
        return 1.0
    drawn = _raw_covariance(posterior).diagonal().sqrt()
    slopes = coefficients.values_and_slopes()[1].to(drawn).abs()
    ratio = _stds(posterior, coefficients).to(drawn) / (slopes * drawn)
    return torch.nan_to_num(ratio, nan=1.0, posinf=1.0)  # a slope of zero tells nothing


def _raw_covariance(posterior: Posterior) -> Tensor:
    """Return the covariance of the drawn moves of raw coefficients, (K, K)."""
    covariance = posterior.coefficient_covariance
    if posterior.sandwich is None or not len(covariance):
        return covariance
    own = posterior.sandwich[:, -len(covariance) :]
    return covariance + own.T @ own


def _stds(uncertainty: Uncertainty, coefficients: Coefficients) -> Tensor:
    """Return the stated standard deviations of the coefficients, (K,)."""
    stated = uncertainty.coefficients(coefficients)
    return torch.tensor([stated[name].std for name in coefficients.names], dtype=torch.float64)


__all__ = ["Draws", "coefficient_covariance", "draw", "field_gradients"]
