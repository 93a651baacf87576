"""The files of a run: written beside their place, then moved there; none is ever half-written."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import platform
import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

import pinngate
from pinngate import config
from pinngate.errors import InputError
from pinngate.statement.problem import Problem
from pinngate.tables.in_memory import InMemoryTable
from pinngate.writing import replacing, write_text

BLOCK = 1 << 14  # rows of a table that are text at once


def make(folder: Path) -> None:
    """Make the folder of a run, unless it is there.

    Raises:
        InputError: it cannot be made, or something else has its name.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise _unwritable(folder, error) from None


def _unwritable(folder: Path, error: Exception) -> InputError:
    told = (error.strerror if isinstance(error, OSError) else None) or error
    return InputError(f"cannot write to {folder}: {told}", hint="choose another folder with --out")


def prepare(folder: Path, problem: Problem) -> None:
    """Make the folder, copy or write measured data into it and write `problem.yaml`.

    Raises:
        InputError: the folder holds a run already or cannot be written.
    """
    _refuse_own_noise(problem)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "problem.yaml").exists():
            raise InputError(
                f"{folder} already holds a run",
                hint=f"choose another --out, or continue it with: pinngate resume {folder}",
            )
        files = copied_names(problem.data_files())
        for source, target in files.items():
            (folder / "data").mkdir(exist_ok=True)
            with replacing(folder / target) as part:
                if isinstance(source, InMemoryTable):
                    source.write(part)
                else:
                    shutil.copyfile(source, part)
        write_text(folder / "problem.yaml", config.dumps(problem, files=files))
    except OSError as error:
        raise _unwritable(folder, error) from None


def _refuse_own_noise(problem: Problem) -> None:
    if any(o.noise is not None and o.noise.model is not None for o in problem.observations):
        raise InputError(
            "a noise model of one's own cannot be written in a problem file",
            expected="a noise that a file can state: noise: {kind: student-t}",
            hint="pinngate.solve keeps the solution in memory",
        )


def copied_names(files: Sequence[Path | InMemoryTable]) -> dict[Path | InMemoryTable, str]:
    """Return ``data/<name>`` for each file or table; those of the same name are numbered."""
    found: dict[Path | InMemoryTable, str] = {}
    for file in files:
        name, count, own = file.name, 2, Path(file.name)
        while f"data/{name}" in found.values():
            name, count = f"{own.stem}-{count}{own.suffix}", count + 1
        found[file] = f"data/{name}"
    return found


def require_run(folder: Path) -> None:
    """Check that a folder holds a run, finished or not.

    Raises:
        InputError: it does not.
    """
    if not (folder / "problem.yaml").exists():
        raise InputError(
            f"{folder} holds no run", expected="a folder that 'pinngate run' has written"
        )


def identity(folder: Path) -> str:
    """Return the hash of the problem of a run and its data.

    Raises:
        OSError: they cannot be read.
    """
    digest = hashlib.sha256((folder / "problem.yaml").read_bytes())
    for path in sorted((folder / "data").glob("*")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def write_environment(folder: Path, problem: Problem) -> None:
    """Write versions, device, threads, seed and the hash of problem and data."""
    environment = {
        "pinngate": pinngate.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "scipy": version("scipy"),
        "matplotlib": version("matplotlib"),
        "device": problem.solve.device,
        "threads": torch.get_num_threads(),
        "seed": problem.solve.seed,
        "problem_sha256": identity(folder),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
    }
    write_text(folder / "environment.json", json.dumps(environment, indent=2))


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an NPZ file."""
    with replacing(path) as part, part.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)


def write_history(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Write the logged rows; a figure that a row lacks is an empty cell."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}
    write_csv(path, columns)


def write_csv(path: Path, columns: Mapping[str, np.ndarray]) -> None:
    """Write columns of equal length; what is not finite is an empty cell."""
    with replacing(path) as part, part.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        num_rows = max((len(values) for values in columns.values()), default=0)
        for start in range(0, num_rows, BLOCK):
            block = [_cells(values[start : start + BLOCK]) for values in columns.values()]
            writer.writerows(zip(*block, strict=True))


def _cells(values: np.ndarray) -> list[str]:
    return [_cell(value) for value in values.tolist()]


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return value
    if not math.isfinite(value):
        return ""
    return str(int(value)) if float(value).is_integer() else repr(float(value))
