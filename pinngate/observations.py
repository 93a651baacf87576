"""Noisy observations: made from the truth, or read from CSV and NPZ files.

`collect` turns the observations that a problem states into `ObservationSet`s, the only data that
training sees. Noise comes from its own random stream, so that a seed gives the same data whatever
optimizer, network or collocation is used with it.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from pinngate.errors import DataError, nearest
from pinngate.geometry.region import NUM_PROBED, Region
from pinngate.problem import (
    MeasuredObservations,
    Noise,
    Plane,
    Problem,
    SyntheticObservations,
)
from pinngate.streams import generator

Array = NDArray[np.float64]
Truth = Callable[[Array], Mapping[str, Array]]

STUDENT_T_DOF = 3  # heavy tails, and still a finite standard deviation to scale to


@dataclass(frozen=True)
class ObservationSet:
    """Noisy values of one field.

    Attributes:
        name: unique in its problem, ``observation_1`` and so on.
        of: the observed field.
        points: (n, axes).
        values: (n,), in the field's units.
        std: (n,) known standard deviation of each value, or None: synthetic noise is not told.
        where: the plane that all points lie on, where the problem states one.
        source: where the values come from, in words.
        clean: (n,) values without noise, for judging only.
    """

    name: str
    of: str
    points: Array
    values: Array
    std: Array | None = None
    where: Plane | None = None
    source: str = ""
    clean: Array | None = None

    def __post_init__(self) -> None:
        if self.points.ndim != 2:
            raise DataError(
                f"{self.name}: points have the shape {self.points.shape}",
                expected="(points, axes)",
            )
        for label in ("values", "std", "clean"):
            array = getattr(self, label)
            if array is not None and array.shape != self.points.shape[:1]:
                raise DataError(
                    f"{self.name}: {label} has the shape {array.shape}",
                    expected=f"({len(self.points)},), one for each point",
                )


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
            sets.append(_measured(problem, stated, name))
        elif truth is None:
            raise DataError(f"{name}: synthetic observations need a truth")
        else:
            sets.append(_synthetic(problem, stated, name, truth, seed))
    return sets


def _synthetic(
    problem: Problem, stated: SyntheticObservations, name: str, truth: Truth, seed: int
) -> ObservationSet:
    points = _places(problem, stated, generator(seed, name + "/places"))
    clean = np.asarray(truth(points)[stated.of], dtype=np.float64)
    noise = stated.noise
    std = noise.std if noise.std is not None else (noise.relative or 0.0) * float(np.std(clean))
    errors = standard_errors(noise, len(points), generator(seed, name + "/noise"))
    return ObservationSet(
        name,
        stated.of,
        points,
        clean + std * errors,
        where=stated.where,
        source=f"synthetic, {noise.kind} noise of standard deviation {std:.4g}",
        clean=clean,
    )


def standard_errors(noise: Noise, count: int, random: np.random.Generator) -> Array:
    """Return errors of the stated kind in units of the stated standard deviation, (count,).

    ``student-t``: three degrees of freedom, divided by their standard deviation √3. ``outliers``:
    gaussian, and a random `fraction` of them drawn anew with `scale` standard deviations.
    """
    if noise.kind == "student-t":
        spread = math.sqrt(STUDENT_T_DOF / (STUDENT_T_DOF - 2))
        return random.standard_t(STUDENT_T_DOF, count) / spread
    errors = random.standard_normal(count)
    if noise.kind == "outliers":
        struck = random.random(count) < noise.fraction
        errors[struck] = noise.scale * random.standard_normal(int(struck.sum()))
    return errors


def _places(problem: Problem, stated: SyntheticObservations, random: np.random.Generator) -> Array:
    low = np.array([lo for lo, _ in problem.domain.values()])
    high = np.array([hi for _, hi in problem.domain.values()])
    if stated.where is not None:
        fixed = problem.axes.index(stated.where.axis)
        low[fixed] = high[fixed] = stated.where.value
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
    if isinstance(stated.layout, dict):
        points = _grid(low, high, [stated.layout.get(axis, 1) for axis in problem.axes])
    else:
        points = _grid(low, high, _even(low, high, stated.count / share))
    return points[region.inside(points)]


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


def _measured(problem: Problem, stated: MeasuredObservations, name: str) -> ObservationSet:
    label = f"{stated.of}_std"
    columns = read_columns(stated.file, [*problem.axes, stated.of], optional=[label])
    points = _points(columns, problem)
    values = columns.arrays[stated.of]
    std = columns.arrays.get(label)
    if std is not None and not (std > 0).all():
        i = int(np.argmin(std > 0))
        raise columns.fault(i, f"{label} is {std[i]:g}", "a standard deviation above zero")
    if std is None and stated.noise is not None:
        assumed = stated.noise.std or (stated.noise.relative or 0.0) * float(np.std(values))
        std = np.full(len(points), assumed) if assumed > 0 else None
    return ObservationSet(name, stated.of, points, values, std, source=stated.file.name)


@dataclass(frozen=True)
class Columns:
    """Arrays (n,) of finite numbers by name, and where each of the n rows stands in the file."""

    file: Path
    arrays: dict[str, Array]
    rows: NDArray[np.int64]
    row_word: str = "row"

    def fault(self, i: int, what: str, expected: str = "", hint: str = "") -> DataError:
        """Return the error of one row, as an editor numbers it."""
        place = f"{self.file}: {self.row_word} {self.rows[i]}"
        return DataError(f"{place}: {what}", expected=expected, hint=hint, file=self.file)


def read_points(file: Path, problem: Problem) -> Array:
    """Read points (n, axes) from a file with one column for each axis.

    Raises:
        DataError: the file cannot be used, or a point lies outside the domain or the geometry.
    """
    return _points(read_columns(file, problem.axes), problem)


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


def read_columns(file: Path, needed: Sequence[str], optional: Sequence[str] = ()) -> Columns:
    """Read columns of a CSV file with a header, or one-dimensional arrays of an NPZ file.

    Other columns may hold anything. Rows of a CSV file are numbered as an editor shows them, the
    header being row 1; entries of NPZ arrays count from 0.

    Raises:
        DataError: the file is missing, empty or ragged, lacks a needed column, or holds something
            else than finite numbers in one that is read.
    """
    is_archive = file.suffix.lower() == ".npz"
    try:
        columns = (_read_npz if is_archive else _read_csv)(file, needed, optional)
    except FileNotFoundError:
        raise DataError(f"{file}: there is no such file", file=file) from None
    except (OSError, UnicodeDecodeError, BadZipFile, EOFError, csv.Error) as error:
        raise DataError(f"{file}: cannot be read ({error})", file=file) from None
    if not len(columns.rows):
        raise _no_data(file)
    for name, values in columns.arrays.items():
        finite = np.isfinite(values)
        if not finite.all():
            i = int(np.argmin(finite))
            what = f"{name} is not finite ({values[i]:g})"
            raise columns.fault(i, what, hint="drop rows without a value")
    return columns


def _no_data(file: Path) -> DataError:
    return DataError(f"{file}: holds no data", expected="a header and at least one row", file=file)


def _chosen(
    file: Path, header: Sequence[str], needed: Sequence[str], optional: Sequence[str]
) -> list[str]:
    """Return the names to read, all of them in the header once."""
    for name in needed:
        if name not in header:
            raise DataError(
                f"{file}: has no column '{name}'",
                expected="its columns are " + ", ".join(header),
                hint=nearest(name, header) or f"the columns needed are {', '.join(needed)}",
                file=file,
            )
    chosen = [*needed, *(name for name in optional if name in header)]
    for name in chosen:
        if list(header).count(name) > 1:
            raise DataError(f"{file}: two columns are called '{name}'", file=file)
    return chosen


def _read_csv(file: Path, needed: Sequence[str], optional: Sequence[str]) -> Columns:
    lines = file.read_text(encoding="utf-8-sig").splitlines()
    if not lines or not lines[0].strip():
        raise _no_data(file)
    header = [cell.strip() for cell in next(csv.reader(lines[:1], skipinitialspace=True))]
    chosen = _chosen(file, header, needed, optional)
    rows = np.array([i for i in range(1, len(lines)) if lines[i].strip(" ,\t")], dtype=np.int64)
    kept = [lines[i] for i in rows]
    places = [header.index(name) for name in chosen]
    table = _plain(kept, len(header), places)
    if table is None:
        cells = csv.reader(kept, skipinitialspace=True)
        table = np.array(
            [
                _numbers(file, int(row) + 1, values, header, places)
                for row, values in zip(rows, cells, strict=True)
            ]
        ).reshape(-1, len(places))
    return Columns(file, {name: table[:, k].copy() for k, name in enumerate(chosen)}, rows + 1)


def _plain(lines: list[str], width: int, places: list[int]) -> Array | None:
    """Read lines of unquoted numbers at numpy's speed; None where they need a closer look."""
    if not lines or any('"' in line or line.count(",") != width - 1 for line in lines):
        return None
    try:
        return np.loadtxt(lines, delimiter=",", comments=None, usecols=places, ndmin=2)
    except ValueError:
        return None


