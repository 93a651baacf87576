"""What residuals and errors say in numbers: means along an axis, scores that intervals hold or not.

Part of the report, for figures and for the words beside them; nothing is drawn here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.report.archive import RunArchive
from pinngate.report.notation import mathtext

FEWEST = 8  # values below which a scatter says nothing
MOST_DOTS = 4000
BINS = 12  # of a running mean along an axis
NEIGHBOURS = 5  # at least, in each of them
Array = NDArray[np.float64]


def running_mean(x: NDArray[Any], residual: NDArray[Any]) -> tuple[Array, Array, Array] | None:
    """Return places, means and standard errors of neighbouring residuals; None of too few."""
    num_groups = min(BINS, residual.size // NEIGHBOURS)
    if num_groups < 3:
        return None
    groups = np.array_split(np.argsort(x, kind="stable"), num_groups)
    at = np.array([x[g].mean() for g in groups])
    means = np.array([residual[g].mean() for g in groups])
    errors = np.array([residual[g].std(ddof=1) / np.sqrt(g.size) for g in groups])
    return at, means, errors


def coverage_scores(archive: RunArchive) -> list[tuple[str, Array]]:
    """Return (of what, errors over their standard deviation): of the truth, of values left out."""
    return [*_of_truth(archive), *_of_values(archive)]


def _of_truth(archive: RunArchive) -> list[tuple[str, Array]]:
    """Return the errors of the fields over their standard deviations, where both are known."""
    found = []
    for name in archive.problem.unknowns[:2]:
        truth, std = archive.truth(name), archive.std(name)
        if truth is None or std is None:
            continue
        known = np.isfinite(truth) & (std > 0)
        scores = ((archive.solution[name] - truth)[known] / std[known]).ravel()
        if scores.size:
            found.append((f"the truth of {mathtext(name)}, on the grid", _thinned(scores)))
    return found


def _of_values(archive: RunArchive) -> list[tuple[str, Array]]:
    """Return leave-one-out residuals over their own standard deviation, of all sets together."""
    parts = []
    for _, _, columns in archive.observation_sets():
        left_out = columns.get("leave_one_out_residual", np.zeros(0))
        left_out = left_out[np.isfinite(left_out)]
        noise = (
            archive.number("noise_std_by_set", str(columns["set"][0])) if left_out.size else None
        )
        if noise:
            parts.append(left_out / noise)
    if not parts or sum(map(len, parts)) < FEWEST:
        return []
    return [("values left out", _thinned(np.concatenate(parts)))]


def _thinned(values: NDArray[Any]) -> Array:
    return np.asarray(values[some(values.size)])


def some(size: int) -> NDArray[Any]:
    """Return the indices of all, or of some at random where they are very many."""
    if size <= MOST_DOTS:
        return np.arange(size)
    return np.random.default_rng(0).choice(size, MOST_DOTS, replace=False)
