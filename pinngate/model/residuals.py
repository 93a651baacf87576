"""Per-point residuals of every loss term, and their derivatives by channel and by coefficient.

A *term* is one equation, one condition or one set of observations; its loss is w·mean(r²). Terms
that need the same channels share one propagation: the equations share the collocation points, and
conditions and observations of plain field values travel together. Derivatives of the residuals are
exact expressions (`expression.differentiate`), so nothing here builds an autograd graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from pinngate.expression import Expression, Name, differentiate, evaluate, names, subtract
from pinngate.model.channels import (
    LayerFactors,
    Plan,
    Propagation,
    backward,
    forward,
    plan_channels,
)
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network
from pinngate.model.row_weights import unit_factor
from pinngate.model.scales import Scales, characteristic_size, common_size
from pinngate.statement.coefficient_fields import searched
from pinngate.statement.problem import Problem

Kind = Literal["equation", "condition", "prior", "observation"]
TILE = 4096  # points propagated at once: bounds memory and keeps a layer's arrays in cache


@dataclass(frozen=True)
class Term:
    """One loss term. `residual` may name the columns that its batch carries beside the axes."""

    name: str
    kind: Kind
    residual: Expression
    scale: float = 1.0


@dataclass(frozen=True)
class Batch:
    """Points (n, axes) of one term and further columns (n,) that its residual names.

    Where a row is a mean over several nodes, `points` is (n, q, axes) and `node_weights` (q,). The
    column `row_weights.ROW` is a factor on each residual.
    """

    points: Tensor
    columns: dict[str, Tensor] = field(default_factory=dict)
    node_weights: Tensor | None = None

    def __len__(self) -> int:
        return self.points.shape[0]

    @property
    def num_nodes(self) -> int:
        """Points of one row."""
        return 1 if self.node_weights is None else len(self.node_weights)

    def take(self, rows: slice | Tensor) -> Batch:
        """Return the batch of some rows."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        return Batch(self.points[rows], columns, self.node_weights)


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
class _Block:
    plan: Plan
    terms: tuple[Term, ...]
    residuals: tuple[Expression, ...]
    is_shared: bool


def problem_terms(
    problem: Problem, observed: Sequence[str | Expression], scales: Scales | None = None
) -> list[Term]:
    """Return the terms of a problem: equations, conditions, then one for each observation set.

    Args:
        problem: the problem.
        observed: what each observation set sees, in order: a field's name or an expression.
        scales: size and centre of each field; size one where not given.

    An observation's residual is ``seen − value``, the value a column of its batch. Every residual
    over its term's scale is in one unit, the root mean square of the fields' sizes, which is the
    data's own unit where there is one field.
    """
    scales = scales or {}
    unit = common_size(scales) if scales else 1.0
    quantities = [Name(seen) if isinstance(seen, str) else seen for seen in observed]

    def term(kind: Kind, k: int, stated: Expression) -> Term:
        size = characteristic_size(problem, stated, scales)
        return Term(f"{kind}_{k}", kind, searched(problem, stated), size / unit)

    terms = [term("equation", k, e.residual) for k, e in enumerate(problem.equations, 1)]
    terms += [term("condition", k, c.residual) for k, c in enumerate(problem.conditions, 1)]
    terms += [
        Term(
            f"observation_{k}",
            "observation",
            subtract(searched(problem, seen), Name("@value")),
            characteristic_size(problem, seen, scales) / unit,
        )
        for k, seen in enumerate(quantities, 1)
    ]
    return terms


