"""What each figure shows, in words: for those who do not see it.

Part of the report. Each text names what is drawn and the numbers that the eye would take from it.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.report.archive import RunArchive
from pinngate.report.coverage import coverage_scores, running_mean
from pinngate.report.cuts import film_times
from pinngate.report.joint_intervals import correlations
from pinngate.report.notation import percent, plain, significant, with_uncertainty


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
    own = dict(archive.varying()).get(name, archive)
    axes = [axis for axis in own.problem.axes if axis in own.solution]
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


def _residuals(archive: RunArchive, suffix: str) -> str:
    """Tell of every axis where the mean of neighbouring residuals is farthest from zero."""
    columns = _set(archive, suffix)
    if not columns:
        return ""
    residual = columns["residual"].astype(float)
    kept = np.isfinite(residual)
    told = []
    for axis in archive.problem.axes:
        along = running_mean(columns[axis][kept].astype(float), residual[kept])
        if along is not None and np.ptp(along[0]) > 0:
            at, means, errors = along
            far = int(np.argmax(np.abs(means) / np.maximum(errors, 1e-300)))
            size = with_uncertainty(float(abs(means[far])), float(errors[far]))
            where = f"{axis} = {significant(float(at[far]))}"
            told.append(
                f"along {axis} the mean of neighbours is farthest from zero, {size}, at {where}"
            )
    ends = (residual[kept] - residual[kept].mean()) / (residual[kept].std() or 1.0)
    if ends.size:
        told.append(
            f"the {ends.size:,} ordered residuals go from {significant(float(ends.min()))} to "
            f"{significant(float(ends.max()))} standard deviations"
        )
    return "; ".join(told)


def _series(archive: RunArchive, suffix: str) -> str:
    columns = _set(archive, suffix)
    if not columns:
        return ""
    axes = archive.problem.space_axes
    num_sensors = len(np.unique(np.column_stack([columns[a] for a in axes]), axis=0))
    return (
        f"{num_sensors} sensors, {columns['value'].size:,} readings from "
        f"{_range(columns['value'].astype(float))}; {_fit(archive, suffix)}"
    )


def _calibration(archive: RunArchive, _: str) -> str:
    told = []
    for name, scores in coverage_scores(archive):
        held = (np.mean(np.abs(scores) <= NormalDist().inv_cdf(0.5 + q / 2)) for q in (0.5, 0.95))
        half, most = (percent(float(share)) for share in held)
        told.append(f"of {plain(name)} the 50 % intervals hold {half}, the 95 % intervals {most}")
    return "; ".join(told)


def _film(archive: RunArchive, suffix: str) -> str:
    name = suffix or archive.problem.unknowns[0]
    times = film_times(archive)
    along = archive.problem.axes.index("t")
    u, t = archive.solution[name], archive.solution["t"]
    first, last = (_range(np.take(u, k, axis=along)) for k in (times[0], times[-1]))
    return (
        f"{len(times)} pictures of {name}, from {first} at t = {significant(float(t[times[0]]))} "
        f"to {last} at t = {significant(float(t[times[-1]]))}"
    )


def _joint(archive: RunArchive, _: str) -> str:
    pairs = [f"{a} and {b} by {significant(r, 2)}" for a, b, r in correlations(archive)]
    return f"correlated are {', '.join(pairs)}" if pairs else ""


def _priors(archive: RunArchive, _: str) -> str:
    told = []
    for coefficient in archive.problem.shown_coefficients:
        at = ("coefficients", coefficient.name)
        estimate, std = archive.number(*at, "estimate"), archive.number(*at, "std")
        if coefficient.prior is not None and estimate is not None:
            unit = archive.problem.units.get(coefficient.name, "")
            told.append(
                f"{coefficient.name} was stated as {coefficient.prior}, and is "
                f"{with_uncertainty(estimate, std, unit)} with the data"
            )
    return "; ".join(told)


def _coefficients(archive: RunArchive, _: str) -> str:
    told = []
    for name in archive.section("coefficients"):
        estimate, std = (archive.number("coefficients", name, k) for k in ("estimate", "std"))
        unit = archive.problem.units.get(name, "")
        told.append(f"{name} ended at {with_uncertainty(estimate, std, unit)}")
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
    "residuals": _residuals,
    "series": _series,
    "film": _film,
    "calibration": _calibration,
    "joint": _joint,
    "priors": _priors,
    "coefficients": _coefficients,
    "training": _course("loss", "the loss"),
    "risk": _course("leave_one_out_risk", "the leave-one-out risk"),
    "gate": _course("open_fraction", "the open share of the gate"),
}
