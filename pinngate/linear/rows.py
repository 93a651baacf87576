"""Products with the Jacobian of all residuals, which is never formed.

Row n of J is the gradient of point n's weighted residual. `pinngate.model.channels` gives it in
factored form, Σ_c d_nc a_ncᵀ for each linear layer, so that with a tangent V of its weights

    (J v)_n = Σ_c d_nc · V a_nc        Jᵀ y = Σ_n y_n Σ_c d_nc a_ncᵀ.

The factors depend on neither v nor y: they are computed once for each linearisation and kept within
a budget of memory, beyond which they are computed anew in every pass. Where many vectors are
multiplied at once the rows of a few points are written out and used as a matrix, since the factored
form costs as many products a vector as there are channels. Stands between the residuals and
`pinngate.linear.matrix_free`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from pinngate.linear.effort import TILE
from pinngate.linear.jacobian import Batches, jacobian, row_weights, write_rows
from pinngate.linear.products import Block, Products
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network
from pinngate.model.residuals import ResidualModel
from pinngate.model.row_weights import RowWeights
from pinngate.model.terms import Batch
from pinngate.model.tiles import TermEvaluation, Tile
from pinngate.parallel.ranks import ranks


@dataclass
class RowsPiece:
    """Points of one term, or of all equations, from `offset` on; `kept` holds their factors."""

    name: str
    batches: dict[str, Batch]
    offset: int
    kept: list[Block] | None = None

    def only(self, rows: Tensor) -> RowsPiece:
        """Return some of the points."""
        own = {self.name: self.batches[self.name].take(rows)}
        return RowsPiece(self.name, self.batches | own, 0)


class LinearisedRows:
    """The weighted Jacobian J = [A C] (N, P + K) as an operator, and the residuals.

    Args:
        model: the terms.
        network: P weights. Factors outside the cache are computed from a copy of it, so that it
            may move on to the next iterate.
        coefficients: K unknown coefficients, the last columns.
        batches: points of every term.
        weights: of the rows; roots of the noise come by `scale_rows`.
        cache_bytes: most memory for kept factors.
        tile: points linearised at once.

    Attributes:
        residual: weighted residuals (N,), in the rows of the dense `jacobian`.
        unpenalised: C (N, K), weighted.
        slices: rows of each term.
        products: with A, and its rows written out.

    Cost: one propagation forward and backward; 2·N·C·P operations a product, C channels.
    """

    def __init__(
        self,
        model: ResidualModel,
        network: Network,
        coefficients: Coefficients,
        batches: Batches,
        weights: RowWeights,
        *,
        cache_bytes: float = 2e9,
        tile: int = TILE,
    ) -> None:
        self.model = model
        self.network, self.coefficients = copy.deepcopy((network, coefficients))
        self.slices = weights.slices
        self.batches = {n: batches[n] for n in self.slices if n in batches}
        num_rows = weights.num_rows
        num_unpenalised = coefficients.raw.numel()
        self.num_weights = network.num_parameters
        self.scale = weights.factors(network.low)
        self.residual = network.low.new_zeros(num_rows)
        self.unpenalised = network.low.new_zeros(num_rows, num_unpenalised)
        self.pieces = list(_cut(model, self.batches, tile))
        self.products = Products(self.network, num_rows, self.pieces, self._blocks_of)
        self._linearise(cache_bytes)

    def _linearise(self, cache_bytes: float) -> None:
        left = cache_bytes
        for piece in ranks().own(self.pieces):
            blocks: list[Block] = []
            for part in self._sweep(piece):
                for e in part.evaluations:
                    rows = self._rows(e, piece)
                    self.residual[rows] = self.scale[rows] * e.residual
                    self.unpenalised[rows] = self.scale[rows, None] * e.by_coefficient
                if left > 0:
                    blocks += self._blocks(part, piece)
            size = _num_bytes(blocks)
            if blocks and size <= left:
                piece.kept = blocks
            left = left - size if size <= left else 0.0
        ranks().complete(self.pieces, [self.residual, self.unpenalised])

    def _sweep(self, piece: RowsPiece) -> Iterator[Tile]:
        return self.model.sweep(self.network, self.coefficients, piece.batches)

    def _rows(self, evaluation: TermEvaluation, piece: RowsPiece) -> slice:
        start = self.slices[evaluation.term.name].start + piece.offset + evaluation.start
        return slice(start, start + len(evaluation.residual))

    def _blocks(self, part: Tile, piece: RowsPiece) -> list[Block]:
        found = part.backward(lambda e: self.scale[self._rows(e, piece)])
        return [Block(self._rows(e, piece), factors) for e, _, factors in found]

    def _blocks_of(self, piece: RowsPiece) -> Iterator[Block]:
        if piece.kept is not None:
            yield from piece.kept
            return
        for part in self._sweep(piece):
            yield from self._blocks(part, piece)

    @property
    def cached_bytes(self) -> int:
        """Memory of the kept factors."""
        return sum(_num_bytes(p.kept) for p in self.pieces if p.kept is not None)

    def scale_rows(self, roots: Tensor) -> None:
        """Scale every row by roots (N,); the residuals stay as they are."""
        if bool((roots == 1).all()):
            return
        self.scale = self.scale * roots
        self.unpenalised = self.unpenalised * roots[:, None]
        for piece in self.pieces:
            for block in piece.kept or []:
                for d, _ in block.factors:
                    d *= roots[block.rows, None]

    @property
    def shape(self) -> tuple[int, int]:
        """N and P + K."""
        return len(self.residual), self.num_weights + self.unpenalised.shape[1]

    def forward(self, v: Tensor) -> Tensor:
        """Return A v for v (P, m): (N, m)."""
        return self.products.passed(v, None)[0]

    def adjoint(self, y: Tensor) -> Tensor:
        """Return Aᵀ y for y (N, m): (P, m)."""
        return self.products.passed(None, y)[1]

    def gram(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """Return A v and Aᵀ A v in one pass, (N, m) and (P, m)."""
        return self.products.passed(v, None, is_gram=True)

    def some(self, places: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Yield some observation rows of A in tiles; only their points are propagated.

        Args:
            places: among all rows, increasing, (k,).

        Yields:
            A slice of `places`, and the rows there, (j, P).
        """
        for piece in self.pieces:
            begin = self.slices[piece.name].start + piece.offset
            ends = places.new_tensor([begin, begin + len(piece.batches[piece.name])])
            first, last = torch.searchsorted(places, ends).tolist()
            if first == last:
                continue
            own = places[first:last]
            for part in self._sweep(piece.only(own - begin)):
                for e, _, factors in part.backward(partial(_scaled, self.scale[own])):
                    rows = slice(first + e.start, first + e.start + len(e.residual))
                    written = self.scale.new_empty(len(e.residual), self.num_weights)
                    write_rows(self.network, factors, written)
                    yield rows, written

    def row_squares(self, rows: slice) -> Tensor:
        """Return ‖a_n‖² of rows of A, (n,). Cost: N·C²·width a layer."""
        squares = self.scale.new_zeros(self.shape[0])

        def fill(piece: RowsPiece) -> None:
            for block in self._blocks_of(piece):
                if block.rows.stop > rows.start and block.rows.start < rows.stop:
                    squares[block.rows] = _squares(self.network, block)

        ranks().filled(self.pieces, [squares], fill)
        return squares[rows]

    def sample(self, num_rows: int, generator: torch.Generator) -> Tensor:
        """Return about `num_rows` rows B of A with E[Bᵀ B] = Aᵀ A, (k, P).

        Every term gets an equal share, at most all its rows; within a term rows are drawn without
        replacement, each scaled by √(n/k). The terms of one batch share their points.
        """
        sizes = {name: len(b) for name, b in self.batches.items()}
        shares = _shares(sizes, num_rows)
        chosen = {
            name: torch.randperm(size, generator=generator)[: shares[name]].sort().values
            for name, size in sizes.items()
        }
        device = self.scale.device
        chosen = {name: index.to(device) for name, index in chosen.items()}
        batches = {name: b.take(chosen[name]) for name, b in self.batches.items()}
        ones = {t.name: 1.0 for t in self.model.terms}
        weights = row_weights(self.model, batches, ones)
        found, _ = jacobian(self.model, self.network, self.coefficients, batches, weights)
        found = found[:, : self.num_weights]
        shared = next((t.name for t in self.model.terms if t.kind == "equation"), "")
        for term in self.model.terms:
            name = shared if term.kind == "equation" else term.name
            own = self.scale[self.slices[term.name]][chosen[name]]
            factor = (sizes[name] / len(chosen[name])) ** 0.5
            found[weights.slices[term.name]] *= (factor * own)[:, None]
        return found


