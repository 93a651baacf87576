"""Rows that are mixed before they are fitted: F (A v + C c + b) in place of A v + C c + b.

F (N, N) is symmetric and leaves observations alone; it weighs some combinations of the other rows
more than others, where a weight for each row can only weigh points. Between `linearisation` and
`factored`, whatever holds the rows below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from pinngate.linear.columns import GramColumns

Mixing = Callable[[Tensor], Tensor]
"""F x for x (N, …), or for its first rows, those that are no observations."""


class MixedColumns(GramColumns):
    """F A and F C.

    Args:
        columns: A and C, in the normal form.
        mixing: F.

    Cost: that of F beside each product; the rows that are no observations are held once.
    """

    def __init__(self, columns: GramColumns, mixing: Mixing) -> None:
        self.columns, self.mixing = columns, mixing
        super().__init__(
            (columns.num_rows, columns.num_penalised),
            mixing(columns.unpenalised),
            columns.observed,
            is_dual=False,
        )

    def apply(self, change: Tensor) -> Tensor:
        """Return F A v, or F (A v + C c)."""
        return self.mixing(self.columns.apply(change))

    def gram(self) -> Tensor:
        """Return Aᵀ F² A."""
        triangle = self.triangle()
        return triangle.T @ triangle

    def reduce(self, x: Tensor) -> Tensor:
        """Return Aᵀ F x."""
        return self.columns.reduce(self.mixing(x))

    def weights(self, found: Tensor) -> Tensor:
        """Return what was found: M lives where the weights do."""
        return found

    def tiles(self) -> Iterator[tuple[slice, Tensor]]:
        """Yield the observation rows, which are not mixed."""
        return self.columns.tiles()

    def of_observed(self, of_rows: Callable[[slice, Tensor], Tensor], size: int) -> Tensor:
        """Return what `of_rows` makes of the observation rows, which are not mixed."""
        return self.columns.of_observed(of_rows, size)

    def triangle(self) -> Tensor:
        """Return R, observations below the rows that are mixed."""
        found = self.mixing(self.columns.unobserved())
        for _, rows in self.tiles():
            found = torch.linalg.qr(torch.cat([found, rows]), mode="r").R
        return found

    def unobserved(self) -> Tensor:
        """Return the rows that are mixed, (N − n, P)."""
        return self.mixing(self.columns.unobserved())

    def row_squares(self, rows: slice) -> Tensor:
        """Return ‖a_i‖² of some observations."""
        return self.columns.row_squares(rows)

    def rows_at(self, places: Tensor) -> Tensor:
        """Return some observation rows, (k, P)."""
        return self.columns.rows_at(places)
