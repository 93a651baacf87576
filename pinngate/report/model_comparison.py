"""Which of several models the same data prefer: paired leave-one-out densities.

Every value that a model was not shown has a log density under it, −½ log s² − e²/2s², with e its
leave-one-out residual and s² the mean square of these in its set. Of two models the differences,
value by value, have a mean and a standard error; their ratio is asymptotically normal where neither
is nearer to the truth (Q. H. Vuong, Econometrica 57, 1989, 307-333). Part of `comparison`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.report.archive import RunArchive

Array = NDArray[np.float64]

TOLD_APART = 2.0  # standard errors


@dataclass(frozen=True)
class Preference:
    """How much the data prefer one model to another.

    Attributes:
        one: the name of the one of greater density.
        other: of the other.
        difference: of the log densities of all values, ≥ 0.
        standard_error: of it.
    """

    one: str
    other: str
    difference: float
    standard_error: float

    @property
    def ratio(self) -> float:
        """The difference in standard errors."""
        return self.difference / self.standard_error if self.standard_error > 0 else 0.0

    def __str__(self) -> str:
        if self.ratio < TOLD_APART:
            return (
                f"the data do not tell {self.one} and {self.other} apart: "
                f"{self.ratio:.1f} standard errors"
            )
        return f"the data prefer {self.one} to {self.other}: {self.ratio:.1f} standard errors"


def preferences(runs: Sequence[RunArchive], names: Sequence[str]) -> list[Preference]:
    """Return how much the data prefer the best of some runs to each other one, best first.

    Runs on other data than the first, and runs without leave-one-out residuals, are left out.
    """
    found: list[tuple[str, Array, Array]] = []
    for run, name in zip(runs, names, strict=True):
        own = _densities(run)
        if own is not None and (not found or np.array_equal(own[0], found[0][1])):
            found.append((name, *own))
    if len(found) < 2:
        return []
    found.sort(key=lambda one: -float(one[2].sum()))
    best, _, own_density = found[0]
    return [Preference(best, name, *_difference(own_density, d)) for name, _, d in found[1:]]


def _difference(one: Array, other: Array) -> tuple[float, float]:
    """Return Σ d and its standard error for paired densities (n,)."""
    d = one - other
    return float(d.sum()), float(np.sqrt(len(d)) * np.std(d, ddof=1)) if len(d) > 1 else 0.0


def _densities(run: RunArchive) -> tuple[Array, Array] | None:
    """Return the data (n, columns) that were fitted, and the log density of each left out."""
    data, found = [], []
    for _, _, columns in run.observation_sets():
        errors = np.asarray(_of(columns, "leave_one_out_residual"), dtype=float)
        usable = np.isfinite(errors)
        if not usable.any():
            return None
        square = float(np.mean(errors[usable] ** 2)) or 1e-300
        found.append(-0.5 * np.log(square) - 0.5 * errors[usable] ** 2 / square)
        axes = [_of(columns, axis) for axis in run.problem.axes]
        data.append(np.column_stack([*axes, _of(columns, "value")])[usable])
    return (np.concatenate(data), np.concatenate(found)) if found else None


def _of(columns: Any, name: str) -> Array:
    return np.asarray(columns[name], dtype=float)


__all__ = ["Preference", "preferences"]
