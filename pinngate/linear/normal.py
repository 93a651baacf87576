"""The linearised problem from the normal equations, its Jacobian never formed.

Takes the place of `dense` where rows are many and weights are not: of the Jacobian J = [A C] only
AᵀA (P, P), C (N, K) and vectors of N are held, and rows of A are made anew in tiles of points
wherever they are asked for. A pass makes all of them: one propagation forward and backward. Passes,
K > 0 or not,

    the Gram matrix                   1, N P² operations
    `apply`, `minimiser`              1 each, N P operations
    `fits`, however many ridges       2: Aᵀb, then the leverages, n P² operations (2 n P² where
                                      decomposed)
    `best_fit`                        3: the risks of all ridges, then the fit at the best one
    `unshrunk`                        2, over the rows of the group alone

where Aᵀb of the last b is kept, so that a Gauss–Newton step takes about ten, two or three of which
cost P² a row. Memory: a tile of
rows, P² a few times, and some numbers a row. Source of the sums: any text on normal equations; what
they lose of the condition number is what `dense` loses where N > P, which solves them, too.
Processes that share a run make the rows of their own pieces alone, but for triangles and groups of
observations; what is factorised is factorised by each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from pinngate.linear.columns import GramColumns
from pinngate.linear.freed import freed_by_tiles
from pinngate.linear.gram import add_lower_gram, inverse_root
from pinngate.linear.gram_system import GramSystem
from pinngate.linear.inverses import CholeskyInverse
from pinngate.linear.leave_one_out import Seen, fit_by_factor, fits_by_spectrum, together
from pinngate.linear.rows import LinearisedRows, RowsPiece
from pinngate.linear.system import RidgeFit
from pinngate.parallel.ranks import ranks


class TiledColumns(GramColumns):
    """Those of a Jacobian whose rows are made anew in each pass.

    Args:
        rows: [A C], already scaled.
        num_unpenalised: K.
        observed: the rows that are observations, the last ones.
    """

    def __init__(self, rows: LinearisedRows, num_unpenalised: int, observed: slice) -> None:
        self.rows = rows
        self._last: tuple[Tensor, int, Tensor] | None = None
        shape = (rows.shape[0], rows.num_weights)
        super().__init__(shape, rows.unpenalised[:, :num_unpenalised], observed, is_dual=False)

    def apply(self, change: Tensor) -> Tensor:
        """Return A v or A v + C c. Cost: one pass."""
        if change.ndim == 2:
            return self.rows.forward(change)
        product = self.rows.forward(change[: self.num_penalised, None])[:, 0]
        c = change[self.num_penalised :]
        return product + self.unpenalised @ c if len(c) else product

    def gram(self) -> Tensor:
        """Return AᵀA, right in its lower triangle. Cost: one pass."""

        def part(piece: RowsPiece) -> list[Tensor]:
            gram = self.unpenalised.new_zeros(self.num_penalised, self.num_penalised)
            for _, written in self.rows.products.written([piece]):
                add_lower_gram(gram, written)
            return [gram]

        return ranks().summed(self.rows.pieces, part)[0]

    def reduce(self, x: Tensor) -> Tensor:
        """Return Aᵀ x. Cost: one pass, none for the vector that was given last."""
        if x.ndim == 2:
            return self.rows.adjoint(x) if x.shape[1] else x.new_empty(self.num_penalised, 0)
        if self._last is None or self._last[0] is not x or self._last[1] != x._version:
            self._last = x, x._version, self.rows.adjoint(x[:, None])[:, 0]
        return self._last[2]

    def weights(self, found: Tensor) -> Tensor:
        """Return what was found: M lives where the weights do."""
        return found

    def tiles(self) -> Iterator[tuple[slice, Tensor]]:
        """Yield the observation rows, a tile at a time. Cost: one pass."""
        return self.rows.products.written(self._observed_pieces)

    @property
    def _observed_pieces(self) -> list[RowsPiece]:
        rows, begin = self.rows, self.observed.start
        return [piece for piece in rows.pieces if rows.slices[piece.name].start >= begin]

    def of_observed(self, of_rows: Callable[[slice, Tensor], Tensor], size: int) -> Tensor:
        """Return what `of_rows` makes of the observation rows, a tile at a time. Cost: one pass."""
        begin = self.observed.start
        found = self.unpenalised.new_zeros(self.num_rows - begin, size)

        def fill(piece: RowsPiece) -> None:
            for places, written in self.rows.products.written([piece]):
                found[places.start - begin : places.stop - begin] = of_rows(places, written)

        ranks().filled(self._observed_pieces, [found], fill)
        return found

    def summed_over_observed(self, of_rows: Callable[[slice, Tensor], Tensor]) -> Tensor:
        """Return the sum of what `of_rows` makes of each tile of observations. Cost: one pass."""

        def part(piece: RowsPiece) -> list[Tensor]:
            return [torch.stack([of_rows(*t) for t in self.rows.products.written([piece])]).sum(0)]

        return ranks().summed(self._observed_pieces, part)[0]

    def triangle(self) -> Tensor:
        """Return R, one tile below the other. Cost: one pass, 2 N P² operations."""
        found, waiting = self.unpenalised.new_empty(0, self.num_penalised), []
        for _, written in self.rows.products.written():
            waiting.append(written.clone())
            if sum(len(w) for w in waiting) >= self.num_penalised:
                found = torch.linalg.qr(torch.cat([found, *waiting]), mode="r").R
                waiting = []
        return torch.linalg.qr(torch.cat([found, *waiting]), mode="r").R if waiting else found

    def row_squares(self, rows: slice) -> Tensor:
        """Return ‖a_i‖² of some rows of A, (n,). Cost: one pass."""
        return self.rows.row_squares(rows)

    def rows_at(self, places: Tensor) -> Tensor:
        """Return some observation rows of A, (k, P); only their points are propagated."""
        ordered = places.sort()
        found = self.unpenalised.new_empty(len(places), self.num_penalised)
        for part, rows in self.rows.some(ordered.values):
            found[ordered.indices[part]] = rows
        return found

    def unobserved(self) -> Tensor:
        """Return the rows that are no observations, (N − n, P). Cost: one pass."""
        found = self.unpenalised.new_empty(self.observed.start, self.num_penalised)
        for places, rows in self.rows.products.written():
            if places.start < self.observed.start:
                found[places] = rows
        return found


class NormalSystem(GramSystem[TiledColumns]):
    """`LinearisedSystem` of rows that are made anew in each pass.

    Args:
        rows: the Jacobian [A C], already scaled.
        num_unpenalised: K.
        observed: the rows that are observations.
    """

    def __init__(self, rows: LinearisedRows, num_unpenalised: int, observed: slice) -> None:
        super().__init__(TiledColumns(rows, num_unpenalised, observed))

    def fits(self, ridges: Sequence[float], b: Tensor) -> list[RidgeFit]:
        """Return the fit of b (N,) at each ridge, several of them in the eigenbasis."""
        if len(ridges) == 1 and isinstance(self.inverse, CholeskyInverse):
            return [fit_by_factor(self.columns, self.inverse, ridges[0], b)]
        return together(self.columns, self._seen(ridges, b), ridges)

    def best_fit(self, ridges: Sequence[float], b: Tensor) -> RidgeFit:
        """Return the fit of least risk; the others leave nothing but their risks."""
        seen = self._seen(ridges, b)

        def squares(places: slice, rows: Tensor) -> Tensor:
            return torch.stack([part.leave_one_out.square().sum() for part in seen(places, rows)])

        risks = self.columns.summed_over_observed(squares)
        return self.fits([ridges[int(risks.argmin())]], b)[0]

    def _seen(self, ridges: Sequence[float], b: Tensor) -> Seen:
        eigen = self.eigen
        seen = fits_by_spectrum(self.columns, eigen, ridges, b)
        return lambda places, rows: seen(places, rows @ eigen.vectors)

    def row_squares(self, rows: slice) -> Tensor:
        """Return ‖a_i‖² of some rows of A, (n,). Cost: one pass."""
        return self.columns.row_squares(rows)

    def unshrunk(self, ridge: float, rows: Tensor, residuals: Tensor) -> Tensor:
        """Return T_gg^(−1/2) r_g, (k,). Cost: k P² operations and P³."""
        columns, eigen = self.columns, self.eigen
        places = (self.observed.start + rows).sort()
        back = eigen.vectors / (eigen.eigenvalues + ridge).sqrt()
        by_column = eigen.inverse(ridge, columns.reduced)
        root = inverse_root(columns.schur(ridge, by_column, columns.products))

        def tiles() -> Iterator[tuple[Tensor, Tensor]]:
            for part, a in columns.rows.some(places.values):
                mixed = columns.unpenalised[places.values[part]] - a @ by_column
                yield places.indices[part], torch.cat([a @ back, mixed @ root], 1)

        return freed_by_tiles(tiles, residuals, back.shape[1] + root.shape[1])
