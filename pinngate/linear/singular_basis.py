"""Coordinates in the singular basis of A = U S Vᵀ, U never formed.

S and V come from the triangle of a QR factorisation of A. Uᵀx solves the corrected seminormal
equations, Uᵀx ← S⁻¹ Vᵀ Aᵀ x and then the same of what is left (Å. Björck, Linear Algebra Appl.
88/89, 1987), so that the rows of A may be held or made anew. Below `leave_one_out` and `factored`,
which answer in these coordinates what a linearisation is asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import torch
from torch import Tensor

from pinngate.linear.columns import GramColumns

NEGLIGIBLE = 1e-14  # singular values below this fraction of the largest are rounding
MOST_KEPT = 50_000_000  # numbers of U, 400 MB, that are kept between questions
CORRECTIONS = 2  # of the seminormal equations: each gains as many digits as the condition leaves


class SingularBasis:
    """The m singular directions of A that are no rounding.

    Args:
        columns: A and C in the normal form.

    Cost: 2 N P² for the triangle, some 20 P³ for the singular values, once.
    """

    def __init__(self, columns: GramColumns) -> None:
        self.columns = columns
        self._kept: list[tuple[slice, Tensor]] | None = None

    @cached_property
    def factors(self) -> tuple[Tensor, Tensor]:
        """s (m,) and V (P, m)."""
        _, s, vh = torch.linalg.svd(self.columns.triangle(), full_matrices=False)
        kept = s > NEGLIGIBLE * s[0]
        return s[kept], vh[kept].T

    def coordinates(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return Uᵀ x (m, …), and what of x (N, …) is outside of A's range."""
        s, v = self.factors
        scale = s if x.ndim == 1 else s[:, None]
        found: Tensor | float = 0.0
        outside = x
        for _ in range(1 + CORRECTIONS):
            found = found + v.T @ self.columns.reduce(outside) / scale
            outside = x - self.columns.apply(v @ (found / scale))
        return torch.as_tensor(found), outside

    @cached_property
    def unpenalised(self) -> tuple[Tensor, Tensor]:
        """Uᵀ C (m, K), and the part of C that A cannot reach, (N, K)."""
        c = self.columns.unpenalised
        if not c.shape[1]:
            return c.new_empty(len(self.factors[0]), 0), c
        return self.coordinates(c)

    def left(self, ridge: float) -> Tensor:
        """Return 1 − φ (m,), what a ridge leaves of each direction."""
        return ridge / (self.factors[0].square() + ridge)

    def schur(self, ridge: float, inside: Tensor, outside: Tensor) -> Tensor:
        """Return Cᵀ T_A x, for x (N, …) inside and outside of A's range."""
        own, beyond = self.unpenalised
        left = self.left(ridge)
        kept = left * inside if inside.ndim == 1 else left[:, None] * inside
        return own.T @ kept + beyond.T @ outside

    def observed_rows(self) -> Iterable[tuple[slice, Tensor]]:
        """Yield the observation rows of U in tiles; they are kept where they are few."""
        s, v = self.factors
        if self._kept is not None:
            return self._kept
        made = ((places, rows @ (v / s)) for places, rows in self.columns.tiles())
        observed = self.columns.observed
        if (observed.stop - observed.start) * len(s) > MOST_KEPT:
            return made
        self._kept = list(made)
        return self._kept
