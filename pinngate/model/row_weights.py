"""The factor on every residual row, and its inverse: one owner of all scalings.

A residual passes through four factors on its way to a row of the linearised problem:

1. `unit_factor`: over the characteristic size of its term, and times what its batch says of the
   point (column ``@row``: stated deviations of data, the local size of collocation residuals). It
   brings all terms to one unit and is applied where residuals are evaluated.
2. the weight of its term, the same for all its rows;
3. the root of its noise: relative precision of its set, less for an outlier.

Stands between the residuals and `pinngate.linear`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

ROW = "@row"  # column of a batch: a factor on each residual; without it every row counts alike


def unit_factor(size: float, columns: Mapping[str, Tensor], like: Tensor) -> Tensor:
    """Return what brings residuals of one term to the common unit, (n,).

    Args:
        size: characteristic size of the term over the common unit.
        columns: of the term's batch.
        like: a tensor (n,) of the type wanted.
    """
    return columns.get(ROW, torch.ones_like(like)) / size


def in_common_unit(amount: float, size: float) -> float:
    """Return an amount of a term's own unit, such as a stated deviation, in the common unit.

    Args:
        amount: in the term's own unit.
        size: as of `unit_factor`.
    """
    return amount / size


@dataclass(frozen=True)
class RowWeights:
    """Weights and roots of the rows of all terms; equations and conditions first, data last.

    Attributes:
        slices: rows of each term; terms that share a batch of points have rows of their own.
        by_term: weight of each term.
        observation_terms: names of the terms that are observations, in the order of their rows.
        roots: of the noise, (N,); None for ones.
        shifts: what is taken from residuals before the roots, (N,); None for zeros.
        tallies: as how many values each row counts for the size of the noise, (N,); None for ones.
        free: whose errors no bound has selected, (N,); None for all.
    """

    slices: Mapping[str, slice]
    by_term: Mapping[str, float]
    observation_terms: Sequence[str]
    roots: Tensor | None = None
    shifts: Tensor | None = None
    tallies: Tensor | None = None
    free: Tensor | None = None

    @property
    def num_rows(self) -> int:
        """N, rows of all terms."""
        return max(rows.stop for rows in self.slices.values())

    @property
    def observed(self) -> slice:
        """Rows of all observations."""
        return slice(self.slices[self.observation_terms[0]].start, self.num_rows)

    def counts(self) -> dict[str, int]:
        """Return the number of rows of each term."""
        return {name: rows.stop - rows.start for name, rows in self.slices.items()}

    def among_observed(self, name: str) -> slice:
        """Return the rows of an observation term, counted among those of all observations."""
        rows, start = self.slices[name], self.observed.start
        return slice(rows.start - start, rows.stop - start)

    def factors(self, like: Tensor) -> Tensor:
        """Return the weight of its term for every row, (N,), of the type of `like`."""
        found = like.new_empty(self.num_rows)
        for name, rows in self.slices.items():
            found[rows] = self.by_term[name]
        return found

    def weighted(self, plain: Tensor) -> Tensor:
        """Return rows (N,) that carry their term's weight with shifts and roots of the noise."""
        shifted = plain if self.shifts is None else plain - self.shifts
        return shifted if self.roots is None else self.roots * shifted

    def with_roots(self, roots: Tensor) -> RowWeights:
        """Return the same weights with roots (N,) of the noise."""
        return replace(self, roots=roots)

    def counted(self, name: str) -> Tensor:
        """Return the tallies of a term's rows, (n,)."""
        rows = self.slices[name]
        if self.tallies is not None:
            return self.tallies[rows]
        return torch.ones(rows.stop - rows.start)

    def are_equal(self, other: RowWeights) -> bool:
        """Whether every row has the same weight in both, roots included."""
        if self.by_term != other.by_term or self.slices != other.slices:
            return False
        if self.roots is None or other.roots is None:
            return self.roots is other.roots
        return bool((self.roots == other.roots).all())

    def unweighted(self, name: str, plain: Tensor, unit: float = 1.0) -> Tensor:
        """Return a term's residuals in units of `unit` from rows (N,) that carry its weight."""
        return plain[self.slices[name]] / (self.by_term[name] * unit)

    def unrooted(self, name: str, errors: Tensor) -> Tensor:
        """Return an observation term's errors without the roots, from those of all data (n,)."""
        own = errors[self.among_observed(name)]
        return own if self.roots is None else own / self.roots[self.slices[name]]
