"""Mean and variance of per-point gradients, without ever storing one gradient for each point.

Every term is a sample of n points; point n contributes g_n to the gradient. `TermMoments` holds
mean and (biased) variance σ² over the points, and `stratified` joins terms into the mean and the
variance of the mean of the weighted loss, Σ_t w_t² σ_t²/(n_t − 1). Four ways lead to the same
numbers: ``loop`` and ``vmap`` write every g_n down and are there to check the others; ``pairs``
uses Σ_n g_n² = Σ_{c≤c'} (2−δ)(d_c∘d_c')ᵀ(a_c∘a_c'), exact at C(C+1)/2 products a layer; ``grouped``
takes the sample variance of sums over random groups of points, unbiased with relative standard
deviation √(2/(groups−1)) at a few percent of the cost of a step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from pinngate.model.channels.propagate import LayerFactors
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network
from pinngate.model.residuals import Piece, ResidualModel
from pinngate.model.terms import TILE, Batch
from pinngate.model.tiles import Tile
from pinngate.parallel.ranks import ranks

Mode = Literal["loop", "vmap", "pairs", "grouped"]
NUM_GROUPS = 32  # 25 % relative standard deviation a step, 2 % after averaging with rho = 0.99


@dataclass(frozen=True)
class TermMoments:
    """Statistics of one term.

    `mean` and `variance` are lists of tensors shaped like the parameters (weight and bias of each
    layer, then the raw coefficients); `loss` is mean(r²); `num_points` is n. `variance` is None
    where none was asked for.
    """

    mean: list[Tensor]
    variance: list[Tensor] | None
    loss: Tensor
    num_points: int


def point_gradients(factors: LayerFactors) -> tuple[Tensor, Tensor]:
    """Return every point's gradient of one layer, (N, outputs, inputs) and (N, outputs).

    Cost: N·P numbers. This is the Jacobian's rows where the factors were made with multiplier 1.
    """
    d, a = factors
    return torch.einsum("cno,cni->noi", d, a), d[0]


Basis = tuple[Tensor, Tensor]
"""Of one layer's weight gradient G: orthogonal U (outputs, outputs) and V (inputs, inputs)."""


def gradient_moments(
    model: ResidualModel,
    network: Network,
    coefficients: Coefficients,
    batches: Mapping[str, Batch],
    mode: Mode | None,
    *,
    bases: Sequence[Basis | None] | None = None,
    num_groups: int = NUM_GROUPS,
    tile: int = TILE,
) -> dict[str, TermMoments]:
    """Return mean and variance of the gradient of r² for every term.

    Args:
        model: the terms.
        network: the network.
        coefficients: the unknown coefficients.
        batches: points of every term. For ``grouped`` their order must be random.
        mode: how, or None for the mean alone.
        bases: of every layer, None for one as it is: the moments are then those of Uᵀ G V, and of
            Uᵀ g for the bias. Exact for every mode: the factors d, a of G_n become Uᵀ d, Vᵀ a; the
            sums of groups are turned themselves, which is less.
        num_groups: groups in a tile, for ``grouped``.
        tile: most points held at once.
    """
    pieces = list(model.pieces(batches, tile))
    evaluated = model.evaluator(network, coefficients)
    sums = _Sums(model, network, coefficients, mode, num_groups, bases)
    (found,) = ranks().summed(pieces, lambda piece: [sums.of(evaluated(piece))])
    end = 2 * len(network.layer_shapes)
    results = sums.results(found, pieces)
    for moments in results.values():
        for held in filter(None, (moments.mean, moments.variance)):
            held[:end] = network.as_weights(held[:end])
    return results


def _rotated(factors: LayerFactors, basis: Basis | None) -> LayerFactors:
    if basis is None:
        return factors
    left, right = basis
    return LayerFactors(factors.adjoints @ left, factors.inputs @ right)


