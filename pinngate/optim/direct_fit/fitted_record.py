"""What a record of data says at θ: residuals and Jacobian, on a resolution that can be refined.

Between `exact_model` and the search. A record may end before the data do (`end_at`): residuals
beyond that are zero, and the solver goes no further.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.data.observations import ObservationSet
from pinngate.inference.series import correlation_in_set
from pinngate.optim.direct_fit.exact_model import Solution, stacked
from pinngate.optim.direct_fit.levenberg_marquardt import Iterate, NoiseScales
from pinngate.optim.direct_fit.marched_states import CannotMarch
from pinngate.optim.direct_fit.radau_march import MarchFailed
from pinngate.statement.linearity import is_linear

Array = NDArray[np.float64]

NUM_NODES = {2: 200, 4: 100}  # to begin with, by order of the differences
TOLERANCE = 1e-4
POOR = 0.3  # of the data's variance left unexplained: the start was bad
PATTERN = 2 / 3  # correlation of neighbouring residuals: a pattern of twice the noise's variance


class FittedRecord:
    """The data of one problem beside its solutions.

    Args:
        model: θ ↦ solution: an `ExactModel`, or what answers the same.
        sets: the observations.

    Attributes:
        noise: standard deviations of all values.
        resolution: what is solved on.
        has_one_minimum: whether only numbers are unknown and all is linear in them: no start is bad
            then, and what is unexplained is noise.
    """

    def __init__(self, model: Any, sets: Sequence[ObservationSet]) -> None:
        self.model, self.sets = model, list(sets)
        self._values = np.concatenate([data.values for data in sets])
        self._spreads = [float(np.std(d.values)) or _largest(d.values) for d in sets]
        self.noise = NoiseScales(sets, self._spreads)
        self.resolution: Any = model.first_resolution(NUM_NODES[model.accuracy], TOLERANCE)
        self.has_one_minimum = model.form.axis is None and is_linear(model.problem)
        self._last: tuple[Solution, Iterate] | None = None

    @property
    def num_nodes(self) -> int:
        """Nodes in space."""
        return len(self.resolution.line.nodes)

    def at(self, theta: Array) -> Iterate | None:
        """Solve at θ unless that was just done; None where there is no solution."""
        if self._last is not None and self._last[1].theta is theta:
            return self._last[1]
        self._last = None
        try:
            solution = self.model.solve(theta, self.resolution)
            with np.errstate(all="ignore"):
                read = [self.model.readings(solution, theta, data) for data in self.sets]
        except (MarchFailed, ArithmeticError, ValueError):
            return None
        values, jacobian = stacked(read)
        seen = self.noise.active
        residual = self._whitened(np.where(seen, values - self._values, 0.0))
        jacobian = self._whitened(np.where(seen[:, None], jacobian, 0.0))
        if not (np.isfinite(residual).all() and np.isfinite(jacobian).all()):
            return None
        frame = self.model.windowing
        found = self.noise.judged(Iterate(theta, residual, jacobian, frame=frame))
        self._last = solution, found
        return found

    def _whitened(self, rows: Array) -> Array:
        """Return rows of all values, (n,) or (n, P), freed of what errors remember."""
        pairs = zip(self.noise.parts, self.sets, strict=True)
        return np.concatenate([data.whitened(rows[part]) for part, data in pairs])

    def solution(self, theta: Array) -> Solution:
        """Return the solution at θ with its tangents.

        Raises:
            CannotMarch: there is none.
        """
        if self.at(theta) is None or self._last is None:
            raise CannotMarch("the equations have no solution at the answer")
        return self._last[0]

    def adapt(self, theta: Array, num_nodes: int, tolerance: float) -> None:
        """Let the nodes follow the solution at θ."""
        solution = self.solution(theta)
        self.resolution = self.model.adapted_resolution(solution, num_nodes, tolerance)
        self._last = None

    def forget(self) -> None:
        """Solve anew where it is asked for a solution again."""
        self._last = None

    @property
    def variances(self) -> Array:
        """The variance of the set that each value belongs to, (n,)."""
        sizes = [len(data.values) for data in self.sets]
        return np.repeat(np.square(self._spreads), sizes)

    def end_at(self, share: float) -> int:
        """Let the record end at a share of the time axis; return how many values are left."""
        start, end = self.model.problem.domain["t"]
        self.model.horizon = start + share * (end - start)
        self.noise.active = self._times <= self.model.horizon
        self._last = None
        return int(self.noise.active.sum())

    def share_of(self, count: int) -> float:
        """Return the share of the time axis that holds so many of the first values."""
        start, end = self.model.problem.domain["t"]
        times = np.sort(self._times)
        return float((times[min(count, len(times)) - 1] - start) / (end - start))

    def share_before(self, marked: NDArray[np.bool_]) -> float:
        """Return the share of the time axis up to the last value before all that are marked."""
        start, end = self.model.problem.domain["t"]
        earliest = self._times[marked].min(initial=np.inf)
        last = self._times[self._times < earliest].max(initial=start)
        return float((last - start) / (end - start)) if np.isfinite(earliest) else 1.0

    @cached_property
    def _times(self) -> Array:
        column = self.model.problem.axes.index("t")
        return np.concatenate([data.points[:, column] for data in self.sets])

    def has_pattern(self, found: Iterate) -> bool:
        """Whether neighbouring residuals of a set share more than a pattern of the noise's size."""
        time = self.model.problem.axes.index("t")
        for part, data in zip(self.noise.parts, self.sets, strict=True):
            own = self.noise.free[part]
            alike = correlation_in_set(data.points[own], found.residual[part][own], time)
            if alike is not None and alike.is_clear and alike.coefficient > PATTERN:
                return True
        return False

    def unexplained(self, found: Iterate) -> float:
        """Return the largest share of its variance that a set leaves unexplained so far."""
        shares = [0.0]
        for part, spread, data in zip(self.noise.parts, self._spreads, self.sets, strict=True):
            count = int(self.noise.active[part].sum())
            if count and not data.is_prior:
                shares.append(float(np.square(found.residual[part] / spread).sum() / count))
        return max(shares)

    def unlikeliness(self, found: Iterate) -> float:
        """Return −2 log L of all values, that of a set without stated noise at its likeliest.

        How rough a function is has no scale of its own, and does not count.
        """
        total = 0.0
        for part, spread, data in zip(self.noise.parts, self._spreads, self.sets, strict=True):
            if data.is_roughness:
                continue
            size = spread if data.std is None else data.std
            squares = np.square(found.residual[part] / size)
            is_stated = data.std is not None or data.is_prior
            left = max(float(squares.mean()), float(np.finfo(float).tiny))
            total += len(squares) * (left if is_stated else np.log(left))
        return float(total)


def _largest(values: Array) -> float:
    return float(np.abs(values).max()) or 1.0
