"""Which of several models the same data prefer: paired leave-one-out densities.

Every value that a model was not shown has a log density under it, −½ log s² − e²/2s², with e its
leave-one-out residual and s² the mean square of these in its set. Of two models the differences,
value by value, have a mean and a standard error; their ratio is asymptotically normal where neither
is nearer to the truth (Q. H. Vuong, Econometrica 57, 1989, 307-333). Part of `comparison`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.report.archive import RunArchive

Array = NDArray[np.float64]

TOLD_APART = 2.0  # standard errors


@dataclass(frozen=True)
class Candidate:
    """One of several models of the same values.

    Attributes:
        name: of it.
        size: how many coefficients and functions it leaves to the data.
        density: log density of each value left out, (n,).
    """

    name: str
    size: int
    density: Array


@dataclass(frozen=True)
class Preference:
    """How much the data prefer one model to another.

    Attributes:
        one: the name of the one of greater density.
        other: of the other.
        difference: of the log densities of all values, ≥ 0 where the one is the denser.
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


def candidate_of(run: RunArchive, name: str) -> Candidate | None:
    """Return a run as a candidate, None where it has no leave-one-out residuals."""
    own, problem = _densities(run), run.problem
    size = len(problem.shown_coefficients) + len(problem.coefficient_fields)
    return own and Candidate(name, size + len(problem.field_functions), own[1])


def ranked(candidates: Sequence[Candidate]) -> list[Preference]:
    """Return how much the data prefer the one that is chosen to itself and each other one.

    Chosen is, of those that the data do not tell from the one of greatest density, the smallest:
    of two models that are both right and one of which holds the other, the larger one has the
    greater density half of the time. Of equally small ones the denser is chosen. The chosen one
    comes first, with a difference of zero; then the others by density. A difference is below zero
    where the other has the greater density.

    Args:
        candidates: one at least, of the same values.
    """
    best = max(candidates, key=lambda one: float(one.density.sum()))
    among = [one for one in candidates if _preferred(best, one).ratio < TOLD_APART]
    chosen = min(among, key=lambda one: (one.size, -float(one.density.sum())))
    others = sorted(candidates, key=lambda one: -float(one.density.sum()))
    return [_preferred(chosen, chosen)] + [
        _preferred(chosen, one) for one in others if one is not chosen
    ]


def _preferred(one: Candidate, other: Candidate) -> Preference:
    return Preference(one.name, other.name, *_difference(one.density, other.density))


def lead_in_words(preference: Preference, sizes: Mapping[str, int]) -> str:
    """Return how a chosen model stands to another one.

    Args:
        preference: for the chosen one.
        sizes: of both.
    """
    one, other, ratio = preference.one, preference.other, preference.ratio
    if ratio >= TOLD_APART:
        return f"the data prefer {one}: {ratio:.1f} standard errors before {other}"
    told = f"{one} and {other} cannot be told apart: {abs(ratio):.1f} standard errors"
    if sizes[one] >= sizes[other]:
        return told
    return f"{told}; {one} is the smaller, {sizes[one]} unknowns against {sizes[other]}"


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


__all__ = ["Candidate", "Preference", "candidate_of", "lead_in_words", "preferences", "ranked"]