def _squares(network: Network, block: Block) -> Tensor:
    total = network.low.new_zeros(block.rows.stop - block.rows.start)
    for k, (d, a) in enumerate(block.factors):
        left = network.hold_periodic(a, k)
        inner = torch.einsum("cno,kno->nck", d, d) * torch.einsum("cni,kni->nck", left, left)
        total = total + inner.sum((1, 2)) + d[0].square().sum(1)
    return total


def _cut(model: ResidualModel, batches: Batches, tile: int) -> Iterator[RowsPiece]:
    shared = [t.name for t in model.terms if t.kind == "equation"][1:]
    empty = {name: b.take(slice(0, 0)) for name, b in batches.items()}
    for name, batch in batches.items():
        if name in shared:
            continue
        for start in range(0, len(batch), tile):
            yield RowsPiece(name, {**empty, name: batch.take(slice(start, start + tile))}, start)


def _scaled(scale: Tensor, evaluation: TermEvaluation) -> Tensor:
    return scale[evaluation.start : evaluation.start + len(evaluation.residual)]


def _num_bytes(blocks: list[Block]) -> int:
    tensors = {id(t): t for block in blocks for pair in block.factors for t in pair}
    return sum(t.numel() * t.element_size() for t in tensors.values())


def _shares(sizes: Mapping[str, int], total: int) -> dict[str, int]:
    """Divide `total` evenly among terms, none above its size, what is left to the larger ones."""
    shares: dict[str, int] = {}
    left = max(total, len(sizes))
    for place, name in enumerate(sorted(sizes, key=lambda n: sizes[n])):
        shares[name] = min(sizes[name], max(1, left // (len(sizes) - place)))
        left -= shares[name]
    return shares
