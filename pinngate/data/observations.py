"""Noisy observations: made from the truth, or read from CSV and NPZ files.

`collect` turns the observations that a problem states into `ObservationSet`s, the only data that
training sees. Noise comes from its own random stream, so that a seed gives the same data whatever
optimizer, network or collocation is used with it; so do the values that are held out and,
where `max_rows` is stated, those that are fitted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pinngate.data.observation_set import Array, ObservationSet
from pinngate.data.quantities import true_values
from pinngate.data.sensor_rows import averaged_axes, read_rows
from pinngate.data.set_noise import memory_of, noisy, standard_errors, under_noise
from pinngate.data.thinning import stratified_subset
from pinngate.errors import DataError, TruthError
from pinngate.expression import Expression, Name
from pinngate.geometry.region import NUM_PROBED, Region
from pinngate.statement.problem import (
    MeasuredObservations,
    Noise,
    Problem,
    StatedObservations,
    SyntheticObservations,
    label_of,
)
from pinngate.streams import generator
from pinngate.tables.in_memory import InMemoryTable
from pinngate.tables.named_columns import Columns, read_columns

logger = logging.getLogger(__name__)

LARGEST, SMALLEST = 1e100, 1e-100  # sizes of data: cubes of their squares are still numbers

Truth = Callable[[Array], Mapping[str, Array]]

STUDENT_T_DOF = 3  # heavy tails, and still a finite standard deviation to scale to
MANY_EQUAL = 0.05  # share of values at the extreme from which on saturation is suspected
FEW_EQUAL = 10  # and at least so many, since rounded data repeat themselves


def collect(problem: Problem, truth: Truth | None, seed: int) -> list[ObservationSet]:
    """Make or read every observation set of a problem.

    Args:
        problem: states the observations.
        truth: the clean fields, needed for synthetic observations.
        seed: of the noise and of random places.

    Raises:
        DataError: a file cannot be used, with place and row.
    """
    sets = []
    for k, stated in enumerate(problem.observations, 1):
        name = f"observation_{k}"
        if isinstance(stated, MeasuredObservations):
            made = _measured(problem, stated, name, seed)
        elif truth is None:
            raise DataError(f"{name}: synthetic observations need a truth")
        else:
            made = _synthetic(problem, stated, name, truth, seed)
        is_own = made.std is not None or made.law is not None or made.censoring is not None
        sets.append(made if is_own else replace(made, group=stated.group))
    return sets


def _synthetic(
    problem: Problem, stated: SyntheticObservations, name: str, truth: Truth, seed: int
) -> ObservationSet:
    points = _places(problem, stated, generator(seed, name + "/places"))
    clean = true_values(problem, stated.of, stated.quantity, stated.mean, points, truth)
    if (size := float(np.abs(clean).max(initial=0.0))) > LARGEST:
        raise TruthError(
            f"the true values of {label_of(stated)} reach {size:g}",
            expected=f"sizes up to {LARGEST:g}",
            hint="state the problem in other units",
        )
    noise = stated.noise
    random = generator(seed, name + "/noise")
    memory = memory_of(noise, problem.axes)
    errors = None if memory is None else memory.drawn(points, random)
    values, words = noisy(noise, clean, random, name, errors)
    made = ObservationSet(
        name,
        label_of(stated),
        points,
        values,
        where=stated.where,
        source=f"synthetic, {words}",
        clean=clean,
        quantity=_seen(stated),
        mean=stated.mean,
    )
    made = under_noise(made, noise, problem.axes)
    fraction = stated.holdout.fraction if stated.holdout is not None else None
    return made if fraction is None else _split(made, fraction, seed)


def _split(whole: ObservationSet, fraction: float, seed: int) -> ObservationSet:
    """Keep a random fraction of the values from the fit, one at least."""
    n = len(whole.values)
    order = generator(seed, whole.name + "/holdout").permutation(n)
    count = min(max(1, round(fraction * n)), n - 1)
    if count < 1:
        raise DataError(f"{whole.name}: one value cannot be fitted and held out")
    held_out = whole.rows(np.sort(order[:count]))
    return replace(whole.rows(np.sort(order[count:])), held_out=replace(held_out, notes=()))


def _places(problem: Problem, stated: SyntheticObservations, random: np.random.Generator) -> Array:
    low, high = _box_of(problem, stated)
    region = Region(problem)
    share = region.inside(_grid(low, high, _even(low, high, max(NUM_PROBED, stated.count)))).mean()
    if share == 0:
        raise DataError(f"no point of {stated.where or 'the domain'} is inside the geometry")
    if stated.layout == "random":
        points = np.empty((0, len(low)))
        while len(points) < stated.count:
            drawn = random.uniform(low, high, (stated.count, len(low)))
            points = np.concatenate([points, drawn[region.inside(drawn)]])
        return points[: stated.count]
    counts = (
        [stated.layout.get(axis, 1) for axis in problem.axes]
        if isinstance(stated.layout, dict)
        else _even(low, high, stated.count / share)
    )
    points = _grid(low, high, counts)
    return points[region.inside(points)]


def _box_of(problem: Problem, stated: SyntheticObservations) -> tuple[Array, Array]:
    """Return the corners of the box of places: the domain, its plane, its middle along a mean."""
    low, high = np.array(list(problem.domain.values()), dtype=np.float64).T.copy()
    if stated.where is not None:
        fixed = problem.axes.index(stated.where.axis)
        low[fixed] = high[fixed] = stated.where.value
    for axis in averaged_axes(stated.mean):
        k = problem.axes.index(axis)
        low[k] = high[k] = sum(problem.domain[axis]) / 2
    return low, high


def _even(low: Array, high: Array, count: float) -> list[int]:
    """Return as many places along every free axis as give about `count` points."""
    num_free = max(1, int((high > low).sum()))
    return [max(1, round(count ** (1 / num_free)))] * len(low)


def _grid(low: Array, high: Array, counts: Sequence[int]) -> Array:
    """Return a regular grid of a box, edges included, of `counts` places along each free axis."""
    axes = [
        np.linspace(lo, hi, count) if hi > lo else np.array([lo])
        for lo, hi, count in zip(low, high, counts, strict=True)
    ]
    return np.stack([m.ravel() for m in np.meshgrid(*axes, indexing="ij")], axis=1)


def _seen(stated: StatedObservations) -> Expression | None:
    """Return what is observed where that is not a field at points."""
    if stated.quantity is None and stated.mean is not None:
        return Name(stated.of)
    return stated.quantity


def _measured(
    problem: Problem, stated: MeasuredObservations, name: str, seed: int
) -> ObservationSet:
    made = _read_set(problem, stated, name, stated.file)
    holdout = stated.holdout
    if holdout is not None and holdout.file is not None:
        made = replace(made, held_out=_read_set(problem, stated, name, holdout.file))
    elif holdout is not None and holdout.fraction is not None:
        made = _split(made, holdout.fraction, seed)
    return _noting_equal_values(_thinned(made, stated.table.max_rows, seed))


def _thinned(whole: ObservationSet, most: int | None, seed: int) -> ObservationSet:
    """Keep at most so many of the values where that is stated, and say so."""
    total = len(whole.values)
    if most is None or total <= most:
        return whole
    chosen = stratified_subset(whole.points, most, generator(seed, whole.name + "/subset"))
    note = (
        f"{most:,} of {total:,} values are fitted, spread evenly over the domain; "
        "max_rows takes more"
    )
    return _noting(whole.rows(chosen), note)


def _noting_equal_values(made: ObservationSet) -> ObservationSet:
    """Say where many values are the largest or the smallest: the sensor may have been saturated."""
    if made.censoring is not None:
        return made
    for word, extreme in (("largest", made.values.max()), ("smallest", made.values.min())):
        count = int(np.sum(made.values == extreme))
        if FEW_EQUAL <= count < len(made.values) and count >= MANY_EQUAL * len(made.values):
            note = (
                f"{count:,} values equal the {word}, {extreme:g}: if the sensor was saturated or "
                "below its limit of detection there, state noise of the kind censored"
            )
            made = _noting(made, note)
    return made


def _noting(made: ObservationSet, note: str) -> ObservationSet:
    logger.warning("%s: %s", made.source, note)
    return replace(made, notes=(*made.notes, note))


def _read_set(
    problem: Problem, stated: MeasuredObservations, name: str, file: Path | InMemoryTable
) -> ObservationSet:
    rows = read_rows(problem, stated, file)
    columns, size = rows.columns, len(rows.columns.rows)
    points = _points(replace(columns, arrays=rows.places), problem)
    values = columns.arrays[rows.value]
    measured = np.flatnonzero(np.isfinite(values))
    if not measured.size:
        raise columns.whole_fault(f"every value of {rows.value} is missing")
    _refuse_extreme(columns, rows.value, values)
    num_missing = size - measured.size
    made = ObservationSet(
        name,
        label_of(stated),
        points[measured],
        values[measured],
        _stds(columns, rows.std, measured, _assumed_std(stated.noise, values[measured])),
        source=file.name,
        quantity=_seen(stated),
        mean=stated.mean,
        num_missing=num_missing,
        notes=(f"{num_missing:,} of {size:,} values missing",) if num_missing else (),
    )
    return under_noise(made, stated.noise, problem.axes)


def _refuse_extreme(columns: Columns, name: str, values: Array) -> None:
    """Refuse values whose squares no computer holds.

    Raises:
        DataError: the largest of them is beyond what can be computed with.
    """
    row = int(np.nanargmax(np.abs(values)))
    size = abs(float(values[row]))
    if size > LARGEST or 0 < size < SMALLEST:
        raise columns.fault(
            row,
            f"{name} is {values[row]:g}, the largest in size",
            f"sizes between {SMALLEST:g} and {LARGEST:g}",
            "state the values in other units",
        )


def _assumed_std(noise: Noise | None, values: Array) -> float:
    """Return the standard deviation that the problem states of measured values, 0 for none."""
    if noise is None or noise.kind == "proportional":
        return 0.0
    return noise.std or (noise.relative or 0.0) * float(np.std(values))


def _stds(columns: Columns, label: str, measured: NDArray[np.intp], assumed: float) -> Array | None:
    """Return the standard deviations of the measured values: those of the file, or as assumed."""
    if label not in columns.arrays:
        return np.full(len(measured), assumed) if assumed > 0 else None
    std = columns.arrays[label][measured]
    if not (std > 0).all():
        i = int(np.argmin(std > 0))
        found = "missing" if np.isnan(std[i]) else f"{std[i]:g}"
        what, expected = f"{label} is {found}", "a standard deviation above zero"
        raise columns.fault(int(measured[i]), what, expected)
    return std


def read_points(file: Path, problem: Problem) -> Array:
    """Read points (n, axes) from a file with one column for each axis.

    Raises:
        DataError: the file cannot be used, or a point lies outside the domain or the geometry.
    """
    return _points(read_columns(file, problem.axes, dates={"t": problem.clock}), problem)


def _points(columns: Columns, problem: Problem) -> Array:
    domain = problem.domain
    points = np.stack([columns.arrays[axis] for axis in domain], axis=1)
    low, high = np.array(list(domain.values())).T
    slack = 1e-9 * (high - low)
    outside = (points < low - slack) | (points > high + slack)
    if outside.any():
        i, k = np.argwhere(outside)[0]
        axis = list(domain)[k]
        raise columns.fault(
            int(i),
            f"{axis} = {points[i, k]:g} lies outside the domain",
            f"{axis} from {low[k]:g} to {high[k]:g}",
            "widen the domain, or drop the rows",
        )
    inside = Region(problem).inside(points)
    if not inside.all():
        i = int(np.argmin(inside))
        place = ", ".join(f"{a} = {v:g}" for a, v in zip(domain, points[i], strict=True))
        raise columns.fault(
            i, f"{place} lies outside the geometry", "points inside it", "drop the rows"
        )
    return points


__all__ = [
    "Columns",
    "ObservationSet",
    "collect",
    "read_columns",
    "read_points",
    "standard_errors",
]
