"""What each figure shows, in words: for those who do not see it.

Part of the report. Each text names what is drawn and the numbers that the eye would take from it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.report.archive import RunArchive
from pinngate.report.notation import percent, significant, with_uncertainty


def alternative(archive: RunArchive, name: str, heading: str) -> str:
    """Return the text of a figure.

    Args:
        archive: the run.
        name: as `figures_of` names figures, ``fit_2``.
        heading: what stands above it.
    """
    kind, _, suffix = name.partition("_")
    tell = _TEXTS.get(kind)
    told = tell(archive, suffix) if tell is not None else ""
    return f"{heading}: {told}" if told else heading


def _field(archive: RunArchive, suffix: str) -> str:
    name = suffix or archive.problem.unknowns[0]
    values = archive.solution.get(name)
    if values is None:
        return ""
    axes = [axis for axis in archive.problem.axes if axis in archive.solution]
    told = f"{name} over {' and '.join(axes)}, from {_range(values)}"
    std = archive.std(name)
    if std is not None and np.isfinite(std).any():
        middle, most = float(np.nanmedian(std)), float(np.nanmax(std))
        told += f"; its standard deviation is {significant(middle)} in the median"
        told += f" and at most {significant(most)}"
    return told


def _error(archive: RunArchive, suffix: str) -> str:
    name = suffix or archive.problem.unknowns[0]
    truth = archive.truth(name)
    if truth is None:
        return ""
    error = np.abs(archive.solution[name] - truth)
    told = f"{name} is at most {significant(float(np.nanmax(error)))} off the truth"
    whole = archive.number("fields", name, "relative_l2")
    return told if whole is None else f"{told}, {percent(whole)} in relative L2"


def _set(archive: RunArchive, suffix: str) -> dict[str, NDArray[Any]]:
    sets = archive.observation_sets()
    number = int(suffix) if suffix.isdigit() else 1
    return sets[number - 1][2] if 0 < number <= len(sets) else {}


def _fit(archive: RunArchive, suffix: str) -> str:
    columns = _set(archive, suffix)
    if not columns:
        return ""
    residual = columns["residual"].astype(float)
    residual = residual[np.isfinite(residual)]
    if not residual.size:
        return ""
    spread = float(residual.std())
    far = int((np.abs(residual) > 3 * spread).sum())
    return (
        f"{residual.size:,} values; the residuals have mean {significant(float(residual.mean()))} "
        f"and standard deviation {significant(spread)}, {far or 'none'} beyond three of them"
    )


def _coefficients(archive: RunArchive, _: str) -> str:
    told = []
    for name in archive.section("coefficients"):
        estimate, std = (archive.number("coefficients", name, k) for k in ("estimate", "std"))
        told.append(f"{name} ended at {with_uncertainty(estimate, std)}")
    return "; ".join(told)


def _course(column: str, what: str) -> Callable[[RunArchive, str], str]:
    def told(archive: RunArchive, _: str) -> str:
        values = archive.history.get(column, np.zeros(0))
        values = values[np.isfinite(values)]
        if not values.size:
            return ""
        first, last = significant(float(values[0])), significant(float(values[-1]))
        return f"{what} goes from {first} to {last} in {values.size} logged iterations"

    return told


def _range(values: NDArray[Any]) -> str:
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return f"{significant(low)} to {significant(high)}"


_TEXTS: dict[str, Callable[[RunArchive, str], str]] = {
    "solution": _field,
    "slices": _field,
    "field": _field,
    "error": _error,
    "fit": _fit,
    "residuals": _fit,
    "series": _fit,
    "coefficients": _coefficients,
    "training": _course("loss", "the loss"),
    "risk": _course("leave_one_out_risk", "the leave-one-out risk"),
    "gate": _course("open_fraction", "the open share of the gate"),
}