class ResidualModel:
    """All terms of a problem, planned once and evaluated at any points.

    Args:
        terms: the loss terms.
        problem: supplies unknowns, axes and constants.
    """

    def __init__(self, terms: Sequence[Term], problem: Problem) -> None:
        self.terms = tuple(terms)
        self.axes = problem.axes
        self.constants = dict(problem.constants)
        estimated = tuple(c.name for c in problem.coefficients)
        self.blocks: list[_Block] = []
        equations = [t for t in terms if t.kind == "equation"]
        if equations:
            plan = plan_channels(
                [t.residual for t in equations], problem.outputs, problem.axes, estimated
            )
            self.blocks.append(_Block(plan, tuple(equations), plan.residuals, True))
        merged: dict[object, list[tuple[Term, Plan]]] = {}
        for term in terms:
            if term.kind != "equation":
                plan = plan_channels(
                    [term.residual], problem.outputs, problem.axes, estimated, is_collapsing=False
                )
                merged.setdefault(plan.derivatives, []).append((term, plan))
        for group in merged.values():
            plans = [plan for _, plan in group]
            symbols = {name: place for plan in plans for name, place in plan.symbols.items()}
            residuals = tuple(plan.residuals[0] for plan in plans)
            joint = Plan(problem.axes, plans[0].derivatives, (), residuals, symbols)
            self.blocks.append(_Block(joint, tuple(t for t, _ in group), residuals, False))

    @property
    def num_channels(self) -> int:
        """Most derivative channels that any term carries."""
        return max(block.plan.num_channels for block in self.blocks)

    def sweep(
        self,
        network: Network,
        coefficients: Coefficients,
        batches: Mapping[str, Batch],
        *,
        tile: int = TILE,
    ) -> Iterator[Tile]:
        """Evaluate all terms, tile by tile.

        Args:
            network: the network.
            coefficients: the unknown coefficients (may be empty).
            batches: term name → its points. Equations share one batch: that of the first.
            tile: most points propagated at once.

        Yields:
            Tiles; together they cover every point of every term once.

        Cost: one forward propagation; the caller pays for each backward.
        """
        values, slopes = coefficients.values_and_slopes()
        known: dict[str, float | Tensor] = dict(self.constants)
        known |= dict(zip(coefficients.names, values, strict=True))
        for block in self.blocks:
            if block.is_shared:
                shared = batches[block.terms[0].name]
                for start in range(0, len(shared), tile):
                    part = slice(start, start + tile)
                    points = shared.points[part]
                    spans = [slice(0, points.shape[0])] * len(block.terms)
                    columns = [{k: c[part] for k, c in shared.columns.items()}] * len(block.terms)
                    starts = [start] * len(block.terms)
                    yield self._tile(
                        block, network, points, spans, columns, starts, known, coefficients, slopes
                    )
                continue
            for members in _packed(block.terms, batches, tile):
                taken = [batches[t.name].take(part) for t, part in members]
                nodes = [batch.node_weights for batch in taken]
                points = torch.cat([batch.points.flatten(0, -2) for batch in taken])
                spans, begin = [], 0
                for batch in taken:
                    spans.append(slice(begin, begin + len(batch) * batch.num_nodes))
                    begin = spans[-1].stop
                columns = [
                    {k: c.repeat_interleave(batch.num_nodes) for k, c in batch.columns.items()}
                    for batch in taken
                ]
                starts = [part.start for _, part in members]
                chosen = [block.terms.index(t) for t, _ in members]
                sub = _Block(
                    block.plan,
                    tuple(t for t, _ in members),
                    tuple(block.residuals[k] for k in chosen),
                    False,
                )
                yield self._tile(
                    sub, network, points, spans, columns, starts, known, coefficients, slopes, nodes
                )

    def _tile(
        self,
        block: _Block,
        network: Network,
        points: Tensor,
        spans: Sequence[slice],
        columns: Sequence[dict[str, Tensor]],
        starts: Sequence[int],
        known: Mapping[str, float | Tensor],
        coefficients: Coefficients,
        slopes: Tensor,
        nodes: Sequence[Tensor | None] = (),
    ) -> Tile:
        propagation = forward(network, block.plan, points, known)
        evaluations = []
        for k, term in enumerate(block.terms):
            span = spans[k]
            values = dict(known) | columns[k]
            values |= {axis: points[span, i] for i, axis in enumerate(self.axes)}
            residual = block.residuals[k]
            present = names(residual)
            for name, (channel, f) in block.plan.symbols.items():
                if name in present:
                    values[name] = propagation.outputs[channel, span, f]
            size = span.stop - span.start

            def column(
                expression: Expression, values: dict[str, float | Tensor] = values, size: int = size
            ) -> Tensor:
                value = evaluate(expression, values, torch)
                return torch.as_tensor(value, dtype=points.dtype, device=points.device).expand(size)

            factor = unit_factor(term.scale, columns[k], points.new_empty(size))
            by_channel = {
                place: column(differentiate(residual, name)) * factor
                for name, place in block.plan.symbols.items()
                if name in present
            }
            by_coefficient = points.new_zeros(size, len(coefficients.names))
            for j, name in enumerate(coefficients.names):
                if name in present:
                    by_coefficient[:, j] = column(differentiate(residual, name))
            by_coefficient = by_coefficient * slopes * factor[:, None]
            evaluation = TermEvaluation(
                term, column(residual) * factor, by_channel, by_coefficient, starts[k]
            )
            weights = nodes[k] if nodes else None
            evaluations.append(evaluation if weights is None else _mean(evaluation, weights))
        return Tile(propagation, tuple(evaluations), tuple(spans), block.is_shared)


def _mean(evaluation: TermEvaluation, weights: Tensor) -> TermEvaluation:
    """Return rows that are means over nodes, of weights (q,), from the values at the nodes."""
    size, q = len(evaluation.residual) // len(weights), len(weights)
    every = weights.repeat(size)
    return replace(
        evaluation,
        residual=evaluation.residual.view(size, q) @ weights,
        by_channel={place: slope * every for place, slope in evaluation.by_channel.items()},
        by_coefficient=weights @ evaluation.by_coefficient.view(size, q, -1),
        num_nodes=q,
    )


def _folded(factors: LayerFactors, num_nodes: int) -> LayerFactors:
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


def _packed(
    terms: Sequence[Term], batches: Mapping[str, Batch], tile: int
) -> Iterator[list[tuple[Term, slice]]]:
    members: list[tuple[Term, slice]] = []
    room = tile
    for term in terms:
        start, size, q = 0, len(batches[term.name]), batches[term.name].num_nodes
        while start < size:
            stop = min(size, start + max(room // q, 0 if members else 1))
            if stop > start:
                members.append((term, slice(start, stop)))
            room -= (stop - start) * q
            start = stop
            if room < q:
                yield members
                members, room = [], tile
    if members:
        yield members


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
            (e, m, [_folded(LayerFactors(d[:, span], a[:, span]), e.num_nodes) for d, a in factors])
            for e, m, span in zip(self.evaluations, multipliers, self.spans, strict=True)
        ]
