"""The files of a finished run, read back.

A run leaves a folder (`problem.yaml`, `metrics.json`, `history.csv`, `solution.npz`,
`observations.csv`, `environment.json`). `read` turns it into a `RunArchive` and checks what the
figures and the page rely on: columns, shapes, numbers. Nothing is computed here.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.errors import DataError, InputError
from pinngate.expression.parser import NONE, Functions
from pinngate.reading import decimal, read_bounded
from pinngate.statement.problem import CoefficientField, Problem, changed
from pinngate.statement.unknown_quantities import FieldFunction
from pinngate.tables.archives import read_arrays

BLOCK = 1 << 14  # rows of a table that are text at once
MAX_JSON = 100_000_000  # bytes of metrics.json, which has some thousands
_TEXT_COLUMNS = {"set", "of"}
_NEEDED = ("problem.yaml", "metrics.json", "history.csv", "solution.npz")
Table = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class RunArchive:
    """One finished run.

    Attributes:
        folder: where its files lie.
        problem: what was solved.
        metrics: the verdict, as in ``metrics.json``; None where a value does not apply.
        history: column name to values (rows,), NaN where a value is missing.
        solution: each axis (m_a,) and, on their grid in the order of the problem's axes, each
            unknown and where known ``<unknown>_std`` and ``<unknown>_truth``; the same of each
            coefficient field on the grid of its own axes.
        observations: column name to values (n,) that were fitted; ``set`` and ``of`` hold text.
        held_out: the same of values that were not.
        environment: versions, device, seed, as in ``environment.json``.
    """

    folder: Path
    problem: Problem
    metrics: dict[str, Any]
    history: dict[str, NDArray[np.float64]]
    solution: dict[str, NDArray[np.float64]]
    observations: dict[str, NDArray[Any]] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    held_out: dict[str, NDArray[Any]] = field(default_factory=dict)

    def number(self, *path: str) -> float | None:
        """Return the finite number at a path of `metrics`; None where there is none."""
        *above, last = path
        return finite_number(self.section(*above).get(last))

    def section(self, *path: str) -> dict[str, Any]:
        """Return the mapping at a path of `metrics`; empty where there is none."""
        value: Any = self.metrics
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return value if isinstance(value, dict) else {}

    def every_observation(self) -> dict[str, NDArray[Any]]:
        """Return the columns of all values, those that were held out last."""
        if not self.held_out:
            return dict(self.observations)
        return {
            name: np.concatenate([values, self.held_out[name]])
            for name, values in self.observations.items()
        }

    def std(self, unknown: str) -> NDArray[np.float64] | None:
        """Return the standard deviation of a field on the grid, where there is one."""
        return self.solution.get(f"{unknown}_std")

    def truth(self, unknown: str) -> NDArray[np.float64] | None:
        """Return the true field on the grid, where it is known."""
        return self.solution.get(f"{unknown}_truth")

    def of_coefficient_field(self, field: CoefficientField) -> RunArchive:
        """Return a coefficient field as the unknown of a run on its own axes, without data."""
        problem = changed(
            self.problem,
            domain={axis: self.problem.domain[axis] for axis in field.over},
            unknowns=(field.name,),
            coefficients=(),
            coefficient_fields=(),
            field_functions=(),
            pieces=(),
            observations=(),
        )
        judged = self.section("coefficient_fields").get(field.name)
        metrics = {"fields": {field.name: judged}}
        return replace(self, problem=problem, metrics=metrics, observations={})

    def of_field_function(self, function: FieldFunction) -> RunArchive:
        """Return a function of fields as the unknown of a run whose axes are these."""
        at = {o: self.solution[n] for o, n in zip(function.over, function.places, strict=True)}
        own = self.of_coefficient_field(replace(function, over=()))
        domain = {over: (float(places[0]), float(places[-1])) for over, places in at.items()}
        problem = changed(own.problem, domain=domain)
        return replace(own, problem=problem, solution={**self.solution, **at})

    def varying(self) -> list[tuple[str, RunArchive]]:
        """Return what varies among the coefficients, by name, each as the unknown of a run."""
        fields = [(f.name, self.of_coefficient_field(f)) for f in self.problem.coefficient_fields]
        functions = [(f.name, self.of_field_function(f)) for f in self.problem.field_functions]
        pieces = [(f.name, self.of_coefficient_field(f)) for f in self.problem.pieces]
        return fields + functions + pieces

    def observation_sets(self) -> list[tuple[str, str, dict[str, NDArray[Any]]]]:
        """Return (set, field observed, its columns) for each set, in order of appearance."""
        if not self.observations:
            return []
        sets, of = self.observations["set"].astype(str), self.observations["of"].astype(str)
        found = []
        for key in dict.fromkeys(zip(sets.tolist(), of.tolist(), strict=True)):
            rows = (sets == key[0]) & (of == key[1])
            found.append((*key, {name: v[rows] for name, v in self.observations.items()}))
        return found


def finite_number(value: Any) -> float | None:
    """Return a finite number as a float; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def read(folder: str | Path, *, functions: Functions = NONE) -> RunArchive:
    """Read the files of a finished run.

    Args:
        folder: of the run.
        functions: of the caller's own that its problem calls.

    Raises:
        InputError: `folder` is no run, or one of its files is missing, damaged or disagrees with
            the others.
    """
    from pinngate.config import load

    folder = Path(folder)
    _check_finished(folder)
    problem = load(folder / "problem.yaml", functions=functions)
    observations, held_out = _read_observations(folder / "observations.csv", problem)
    environment = folder / "environment.json"
    return RunArchive(
        folder=folder,
        problem=problem,
        metrics=_read_json(folder / "metrics.json"),
        history=_read_csv(folder / "history.csv", ["iteration"]),
        solution=_read_solution(folder / "solution.npz", problem),
        observations=observations,
        held_out=held_out,
        environment=_read_json(environment) if environment.is_file() else {},
    )