class _Sums:
    """Sums over the points of a tile: a row of Σg, Σg² or its like, and Σr² for each term.

    Args: as of `gradient_moments`.
    """

    def __init__(
        self,
        model: ResidualModel,
        network: Network,
        coefficients: Coefficients,
        mode: Mode | None,
        num_groups: int,
        bases: Sequence[Basis | None] | None,
    ) -> None:
        self.mode, self.num_groups = mode, num_groups
        self.bases = bases or [None] * len(network.layer_shapes)
        self.places = {term.name: k for k, term in enumerate(model.terms)}
        layers = [shape for o, i in network.layer_shapes for shape in ((o, i), (o,))]
        self.shapes: list[tuple[int, ...]] = [*layers, (coefficients.raw.numel(),)]
        self.sizes = [math.prod(shape) for shape in self.shapes]

    def of(self, part: Tile) -> Tensor:
        """Return the sums of a tile, (terms, numbers); those of absent terms are zero."""
        width = sum(self.sizes) * (1 if self.mode is None else 2) + 1
        sums = part.evaluations[0].residual.new_zeros(len(self.places), width)
        for evaluation, m, factors in part.backward(lambda e: 2 * e.residual):
            first: list[Tensor] = []
            second: list[Tensor] = []
            groups = _group_sizes(len(evaluation.residual), self.num_groups)
            for layer, basis in zip(factors, self.bases, strict=True):
                if self.mode == "grouped":
                    _add_grouped(_grouped_sums(layer, groups, basis), groups, first, second)
                else:
                    self._layer(_rotated(layer, basis), first, second)
            by_coefficient = m[:, None] * evaluation.by_coefficient
            first.append(by_coefficient.sum(0))
            if self.mode is not None:
                second.append(self._coefficient_squares(by_coefficient, groups))
            loss = evaluation.residual.square().sum()
            numbers = [found.reshape(-1) for found in (*first, *second, loss)]
            torch.cat(numbers, out=sums[self.places[evaluation.term.name]])
        return sums

    def _layer(self, layer: LayerFactors, first: list[Tensor], second: list[Tensor]) -> None:
        d, a = layer
        first += [d.flatten(0, 1).T @ a.flatten(0, 1), d[0].sum(0)]
        if self.mode == "pairs":
            second += [_pair_products(d, a), d[0].square().sum(0)]
        elif self.mode == "vmap":
            weight = torch.vmap(lambda d_n, a_n: d_n.T @ a_n, in_dims=(1, 1))(d, a)
            second += [weight.square().sum(0), d[0].square().sum(0)]
        elif self.mode == "loop":
            weight_square = d.new_zeros(d.shape[2], a.shape[2])
            bias_square = d.new_zeros(d.shape[2])
            for n in range(d.shape[1]):
                weight_square += (d[:, n].T @ a[:, n]) ** 2
                bias_square += d[0, n] ** 2
            second += [weight_square, bias_square]

    def _coefficient_squares(self, by_coefficient: Tensor, groups: list[int]) -> Tensor:
        if self.mode != "grouped" or by_coefficient.shape[1] == 0:
            return by_coefficient.square().sum(0)
        parts = [p.sum(0) ** 2 / p.shape[0] for p in torch.split(by_coefficient, groups)]
        return torch.stack(parts).sum(0)

    def results(self, sums: Tensor, pieces: Sequence[Piece]) -> dict[str, TermMoments]:
        """Return the statistics of every term that has points, from the sums of all tiles."""
        counts: dict[str, tuple[int, int]] = {}
        for segment in (s for _, segments, _ in pieces for s in segments):
            points, groups = counts.get(segment.term.name, (0, 0))
            size = len(segment.batch)
            added = len(_group_sizes(size, self.num_groups))
            counts[segment.term.name] = points + size, groups + added
        return {name: self._moments(sums[self.places[name]], *n) for name, n in counts.items()}

    def _moments(self, sums: Tensor, n: int, num_groups: int) -> TermMoments:
        times = 1 if self.mode is None else 2
        numbers = sums[:-1].split(self.sizes * times)
        shaped = [x.view(shape) for x, shape in zip(numbers, self.shapes * times, strict=True)]
        mean = [s / n for s in shaped[: len(self.shapes)]]
        second = shaped[len(self.shapes) :]
        variance: list[Tensor] | None = None
        if self.mode == "grouped":
            spread = max(1, num_groups - 1)
            unbiased = [(s - n * m * m) / spread for s, m in zip(second, mean, strict=True)]
            variance = [(v * ((n - 1) / n)).clamp_min(0) for v in unbiased]
        elif self.mode is not None:
            variance = [(s / n - m * m).clamp_min(0) for s, m in zip(second, mean, strict=True)]
        return TermMoments(mean, variance, sums[-1] / n, n)


