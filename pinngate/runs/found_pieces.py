"""Functions that are constant on pieces in an answer: their map, and where the prior is the answer.

The value of each piece is a coefficient like any other, with its own interval. Part of `judgement`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.inference.posterior import CoefficientInterval
from pinngate.points.grid import Grid
from pinngate.runs.metrics import Z_95, relative_l2
from pinngate.statement.piece_values import on_pieces
from pinngate.statement.problem import Problem
from pinngate.statement.unknown_quantities import Pieces

Array = NDArray[np.float64]
Entries = Sequence[Mapping[str, Any]]


def piece_entries(
    problem: Problem,
    found: Mapping[str, Mapping[str, Any]],
    grid: Grid,
    solution: dict[str, Array],
) -> dict[str, Any]:
    """Return the entries of functions on pieces, like those of coefficient fields.

    Args:
        problem: states the pieces.
        found: the entries of the coefficients.
        grid: of the fields.
        solution: takes the maps ``k``, ``k_std`` and ``k_truth``, where they are.
    """
    entries = {}
    for own in problem.pieces:
        area, pieces = grid.restricted(own.over), [found[name] for name in own.members]
        for key, suffix in {"estimate": "", "std": "_std", "truth": "_truth"}.items():
            if any(piece[key] is not None for piece in pieces):
                values = _on_grid(own, pieces, key, area)
                solution[own.name + suffix] = area.spread(values)
        entries[own.name] = _entry(own, pieces, area, solution)
    return entries


def deviations_on_pieces(
    problem: Problem, intervals: Mapping[str, CoefficientInterval], points: Array
) -> dict[str, Array]:
    """Return ``<name>_std`` of every function on pieces at points (n, axes), (n,)."""
    stds = {name: interval.std for name, interval in intervals.items()}
    return {f"{name}_std": std for name, std in on_pieces(problem, stds, points).items()}


def _on_grid(own: Pieces, pieces: Entries, key: str, area: Grid) -> Array:
    """Return a number of each piece at the points of a grid of its axes; NaN where there is none.

    A point on a break counts for the piece after it, so that a map shows no values in between.
    """
    columns = [list(area.columns).index(axis) for axis in own.over]
    cell = own.function.cells([area.points[:, k] for k in columns])[-1]
    return np.array([np.nan if p[key] is None else p[key] for p in pieces])[cell]


def _entry(
    own: Pieces, pieces: Entries, area: Grid, solution: Mapping[str, Array]
) -> dict[str, Any]:
    value, truth = solution[own.name][area.inside], solution.get(f"{own.name}_truth")
    stds = [piece["std"] for piece in pieces]
    entry = dict.fromkeys(("relative_l2", "max_abs", "coverage_95"))
    if truth is not None:
        entry = {
            "relative_l2": relative_l2(value, truth[area.inside], area.weights),
            "max_abs": float(np.nanmax(np.abs(value - truth[area.inside]))),
            "coverage_95": _coverage(pieces),
        }
    return {
        **entry,
        "range": [float(np.min(value)), float(np.max(value))],
        "half_width": None if None in stds else float(Z_95 * np.mean(stds)),
        "breaks": dict(zip(own.over, map(list, own.breaks), strict=True)),
        "count": len(pieces),
        "from_prior": list(_from_prior(own, pieces)),
    }


def _from_prior(own: Pieces, pieces: Entries) -> list[str]:
    """Return the pieces of which the prior tells more than the data."""
    shares = [piece.get("prior_share") or 0.0 for piece in pieces]
    return [name for name, share in zip(own.members, shares, strict=True) if share > 1 - share]


def _coverage(pieces: Entries) -> float | None:
    """Return the share of pieces whose interval holds the truth."""
    ends = [piece["interval_95"] for piece in pieces]
    if None in ends:
        return None
    pairs = zip(ends, pieces, strict=True)
    return float(np.mean([low <= piece["truth"] <= high for (low, high), piece in pairs]))


__all__ = ["deviations_on_pieces", "piece_entries"]