def in_memory(
    problem: Problem,
    metrics: Mapping[str, Any],
    history: Sequence[Mapping[str, float]],
    solution: Mapping[str, NDArray[np.float64]],
    observations: Mapping[str, NDArray[Any]],
) -> RunArchive:
    """Return the archive of a run without files; the arguments are what they would hold."""
    names = list(dict.fromkeys(name for row in history for name in row))
    columns = {name: np.array([row.get(name, np.nan) for row in history]) for name in names}
    fitted, held_out = _parted(dict(observations))
    return RunArchive(
        Path(), problem, dict(metrics), columns, dict(solution), fitted, held_out=held_out
    )


def _parted(observations: Table) -> tuple[Table, Table]:
    """Part the values that were fitted from those that were held out."""
    is_held_out = np.nan_to_num(observations.get("held_out", np.zeros(0))) == 1
    if not is_held_out.any():
        return observations, {}
    held_out = {name: values[is_held_out] for name, values in observations.items()}
    return {name: values[~is_held_out] for name, values in observations.items()}, held_out


def _check_finished(folder: Path) -> None:
    if not folder.is_dir():
        raise InputError(
            f"{folder} is not a folder",
            expected="the folder of a finished run, such as results/heat-noisy-ic/<stamp>",
        )
    missing = [name for name in _NEEDED if not (folder / name).is_file()]
    if missing:
        unfinished = (folder / "checkpoint.pt").is_file()
        raise InputError(
            f"{folder} is not a finished run: {', '.join(missing)} missing",
            expected="the folder that 'pinngate run' wrote",
            hint=f"finish it with 'pinngate resume {folder}'" if unfinished else "",
        )