def _group_sizes(size: int, num_groups: int) -> list[int]:
    length = -(-size // num_groups)
    full, rest = divmod(size, length)
    return [length] * full + ([rest] if rest else [])


def _add_grouped(
    sums: tuple[Tensor, Tensor], groups: list[int], first: list[Tensor], second: list[Tensor]
) -> None:
    weight, bias = sums
    sizes = torch.tensor(groups, dtype=bias.dtype, device=bias.device)
    shape, flat = weight.shape[1:], weight.flatten(1)
    first += [(torch.ones_like(sizes) @ flat).view(shape), bias.sum(0)]
    second += [(sizes.reciprocal() @ flat.square_()).view(shape)]
    second += [sizes.reciprocal() @ bias.square_()]


def _grouped_sums(
    layer: LayerFactors, groups: list[int], basis: Basis | None
) -> tuple[Tensor, Tensor]:
    """Return the sums over each group, (groups, outputs, inputs) and (groups, outputs), turned."""
    d, a = layer
    num_channels, size = d.shape[:2]
    num_groups, length = len(groups), groups[0]
    if num_groups * length != size:
        padding = (0, 0, 0, num_groups * length - size)
        d = torch.nn.functional.pad(d, padding)
        a = torch.nn.functional.pad(a, padding)
    rows = num_channels * length
    by_group = (num_channels, num_groups, length)
    left, right = (
        x.reshape(*by_group, x.shape[2]).transpose(0, 1).reshape(num_groups, rows, x.shape[2])
        for x in (d, a)
    )
    weight, bias = left.transpose(1, 2) @ right, d[0].view(num_groups, length, -1).sum(1)
    return (weight, bias) if basis is None else (basis[0].T @ weight @ basis[1], bias @ basis[0])


def _pair_products(d: Tensor, a: Tensor) -> Tensor:
    total = d.new_zeros(d.shape[2], a.shape[2])
    for c in range(d.shape[0]):
        for other in range(c, d.shape[0]):
            factor = 1.0 if c == other else 2.0
            total.addmm_((d[c] * d[other]).T, a[c] * a[other], alpha=factor)
    return total


@dataclass(frozen=True)
class LossMoments:
    """The weighted loss: its gradient (lists of tensors) and the variance of that mean."""

    loss: Tensor
    mean: list[Tensor]
    variance_of_mean: list[Tensor] | None


def stratified(moments: Mapping[str, TermMoments], weights: Mapping[str, float]) -> LossMoments:
    """Join terms: loss Σ w_t mean(r_t²), its gradient and Σ w_t² σ_t²/(n_t − 1).

    Only the terms named in `weights` are joined, so the data term alone is one call. Terms are
    taken as independent samples; equations that share collocation points are not, and their joint
    variance is the sum of their own.
    """
    loss: Tensor | float = 0.0
    mean: list[Tensor] = []
    variance: list[Tensor] = []
    for name, w in weights.items():
        m = moments[name]
        loss = loss + w * m.loss
        scaled = [w * g for g in m.mean]
        mean = [a + b for a, b in zip(mean, scaled, strict=True)] if mean else scaled
        if m.variance is not None:
            factor = w * w / max(1, m.num_points - 1)
            spread = [factor * v for v in m.variance]
            variance = (
                [a + b for a, b in zip(variance, spread, strict=True)] if variance else spread
            )
    return LossMoments(torch.as_tensor(loss), mean, variance or None)