def _numbers(
    file: Path, row: int, cells: list[str], header: list[str], places: list[int]
) -> list[float]:
    if len(cells) != len(header):
        raise DataError(
            f"{file}: row {row}: {len(cells)} values",
            expected=f"{len(header)}, as in the header",
            file=file,
        )
    numbers = []
    for place in places:
        try:
            numbers.append(float(cells[place]))
        except ValueError:
            found = repr(cells[place].strip()) if cells[place].strip() else "empty"
            raise DataError(
                f"{file}: row {row}: {header[place]} is {found}, not a number",
                expected="a number such as 0.25 or 1e-3",
                file=file,
            ) from None
    return numbers


def _read_npz(file: Path, needed: Sequence[str], optional: Sequence[str]) -> Columns:
    arrays = {}
    try:
        with np.load(file, allow_pickle=False) as archive:
            for name in _chosen(file, archive.files, needed, optional):
                arrays[name] = np.asarray(archive[name]).astype(np.float64, casting="same_kind")
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{file}: not an archive of numbers ({error})", file=file) from None
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) > 1 or any(len(shape) != 1 for shape in shapes):
        found = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise DataError(
            f"{file}: arrays of the shapes {found}",
            expected="one-dimensional arrays of one length",
            file=file,
        )
    return Columns(file, arrays, np.arange(len(next(iter(arrays.values())))), "entry")


__all__ = [
    "Columns",
    "ObservationSet",
    "collect",
    "read_columns",
    "read_points",
    "standard_errors",
]