def _read_observations(path: Path, problem: Problem) -> tuple[Table, Table]:
    """Return the values that were fitted and those that were held out."""
    if not problem.observations and not path.is_file():
        return {}, {}
    columns = _read_csv(path, ["set", "of", *problem.axes, "value", "fitted", "residual"])
    return _parted(columns)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        # None for NaN and Infinity: the format writes null where a value does not apply.
        content = json.loads(
            read_bounded(path, MAX_JSON, "a JSON file").decode("utf-8"),
            parse_constant=lambda _: None,
        )
    except (ValueError, OSError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as JSON: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} holds {type(content).__name__}", expected="a JSON object")
    return content


def _read_csv(path: Path, required: list[str]) -> Table:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file)
            header = next(reader, None)
            if header is None:
                raise ValueError("it is empty")
            absent = [name for name in required if name not in header]
            if absent:
                raise InputError(
                    f"{path} lacks the column {', '.join(absent)}",
                    expected=f"a header with {', '.join(required)}",
                )
            blocks = list(_blocks(path, header, reader))
    except (ValueError, OSError, csv.Error) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    return {name: np.concatenate(parts) for name, *parts in zip(header, *blocks, strict=True)}


def _blocks(
    path: Path, header: list[str], reader: Iterator[list[str]]
) -> Iterator[list[NDArray[Any]]]:
    """Yield the columns of some rows at a time, one block at least: text takes much memory."""
    line = 2
    while rows := list(islice(reader, BLOCK)):
        for number, row in enumerate(rows, start=line):
            if len(row) != len(header):
                raise InputError(f"{path}:{number}: {len(row)} values under {len(header)} columns")
        yield [_column(path, n, [row[k] for row in rows], line) for k, n in enumerate(header)]
        line += len(rows)
    if line == 2:
        yield [_column(path, name, [], line) for name in header]


def _column(path: Path, name: str, cells: list[str], line: int) -> NDArray[Any]:
    """Return the cells of one column, the first on a line of the file."""
    if name in _TEXT_COLUMNS:
        return np.array(cells, dtype=str)
    numbers = [_float(cell, path, number, name) for number, cell in enumerate(cells, start=line)]
    return np.array(numbers, dtype=np.float64)


def _float(cell: str, path: Path, line: int, name: str) -> float:
    if not cell.strip():
        return math.nan
    try:
        return decimal(cell)
    except ValueError:
        raise InputError(
            f"{path}:{line}: {cell!r} in the column '{name}' is not a number"
        ) from None


def _read_solution(path: Path, problem: Problem) -> dict[str, NDArray[np.float64]]:
    try:
        arrays = read_arrays(path)
    except DataError as error:
        raise InputError(f"{path} cannot be read: {error.what}", hint=error.hint) from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    absent = [name for name in _needed_arrays(problem) if name not in arrays]
    if absent:
        raise InputError(
            f"{path} lacks {', '.join(absent)}",
            expected="an array for each axis and each unknown of problem.yaml",
        )
    axes_of = dict.fromkeys(problem.unknowns, problem.axes)
    axes_of |= {field.name: field.over for field in (*problem.coefficient_fields, *problem.pieces)}
    axes_of |= {f.name: f.places for f in problem.field_functions}
    for unknown, axes in axes_of.items():
        _check_shapes(path, arrays, unknown, axes)
    return arrays


def _needed_arrays(problem: Problem) -> list[str]:
    """Return the names of the arrays that every run has."""
    functions = [name for f in problem.field_functions for name in (f.name, *f.places)]
    return [*problem.axes, *problem.shown_outputs, *functions]


def _check_shapes(
    path: Path, arrays: dict[str, NDArray[np.float64]], unknown: str, axes: tuple[str, ...]
) -> None:
    grid = tuple(arrays[axis].size for axis in axes)
    for name in (unknown, f"{unknown}_std", f"{unknown}_truth"):
        if name in arrays and arrays[name].shape != grid:
            raise InputError(
                f"{path}: '{name}' has the shape {arrays[name].shape}",
                expected=f"{grid}, the lengths of the axes {', '.join(axes)}",
            )
