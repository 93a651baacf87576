"""Factors of a matrix whose entries lie near the diagonal, with LAPACK.

Nodes that are numbered along lines have all neighbours within one line. Source: E. Anderson et al.,
LAPACK Users' Guide (1999), xGBTRF and xGBTRS: Gaussian elimination with row interchanges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dgbtrf, dgbtrs

Array = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class BandFactors:
    """P A = L U of a matrix with `width` diagonals on either side of the main one."""

    factors: Array
    pivots: NDArray[np.intc]
    width: int

    def solve(self, right: Array, *, is_transposed: bool = False) -> Array:
        """Return x with A x = b, or Aᵀ x = b, of b (N,) or (N, m). Cost: 6 N width m."""
        found, _ = dgbtrs(
            self.factors, self.width, self.width, right, self.pivots, trans=int(is_transposed)
        )
        return np.asarray(found)


class BandPattern:
    """Where entries go in the band.

    Args:
        rows: of all entries; those of the same place are added. Rows of N and above are left out.
        columns: of all entries.
        size: N.
    """

    def __init__(self, rows: Indices, columns: Indices, size: int) -> None:
        kept = rows < size
        self.width = int(np.abs(rows - columns)[kept].max(initial=0))
        self._shape = (2 * self.width + 1 + self.width, size)
        place = (2 * self.width + rows - columns) + columns * self._shape[0]
        self._place = np.where(kept, place, size * self._shape[0])

    def factored(self, values: Array) -> BandFactors | None:
        """Return the factors of the matrix of some values; None where it is singular.

        Cost: about 4 N width².
        """
        count = self._shape[0] * self._shape[1]
        flat = np.bincount(self._place, values, count + 1)[:count]
        band = flat.reshape(self._shape, order="F")
        factors, pivots, fault = dgbtrf(band, self.width, self.width, overwrite_ab=True)
        return BandFactors(factors, pivots, self.width) if fault == 0 else None


__all__ = ["BandFactors", "BandPattern"]
