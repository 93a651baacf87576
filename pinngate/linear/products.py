"""Products of factored rows with several vectors at once, in one pass over the points.

Row n of A is Σ_c d_nc a_ncᵀ for every layer. Few vectors are multiplied in that form; where there
are many, the rows of a few points are written out and used as a matrix, since the factored form
costs as many products a vector as there are channels. Below `rows`, which supplies the factors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pinngate.linear.effort import MAX_WRITTEN
from pinngate.linear.jacobian import write_rows
from pinngate.model.channels.propagate import LayerFactors
from pinngate.model.networks import Network

MAX_FACTORED = 12  # most vectors for which the factored form is the faster (measured, 3 channels)


@dataclass(frozen=True)
class Block:
    """Consecutive rows and the factors of their gradients."""

    rows: slice
    factors: list[LayerFactors]


@dataclass(frozen=True)
class _Sides:
    """What is multiplied and what comes out of a pass.

    `vectors` is v (P, m) or None, `given` y (N, m) or None; `images` is A v (N, m), `moments` the
    transpose (m, P) of Aᵀ y or Aᵀ A v, so that each vector's weights of a layer lie together.
    """

    vectors: Tensor | None
    given: Tensor | None
    images: Tensor
    moments: Tensor
    is_back: bool

    def right(self, rows: slice) -> Tensor:
        """Return what the transpose is applied to: y, or the images so far."""
        return self.images[rows] if self.given is None else self.given[rows]


class Products:
    """A v, Aᵀ y and Aᵀ A v.

    Args:
        network: P weights.
        num_rows: N.
        blocks: makes an iterator over all rows.
    """

    def __init__(
        self, network: Network, num_rows: int, blocks: Callable[[], Iterator[Block]]
    ) -> None:
        self.network, self.num_rows, self.blocks = network, num_rows, blocks
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
        images = one.new_empty(self.num_rows if v is not None else 0, num_vectors)
        moments = one.new_zeros(num_vectors, self.num_weights if is_back else 0)
        sides = _Sides(v, y, images, moments, is_back)
        if num_vectors <= MAX_FACTORED:
            self._factored(sides)
        else:
            self._written(sides)
        return images, moments.T

    def _factored(self, sides: _Sides) -> None:
        tangents = None
        if sides.vectors is not None:
            held = sides.vectors.T.clone(memory_format=torch.contiguous_format)
            self._hold(held)
            tangents = self._split(held)
        gradients = self._split(sides.moments) if sides.is_back else None
        for block in self.blocks():
            if tangents is not None:
                sides.images[block.rows] = _factored_forward(tangents, block.factors)
            if gradients is not None:
                _factored_adjoint(gradients, block.factors, sides.right(block.rows))
        self._hold(sides.moments)

    def written(self) -> Iterator[tuple[slice, Tensor]]:
        """Yield all rows of A in turn, (k, P) each, in an array that the next overwrite."""
        size = max(1, MAX_WRITTEN // self.num_weights)
        buffer: Tensor | None = None
        for block in self.blocks():
            if buffer is None:
                buffer = block.factors[0].adjoints.new_empty(size, self.num_weights)
            for begin in range(block.rows.start, block.rows.stop, size):
                rows = slice(begin, min(begin + size, block.rows.stop))
                own = slice(begin - block.rows.start, rows.stop - block.rows.start)
                written = buffer[: rows.stop - rows.start]
                factors = [LayerFactors(d[:, own], a[:, own]) for d, a in block.factors]
                write_rows(self.network, factors, written)
                yield rows, written

    def _written(self, sides: _Sides) -> None:
        for rows, written in self.written():
            if sides.vectors is not None:
                torch.mm(written, sides.vectors, out=sides.images[rows])
            if sides.is_back:
                sides.moments.addmm_(sides.right(rows).T, written)

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
