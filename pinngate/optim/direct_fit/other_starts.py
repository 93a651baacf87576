"""Places where a search may begin again: decades around one, the most promising first.

Positive coefficients and initial values that no sensor sees vary over decades, evenly as Sobol's
points do. A place promises what is left at the best initial state and functions of the problem
linearised there. Beside `levenberg_marquardt`, below `staged_search`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch.quasirandom import SobolEngine

from pinngate.optim.direct_fit.fitted_record import FittedRecord
from pinngate.optim.direct_fit.levenberg_marquardt import Iterate

Array = NDArray[np.float64]

MOST_DECADES = 10.0  # searched around each coefficient; of n, first a part of n⁻² of them
UNSEEN = 1e-6  # of the size of what is seen: the least where unseen fields may begin


class OtherStarts:
    """The places of one problem.

    Args:
        record: data and solutions.
    """

    def __init__(self, record: FittedRecord) -> None:
        self.record = record
        unknowns, seen = record.model.unknowns, {data.of for data in record.sets}
        self._is_partial = unknowns.form.axis is not None
        stated = enumerate(unknowns.coefficients.specifications, unknowns.scalars.start)
        self._positive = [k for k, coefficient in stated if coefficient.is_positive]
        fields = [field for field, _ in record.model.form.marched]
        numbers = [(k, b) for k, b in unknowns.initial.items() if b.basis is None]
        self._unseen = [block.part.start for k, block in numbers if fields[k] not in seen]

    def reaches(self, found: Iterate | None) -> list[float]:
        """Return decades to search around the start: of two coefficients fewer first, then all.

        Around more only where one of them is idle in what was found; in partial equations, whose
        marches take long, no further than first.
        """
        count = len(self._positive)
        is_idle = found is not None and self.has_idle(found)
        if not count or (count > 2 and not is_idle):
            return []
        first = MOST_DECADES / count**2
        return [first] if self._is_partial else sorted({first, MOST_DECADES})

    def has_idle(self, found: Iterate) -> bool:
        """Whether a positive coefficient has no effect at all, such as a cap that is never met."""
        return not np.any(found.jacobian[:, self._positive], axis=0).all()

    def best(self, center: Array, reach: float, num: int, ridge: Array) -> list[Iterate]:
        """Return places with a solution: the lowest of their surroundings first, by promise.

        Three of the most promising may lie in one basin; the lowest of each comes before others.

        Args:
            center: a place (P,).
            reach: in decades of the positive coefficients.
            num: of the places.
            ridge: the diagonal of Λ, (P,).

        Cost: `num` marches.
        """
        places = self._places(center, reach, num)
        tried = [(p, here) for p, place in places if (here := self.record.at(place)) is not None]
        if not tried:
            return []
        promises = np.array([self._promise(here, ridge) for _, here in tried])
        is_lowest = lowest(np.array([point for point, _ in tried]), promises)
        return [tried[k][1] for k in np.lexsort([promises, ~is_lowest])]

    def _places(self, center: Array, reach: float, num: int) -> Iterator[tuple[Array, Array]]:
        positive, unseen = self._positive, self._unseen
        if num < 1 or not (positive or unseen):
            return
        engine = SobolEngine(len(positive) + len(unseen))
        points = engine.draw(num, dtype=torch.float64).numpy()
        for point in points:
            place = center.copy()
            place[positive] += reach * np.log(10) * (2 * point[: len(positive)] - 1)
            place[unseen] = UNSEEN ** point[len(positive) :]
            yield point, place

    def _promise(self, here: Iterate, ridge: Array) -> float:
        """Return the loss at the best initial state and functions of the linearised problem."""
        at = self.record.model.unknowns.scalars.stop
        std = self.record.noise.values
        root = np.sqrt(ridge[at:])
        rows = np.concatenate([here.jacobian[:, at:] / std[:, None], np.diag(root)])
        right = np.concatenate([here.residual / std, root * here.theta[at:]])
        if not rows.shape[1]:
            return float(right @ right)
        change, *_ = np.linalg.lstsq(rows, -right, rcond=1e-12)
        with np.errstate(over="ignore"):  # a place that is far off
            return float(np.square(rows @ change + right).sum())


def lowest(points: Array, values: Array) -> NDArray[np.bool_]:
    """Return which points have a value below those of all neighbours, (n,).

    Neighbours are those of the Gabriel graph: no third point lies within the sphere whose poles
    they are (K. R. Gabriel, R. R. Sokal, Systematic Zoology 18, 1969, 259-278).

    Args:
        points: (n, d).
        values: (n,).

    Cost: n³ numbers.
    """
    square = np.square(points[:, None] - points).sum(-1)
    within = square[:, None, :] + square[None, :, :] < square[:, :, None]
    is_near = ~within.any(2) & ~np.eye(len(points), dtype=bool)
    return np.asarray(np.all(~is_near | (values[:, None] < values), axis=1))


__all__ = ["UNSEEN", "OtherStarts", "lowest"]
