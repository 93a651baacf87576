"""Noisy observations: made from the truth, or read from CSV and NPZ files.

`collect` turns the observations that a problem states into `ObservationSet`s, the only data that
training sees. Noise comes from its own random stream, so that a seed gives the same data whatever
optimizer, network or collocation is used with it.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from pinngate.errors import DataError, nearest
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
    if stated.layout == "random":
        return random.uniform(low, high, (stated.count, len(low)))
    free = [k for k in range(len(low)) if high[k] > low[k]]
    side = max(1, round(stated.count ** (1 / max(1, len(free)))))
    axes = [
        np.linspace(low[k], high[k], side) if k in free else low[k : k + 1] for k in range(len(low))
    ]
    return np.stack([m.ravel() for m in np.meshgrid(*axes, indexing="ij")], axis=1)


def _measured(problem: Problem, stated: MeasuredObservations, name: str) -> ObservationSet:
    columns = read_columns(stated.file)
    for axis in problem.axes:
        _require(columns, axis, stated.file, "an axis of the domain")
    _require(columns, stated.of, stated.file, "the observed field")
    points = points_of(columns, problem.domain, stated.file)
    std = None
    label = f"{stated.of}_std"
    if label in columns:
        std = columns[label]
        if not (std > 0).all():
            row = int(np.argmax(~(std > 0)))
            raise DataError(
                f"{stated.file}: row {row + 2}: {label} is {std[row]:g}",
                expected="a standard deviation above zero",
                file=stated.file,
            )
    elif stated.noise is not None and stated.noise.std is not None:
        std = np.full(len(points), stated.noise.std)
    return ObservationSet(name, stated.of, points, columns[stated.of], std, source=stated.file.name)


def read_points(file: Path, domain: Mapping[str, tuple[float, float]]) -> Array:
    """Read points (n, axes) from a file with one column for each axis.

    Raises:
        DataError: the file cannot be used, or a point lies outside the domain.
    """
    columns = read_columns(file)
    for axis in domain:
        _require(columns, axis, file, "an axis of the domain")
    return points_of(columns, domain, file)


def points_of(
    columns: Mapping[str, Array], domain: Mapping[str, tuple[float, float]], file: Path
) -> Array:
    """Join axis columns into points (n, axes).

    Raises:
        DataError: a point lies outside the domain, with its row.
    """
    points = np.stack([columns[axis] for axis in domain], axis=1)
    for k, (axis, (low, high)) in enumerate(domain.items()):
        slack = 1e-9 * (high - low)
        outside = (points[:, k] < low - slack) | (points[:, k] > high + slack)
        if outside.any():
            row = int(np.argmax(outside))
            raise DataError(
                f"{file}: row {row + 2}: {axis} = {points[row, k]:g} lies outside the domain",
                expected=f"{axis} from {low:g} to {high:g}",
                hint="widen the domain, or drop the rows",
                file=file,
            )
    return points


def read_columns(file: Path) -> dict[str, Array]:
    """Read the columns of a CSV file with a header, or the arrays of an NPZ file.

    Raises:
        DataError: the file is missing, empty, ragged, not numeric or not finite; rows are counted
            as an editor shows them, the header being row 1.
    """
    try:
        columns = _read_npz(file) if file.suffix == ".npz" else _read_csv(file)
    except FileNotFoundError:
        raise DataError(f"{file}: there is no such file", file=file) from None
    except (OSError, UnicodeDecodeError, BadZipFile) as error:
        raise DataError(f"{file}: cannot be read ({error})", file=file) from None
    if not columns or not len(next(iter(columns.values()))):
        raise DataError(
            f"{file}: holds no data", expected="a header and at least one row", file=file
        )
    for name, values in columns.items():
        if not np.isfinite(values).all():
            row = int(np.argmin(np.isfinite(values)))
            raise DataError(
                f"{file}: row {row + 2}: {name} is not finite ({values[row]})",
                hint="drop rows without a value",
                file=file,
            )
    return columns


def _read_csv(file: Path) -> dict[str, Array]:
    with file.open(newline="", encoding="utf-8-sig") as stream:
        rows = csv.reader(stream, skipinitialspace=True)
        header = [cell.strip() for cell in next(rows, [])]
        table: list[list[float]] = []
        for cells in rows:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                raise DataError(
                    f"{file}: row {rows.line_num}: {len(cells)} values",
                    expected=f"{len(header)}, as in the header",
                    file=file,
                )
            try:
                table.append([float(cell) for cell in cells])
            except ValueError:
                name, cell = next(
                    (n, c) for n, c in zip(header, cells, strict=True) if not _is_number(c)
                )
                raise DataError(
                    f"{file}: row {rows.line_num}: {name} is {cell.strip()!r}, not a number",
                    file=file,
                ) from None
    if len(set(header)) != len(header):
        raise DataError(f"{file}: two columns share a name", expected="different names", file=file)
    array = np.array(table, dtype=np.float64).reshape(-1, len(header) or 1)
    return {name: array[:, k].copy() for k, name in enumerate(header)}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_npz(file: Path) -> dict[str, Array]:
    with np.load(file, allow_pickle=False) as archive:
        try:
            columns = {name: np.asarray(archive[name], dtype=np.float64) for name in archive.files}
        except (ValueError, TypeError) as error:
            raise DataError(f"{file}: not numeric ({error})", file=file) from None
    shapes = {array.shape for array in columns.values()}
    if len(shapes) > 1 or any(len(shape) != 1 for shape in shapes):
        raise DataError(
            f"{file}: arrays of the shapes {', '.join(str(s) for s in sorted(shapes))}",
            expected="one-dimensional arrays of one length",
            file=file,
        )
    return columns


def _require(columns: Mapping[str, Array], name: str, file: Path, role: str) -> None:
    if name not in columns:
        raise DataError(
            f"{file}: has no column '{name}' ({role})",
            expected="its columns are " + ", ".join(columns),
            hint=nearest(name, columns),
            file=file,
        )


__all__ = [
    "ObservationSet",
    "collect",
    "points_of",
    "read_columns",
    "read_points",
    "standard_errors",
]
