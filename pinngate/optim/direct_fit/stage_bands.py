"""The linear systems of an implicit step in LAPACK's band storage.

Between `semidiscrete` and `radau_march`. Unknown n of stage i has the number 3n + i, so that the
band is three times as wide as that of the rows. Source: E. Anderson et al., LAPACK Users' Guide
(1999), §5.3.3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dgbtrf, dgbtrs

from pinngate.optim.direct_fit.semidiscrete import Linear, SemiDiscrete

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

ROOT = np.sqrt(6.0)
NODES = np.array([(4 - ROOT) / 10, (4 + ROOT) / 10, 1.0])
WEIGHTS = np.array(
    [
        [(88 - 7 * ROOT) / 360, (296 - 169 * ROOT) / 1800, (-2 + 3 * ROOT) / 225],
        [(296 + 169 * ROOT) / 1800, (88 + 7 * ROOT) / 360, (-2 - 3 * ROOT) / 225],
        [(16 - ROOT) / 36, (16 + ROOT) / 36, 1 / 9],
    ]
)
INVERSE = np.linalg.inv(WEIGHTS)
STAGES = 3
REAL = 3 + 3 ** (2 / 3) - 3 ** (1 / 3)  # the real eigenvalue of A⁻¹


class StageBands:
    """The matrix of the three stages, and that of the error estimate, in LAPACK's band storage."""

    def __init__(self, system: SemiDiscrete) -> None:
        self.size = system.size
        (row, column), (rate_row, rate_column) = system.state_entries, system.rate_entries
        s = np.arange(STAGES)
        i, j = (a.ravel() for a in np.meshgrid(s, s, indexing="ij"))
        rows = [(row[:, None] * STAGES + s).ravel(), (rate_row[:, None] * STAGES + i).ravel()]
        columns = [
            (column[:, None] * STAGES + s).ravel(),
            (rate_column[:, None] * STAGES + j).ravel(),
        ]
        self._pairs = i, j
        self._stages = _Band(np.concatenate(rows), np.concatenate(columns), STAGES * self.size)
        self._single = _Band(
            np.concatenate([row, rate_row]), np.concatenate([column, rate_column]), self.size
        )

    def stages(self, linear: Linear, h: float) -> Factored:
        """Return the matrix of the stages, ∂R/∂U + (A⁻¹ ⊗ ∂R/∂U')/h, (3N, 3N), factorised."""
        i, j = self._pairs
        rates = linear.by_rate[:, i] * (INVERSE[i, j] / h)
        return self._stages.factored(np.concatenate([linear.by_state.ravel(), rates.ravel()]))

    def single(self, linear: Linear, h: float) -> Factored:
        """Return that of the error estimate at the end of the step, (N, N), factorised."""
        rates = linear.by_rate[:, -1] * (REAL / h)
        return self._single.factored(np.concatenate([linear.by_state[:, -1], rates]))


class _Band:
    """Entries of a banded matrix, those at one place summed."""

    def __init__(self, rows: Indices, columns: Indices, size: int) -> None:
        self.lower = int(np.max(rows - columns, initial=0))
        self.upper = int(np.max(columns - rows, initial=0))
        self.height, self.size = 2 * self.lower + self.upper + 1, size
        self._flat = columns * self.height + self.lower + self.upper + rows - columns

    def factored(self, entries: Array) -> Factored:
        flat = np.bincount(self._flat, entries, minlength=self.height * self.size)
        band = flat.reshape(self.size, self.height).T
        if not np.isfinite(flat).all():
            raise ArithmeticError("the equations have no finite derivative")
        factor, pivots, info = dgbtrf(band, self.lower, self.upper, overwrite_ab=True)
        if info != 0:
            raise ArithmeticError("the rows do not determine the state")
        return Factored(factor, pivots, self.lower, self.upper)


@dataclass(frozen=True)
class Factored:
    """The LU factors of a banded matrix."""

    factor: Array
    pivots: Indices
    lower: int
    upper: int

    def solve(self, right: Array) -> Array:
        """Return the solutions of right sides (size,) or (size, k)."""
        x, _ = dgbtrs(self.factor, self.lower, self.upper, right, self.pivots)
        return np.asarray(x)
