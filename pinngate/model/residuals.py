"""Per-point residuals of every loss term, and their derivatives by channel and by coefficient.

Terms that need the same channels share one propagation: the equations share the collocation points,
and conditions and observations of plain field values travel together, tile by tile (`tiles`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pinngate.expression import Expression
from pinngate.model.channels.plan import Plan, plan_channels
from pinngate.model.channels.propagate import forward
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network
from pinngate.model.terms import TILE, Batch, Term
from pinngate.model.tiles import Known, Segment, Tile, evaluate_segment
from pinngate.statement.logarithmic_axes import along_search
from pinngate.statement.problem import Problem


@dataclass(frozen=True)
class Block:
    """Terms that share a plan; equations share their points too."""

    plan: Plan
    terms: tuple[Term, ...]
    residuals: tuple[Expression, ...]
    is_shared: bool

    def tiles(self, batches: Mapping[str, Batch], tile: int) -> Iterator[list[Segment]]:
        """Cut the points of all terms into tiles."""
        if not self.is_shared:
            yield from _packed(self, batches, tile)
            return
        shared = batches[self.terms[0].name]
        for start in range(0, len(shared), tile):
            part = shared.take(slice(start, start + tile))
            span = slice(0, len(part))
            yield [
                Segment(term, residual, part, start, span)
                for term, residual in zip(self.terms, self.residuals, strict=True)
            ]


Piece = tuple[Block, list[Segment], Tensor]
"""Terms, their rows in a tile, and its points (n, axes)."""


class ResidualModel:
    """All terms of a problem, planned once and evaluated at any points.

    Args:
        terms: the loss terms.
        problem: supplies unknowns, axes and constants.
    """

    def __init__(self, terms: Sequence[Term], problem: Problem) -> None:
        terms = [replace(t, residual=along_search(problem, t.residual)) for t in terms]
        self.terms = tuple(terms)
        self.axes = problem.axes
        self.constants = dict(problem.constants)
        equations = [t for t in terms if t.kind == "equation"]
        self.blocks = [_equation_block(equations, problem)] if equations else []
        self.blocks += _blocks_by_channels([t for t in terms if t.kind != "equation"], problem)

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
        yield from map(self.evaluator(network, coefficients), self.pieces(batches, tile))

    def evaluator(self, network: Network, coefficients: Coefficients) -> Callable[[Piece], Tile]:
        """Return what evaluates a piece, at the present weights and coefficients."""
        known = Known(self.constants, coefficients, self.axes)

        def evaluated(piece: Piece) -> Tile:
            block, segments, points = piece
            propagation = forward(network, block.plan, points, known.values)
            evaluations = tuple(
                evaluate_segment(s, block.plan, propagation, points, known) for s in segments
            )
            spans = tuple(s.span for s in segments)
            return Tile(propagation, evaluations, spans, block.is_shared)

        return evaluated

    def pieces(self, batches: Mapping[str, Batch], tile: int = TILE) -> Iterator[Piece]:
        """Yield the points (n, axes) of every tile, with the terms that are evaluated on them."""
        for block in self.blocks:
            for segments in block.tiles(batches, tile):
                if block.is_shared:
                    points = segments[0].batch.points
                else:
                    points = torch.cat([s.batch.points.flatten(0, -2) for s in segments])
                yield block, segments, points


def _estimated(problem: Problem) -> tuple[str, ...]:
    return tuple(c.name for c in problem.coefficients)


def _equation_block(equations: Sequence[Term], problem: Problem) -> Block:
    residuals = [t.residual for t in equations]
    plan = plan_channels(
        residuals, problem.outputs, problem.axes, _estimated(problem), start=_start(problem)
    )
    return Block(plan, tuple(equations), plan.residuals, True)


def _start(problem: Problem) -> float:
    return next(iter(problem.domain.values()))[0]


def _blocks_by_channels(terms: Iterable[Term], problem: Problem) -> list[Block]:
    """Return one block for each set of channels that conditions, priors and observations need."""
    merged: dict[object, list[tuple[Term, Plan]]] = {}
    for term in terms:
        plan = plan_channels(
            [term.residual],
            problem.outputs,
            problem.axes,
            _estimated(problem),
            is_collapsing=False,
            start=_start(problem),
        )
        merged.setdefault((plan.derivatives, plan.delays), []).append((term, plan))
    blocks = []
    for group in merged.values():
        plans = [plan for _, plan in group]
        symbols = {name: place for plan in plans for name, place in plan.symbols.items()}
        residuals = tuple(plan.residuals[0] for plan in plans)
        joint = replace(plans[0], residuals=residuals, symbols=symbols)
        blocks.append(Block(joint, tuple(t for t, _ in group), residuals, False))
    return blocks


def _packed(block: Block, batches: Mapping[str, Batch], tile: int) -> Iterator[list[Segment]]:
    """Fill tiles with rows of one term after the other, a row's nodes together."""
    segments: list[Segment] = []
    room, begin = tile, 0
    for term, residual in zip(block.terms, block.residuals, strict=True):
        batch = batches[term.name]
        start, q = 0, batch.num_nodes
        while start < len(batch):
            stop = min(len(batch), start + max(room // q, 0 if segments else 1))
            if stop > start:
                span = slice(begin, begin + (stop - start) * q)
                part = batch.take(slice(start, stop))
                segments.append(Segment(term, residual, part, start, span))
                begin = span.stop
            room -= (stop - start) * q
            start = stop
            if room < q:
                yield segments
                segments, room, begin = [], tile, 0
    if segments:
        yield segments
