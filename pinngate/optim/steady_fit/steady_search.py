"""Least squares for the numbers of a steady problem, on grids made finer until nothing moves.

Between `steady_model` and `direct_fit.through_solver`, whose `DirectFit` is the answer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pinngate.optim.direct_fit.fitted_record import FittedRecord
from pinngate.optim.direct_fit.levenberg_marquardt import Iterate
from pinngate.optim.direct_fit.marched_states import CannotMarch
from pinngate.optim.direct_fit.staged_search import (
    MOST_NODES,
    NUM_PLACES,
    SHIFT,
    SolverError,
    StagedSearch,
)
from pinngate.optim.steady_fit.steady_model import SteadyModel

Array = NDArray[np.float64]


class SteadyRecord(FittedRecord):
    """The data beside solutions on elements; `resolution` is their number along each axis."""

    model: SteadyModel
    resolution: int

    @property
    def num_nodes(self) -> int:
        """Elements along an axis, the fewest."""
        return self.resolution

    @property
    def next_size(self) -> int:
        """Nodes of a grid twice as fine."""
        return self.model.grid(2 * self.resolution).size

    @property
    def coarser(self) -> int:
        """Elements along each axis of the grid before, whose error moved nothing."""
        return self.resolution // 2

    def refine(self) -> None:
        """Halve every element."""
        self.resolution, self._last = 2 * self.resolution, None

    def has_pattern(self, found: Iterate) -> bool:
        """Neighbours in a plane have no order; the misfit of the answer tells of patterns."""
        return False


class SteadySearch(StagedSearch):
    """The search on one problem.

    Attributes:
        start: where it ended on the grid before the last one.
    """

    record: SteadyRecord
    start: Array

    def run(self, theta: Array) -> Iterate:
        """Return the best iterate from a start, on a grid whose error is small.

        Raises:
            CannotMarch: no solution was found.
        """
        found = self._ended(self.steps.run(theta, self.max_iterations))
        for reach in self._starts.reaches(found)[:1]:
            if found is None or self.is_poor(found):
                scanned = self._scanned(theta, reach, NUM_PLACES, self.max_iterations)
                found = self._better(found, scanned)
        if found is None:
            raise CannotMarch("no solution was found from the start")
        self.chosen = found.theta
        return found if self.record.unexplained(found) > 1 else self._refined(found)

    def _refined(self, found: Iterate) -> Iterate:
        """Halve the elements until that moves little; their error is of the second order."""
        model = self.record.model
        most = MOST_NODES * 2 ** (2 * len(model.problem.axes) - 1)
        self.start = found.theta
        while self.error.shift >= SHIFT and self.record.next_size <= most:
            coarse, self.start = found.residual, found.theta
            self.record.refine()
            fine = self.record.at(found.theta.copy())
            if fine is None:
                raise CannotMarch("the refined solver finds no solution")
            finer = 2**model.accuracy
            rest = (fine.residual - coarse) / self.record.noise.values / (finer - 1)
            self.error = SolverError(float(np.abs(rest).max()), self._shift(fine, rest))
            found = self.steps.run(fine.theta, self.max_iterations) or fine
        return found


__all__ = ["SteadyRecord", "SteadySearch"]
