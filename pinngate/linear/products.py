"""Products of factored rows with several vectors at once, in one pass over the points.

Row n of A is Σ_c d_nc a_ncᵀ for every layer. Few vectors are multiplied in that form; where there
are many, the rows of a few points are written out and used as a matrix, since the factored form
costs as many products a vector as there are channels. Below `rows`, which supplies the factors in
pieces; processes that share a run take their own pieces and add up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from pinngate.linear.effort import MAX_WRITTEN
from pinngate.linear.jacobian import write_rows
from pinngate.model.channels.propagate import LayerFactors
from pinngate.model.networks import Network
from pinngate.parallel.ranks import ranks

Piece = TypeVar("Piece")
MAX_FACTORED = 12  # most vectors for which the factored form is the faster (measured, 3 channels)


@dataclass(frozen=True)
class Block:
    """Consecutive rows and the factors of their gradients."""

    rows: slice
    factors: list[LayerFactors]


@dataclass(frozen=True)
class _Sides:
    """What is multiplied and what comes out of a pass.

    `vectors` is v (P, m) or None, `given` y (N, m) or None; `images` is A v (N, m).
    """

    vectors: Tensor | None
    given: Tensor | None
    images: Tensor
    is_back: bool

    @property
    def num_vectors(self) -> int:
        """m."""
        one = self.vectors if self.vectors is not None else self.given
        return 0 if one is None else one.shape[1]

    def right(self, rows: slice) -> Tensor:
        """Return what the transpose is applied to: y, or the images so far."""
        return self.images[rows] if self.given is None else self.given[rows]


class Products(Generic[Piece]):
    """A v, Aᵀ y and Aᵀ A v.

    Args:
        network: P weights.
        num_rows: N.
        pieces: of the rows.
        blocks: makes an iterator over the rows of a piece.
    """

    def __init__(
        self,
        network: Network,
        num_rows: int,
        pieces: Sequence[Piece],
        blocks: Callable[[Piece], Iterator[Block]],
    ) -> None:
        self.network, self.num_rows = network, num_rows
        self.pieces, self.blocks = pieces, blocks
        self.num_weights = network.num_parameters

    def passed(
        self, v: Tensor | None, y: Tensor | None, *, is_gram: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Return A v (N, m) and Aᵀ y, with `is_gram` Aᵀ A v, (P, m); empty where not asked for.

        Args:
            v: (P, m), or None.
            y: (N, m), or None; one of the two is given.
            is_gram: whether the images of v go back at once.
        """
        one = v if v is not None else y
        if one is None:
            raise ValueError("a pass needs a vector on one side")
        num_vectors, is_back = one.shape[1], is_gram or y is not None
        images = one.new_zeros(self.num_rows if v is not None else 0, num_vectors)
        sides = _Sides(v, y, images, is_back)
        way = self._factored(sides) if num_vectors <= MAX_FACTORED else self._written(sides)
        (moments,) = ranks().summed(self.pieces, way) if is_back else self._forward(way)
        if v is not None:
            ranks().complete(self.pieces, [images])
        return images, moments.T

    def _forward(self, way: Callable[[Piece], list[Tensor]]) -> list[Tensor]:
        for piece in ranks().own(self.pieces):
            moments = way(piece)
        return moments

    def _factored(self, sides: _Sides) -> Callable[[Piece], list[Tensor]]:
        """Return what fills the images of a piece and returns the transpose of Aᵀ y, (m, P)."""
        tangents = None
        if sides.vectors is not None:
            held = sides.vectors.T.clone(memory_format=torch.contiguous_format)
            self._hold(held)
            tangents = self._split(held)

        def multiplied(piece: Piece) -> list[Tensor]:
            moments = self._no_moments(sides)
            gradients = self._split(moments) if sides.is_back else None
            for block in self.blocks(piece):
                if tangents is not None:
                    sides.images[block.rows] = _factored_forward(tangents, block.factors)
                if gradients is not None:
                    _factored_adjoint(gradients, block.factors, sides.right(block.rows))
            self._hold(moments)
            return [moments]

        return multiplied

    def _no_moments(self, sides: _Sides) -> Tensor:
        size = self.num_weights if sides.is_back else 0
        return self.network.low.new_zeros(sides.num_vectors, size)

    def written(self, pieces: Sequence[Piece] | None = None) -> Iterator[tuple[slice, Tensor]]:
        """Yield rows of A in turn, (k, P) each, in an array that the next overwrite.

        Args:
            pieces: whose rows, None for all.
        """
        size = max(1, MAX_WRITTEN // self.num_weights)
        buffer: Tensor | None = None
        for block in (
            b for p in (self.pieces if pieces is None else pieces) for b in self.blocks(p)
        ):
            if buffer is None:
                buffer = block.factors[0].adjoints.new_empty(size, self.num_weights)
            for begin in range(block.rows.start, block.rows.stop, size):
                rows = slice(begin, min(begin + size, block.rows.stop))
                own = slice(begin - block.rows.start, rows.stop - block.rows.start)
                written = buffer[: rows.stop - rows.start]
                factors = [LayerFactors(d[:, own], a[:, own]) for d, a in block.factors]
                write_rows(self.network, factors, written)
                yield rows, written

    def _written(self, sides: _Sides) -> Callable[[Piece], list[Tensor]]:
        """Do as `_factored` with rows written out."""

        def multiplied(piece: Piece) -> list[Tensor]:
            moments = self._no_moments(sides)
            for rows, written in self.written([piece]):
                if sides.vectors is not None:
                    torch.mm(written, sides.vectors, out=sides.images[rows])
                if sides.is_back:
                    moments.addmm_(sides.right(rows).T, written)
            return [moments]

        return multiplied

    def _split(self, vectors: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return views (m, outputs, inputs) and (m, outputs) of vectors (m, P) for each layer."""
        found, begin = [], 0
        for outputs, inputs in self.network.layer_shapes:
            weight = vectors[:, begin : begin + outputs * inputs]
            begin += outputs * inputs
            weight = weight.view(len(vectors), outputs, inputs)
            found.append((weight, vectors[:, begin : begin + outputs]))
            begin += outputs
        return found

    def _hold(self, vectors: Tensor) -> None:
        """Set the components (m, P) of held wave numbers to zero."""
        if vectors.shape[1] and any(self.network.is_periodic):
            for k, (weight, _) in enumerate(self._split(vectors)):
                weight.copy_(self.network.hold_periodic(weight, k))


def _factored_forward(tangents: list[tuple[Tensor, Tensor]], factors: list[LayerFactors]) -> Tensor:
    columns = []
    for j in range(len(tangents[0][0])):
        total: Tensor | float = 0.0
        for (weight, bias), (d, a) in zip(tangents, factors, strict=True):
            moved = torch.matmul(a, weight[j].T).mul_(d).sum((0, 2))
            total = total + moved + d[0] @ bias[j]
        columns.append(torch.as_tensor(total))
    return torch.stack(columns, 1)


def _factored_adjoint(
    gradients: list[tuple[Tensor, Tensor]], factors: list[LayerFactors], y: Tensor
) -> None:
    for j in range(y.shape[1]):
        column = y[:, j]
        for (weight, bias), (d, a) in zip(gradients, factors, strict=True):
            scaled = d * column[:, None]
            weight[j].addmm_(scaled.flatten(0, 1).T, a.flatten(0, 1))
            bias[j].addmv_(d[0].T, column)
