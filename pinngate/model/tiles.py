"""Some points of some terms, propagated together: their residuals and what backward makes of them.

Derivatives of residuals are exact expressions (`expression.differentiate`), so nothing here builds
an autograd graph. Below `residuals`, which cuts the points of all terms into tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pinngate.expression import Expression, differentiate, evaluate, names
from pinngate.model.channels.plan import Plan
from pinngate.model.channels.propagate import LayerFactors, Propagation, backward, folded
from pinngate.model.coefficients import Coefficients
from pinngate.model.row_weights import unit_factor
from pinngate.model.terms import Batch, Term


@dataclass(frozen=True)
class TermEvaluation:
    """A term at the points of one tile.

    `residual` is (n,), divided by the term's scale and times its rows' factors; `by_channel` maps
    (channel, field) to ∂r at the points (n·num_nodes,); `by_coefficient` is (n, num_coefficients),
    with respect to the raw parameters; `start` is the first row's place in the term's batch.
    """

    term: Term
    residual: Tensor
    by_channel: dict[tuple[int, int], Tensor]
    by_coefficient: Tensor
    start: int
    num_nodes: int = 1


@dataclass(frozen=True)
class Segment:
    """Rows of one term inside a tile.

    Attributes:
        term: the term.
        residual: its residual as the plan writes it.
        batch: its rows that are in the tile.
        start: place of the first one in the term's batch.
        span: of its nodes among the points of the tile.
    """

    term: Term
    residual: Expression
    batch: Batch
    start: int
    span: slice

    @property
    def num_points(self) -> int:
        """Nodes of all rows."""
        return self.span.stop - self.span.start

    @property
    def columns(self) -> dict[str, Tensor]:
        """Columns of the batch at every node, (num_points,) each."""
        shape = (len(self.batch), self.batch.num_nodes)
        every = {k: c.view(len(c), -1) for k, c in self.batch.columns.items()}
        return {k: c.expand(shape).reshape(-1) for k, c in every.items()}


class Known:
    """What residuals may name beside the fields: constants, coefficients and the axes.

    Args:
        constants: of the problem.
        coefficients: at their present values.
        axes: names of the points' columns.
    """

    def __init__(
        self, constants: Mapping[str, float], coefficients: Coefficients, axes: Sequence[str]
    ) -> None:
        values, self.slopes = coefficients.values_and_slopes()
        self.coefficients, self.axes = coefficients.names, tuple(axes)
        self.values: dict[str, float | Tensor] = dict(constants)
        self.values |= dict(zip(coefficients.names, values, strict=True))

    def at(self, points: Tensor) -> dict[str, float | Tensor]:
        """Return the values by name at points (n, axes)."""
        return self.values | {axis: points[:, i] for i, axis in enumerate(self.axes)}


def named_values(
    segment: Segment, plan: Plan, propagation: Propagation, points: Tensor, known: Known
) -> tuple[dict[str, float | Tensor], dict[str, tuple[int, int]]]:
    """Return the values by name at the nodes of a segment, (num_points,), and its own symbols.

    Args: as of `evaluate_segment`.
    """
    present, span = names(segment.residual), segment.span
    symbols = {name: place for name, place in plan.symbols.items() if name in present}
    fields = {n: propagation.outputs[channel, span, f] for n, (channel, f) in symbols.items()}
    return known.at(points[span]) | segment.columns | fields, symbols


def evaluate_segment(
    segment: Segment, plan: Plan, propagation: Propagation, points: Tensor, known: Known
) -> TermEvaluation:
    """Return the residuals of a segment and their derivatives.

    Args:
        segment: rows of one term.
        plan: of the channels.
        propagation: of the tile's points.
        points: of the tile, (n, axes).
        known: what else the residual names.
    """
    residual, size = segment.residual, segment.num_points
    present = names(residual)
    columns = segment.columns
    values, symbols = named_values(segment, plan, propagation, points, known)

    def column(expression: Expression) -> Tensor:
        value = evaluate(expression, values, torch)
        return torch.as_tensor(value, dtype=points.dtype, device=points.device).expand(size)

    factor = unit_factor(segment.term.scale, columns, points.new_empty(size))
    by_channel = {
        place: column(differentiate(residual, name)) * factor for name, place in symbols.items()
    }
    by_coefficient = points.new_zeros(size, len(known.coefficients))
    for j, name in enumerate(known.coefficients):
        if name in present:
            by_coefficient[:, j] = column(differentiate(residual, name))
    by_coefficient = by_coefficient * known.slopes * factor[:, None]
    evaluation = TermEvaluation(
        segment.term, column(residual) * factor, by_channel, by_coefficient, segment.start
    )
    weights = segment.batch.node_weights
    return evaluation if weights is None else _mean(evaluation, weights)


def _mean(evaluation: TermEvaluation, weights: Tensor) -> TermEvaluation:
    """Return rows that are sums over nodes, of weights (q,) or (n, q), from values at the nodes."""
    q = weights.shape[-1]
    size = len(evaluation.residual) // q
    own = weights.expand(size, q)
    every = own.reshape(-1)
    return replace(
        evaluation,
        residual=torch.einsum("nq,nq->n", own, evaluation.residual.view(size, q)),
        by_channel={place: slope * every for place, slope in evaluation.by_channel.items()},
        by_coefficient=torch.einsum("nq,nqk->nk", own, evaluation.by_coefficient.view(size, q, -1)),
        num_nodes=q,
    )


@dataclass(frozen=True)
class Tile:
    """Some points of some terms, propagated; `backward` gives each term's gradient factors."""

    propagation: Propagation
    evaluations: tuple[TermEvaluation, ...]
    spans: tuple[slice, ...]
    is_shared: bool

    def backward(
        self, multiplier: Callable[[TermEvaluation], Tensor]
    ) -> list[tuple[TermEvaluation, Tensor, list[LayerFactors]]]:
        """Return for each term its multipliers m (n,) and the factors of m_n ∂r_n/∂weights.

        With m = 2r that is the gradient of each point's squared residual, with m = 1 the Jacobian's
        rows.
        """
        outputs = self.propagation.outputs
        multipliers = [multiplier(e) for e in self.evaluations]
        if self.is_shared:
            found = []
            for evaluation, m in zip(self.evaluations, multipliers, strict=True):
                adjoints = torch.zeros_like(outputs)
                for (channel, f), slope in evaluation.by_channel.items():
                    adjoints[channel, :, f] += m * slope
                found.append((evaluation, m, backward(self.propagation, adjoints)))
            return found
        adjoints = torch.zeros_like(outputs)
        for evaluation, m, span in zip(self.evaluations, multipliers, self.spans, strict=True):
            at_nodes = m.repeat_interleave(evaluation.num_nodes)
            for (channel, f), slope in evaluation.by_channel.items():
                adjoints[channel, span, f] += at_nodes * slope
        factors = backward(self.propagation, adjoints)
        return [
            (e, m, [folded(LayerFactors(d[:, span], a[:, span]), e.num_nodes) for d, a in factors])
            for e, m, span in zip(self.evaluations, multipliers, self.spans, strict=True)
        ]
