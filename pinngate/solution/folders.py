"""Folders of runs: what a solution leaves behind, and the way back to it.

A folder is complete in itself: `problem.yaml` with every default written out and copies of measured
data, so that it can be run again, moved or sent to a colleague. Files are written beside their
place and moved there, `metrics.json` last but for the report: a folder without it is an unfinished
run, which `resume` continues.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import nn

from pinngate import config
from pinngate.data.observations import read_points
from pinngate.expression.parser import NONE, Functions
from pinngate.report import read, write
from pinngate.runs import checkpoint, exports, files
from pinngate.runs.folder import load_session
from pinngate.runs.judgement import Judged, deviations
from pinngate.solution.places import places
from pinngate.solution.solved import Solution
from pinngate.statement.problem import Problem


def write_results(folder: Path, problem: Problem, judged: Judged) -> None:
    """Write what a judgement found, and the report."""
    files.write_csv(folder / "observations.csv", judged.observations)
    files.write_arrays(folder / "solution.npz", judged.solution)
    verdict = json.dumps(judged.metrics, indent=2, allow_nan=False)
    files.write_text(folder / "metrics.json", verdict)
    write(folder, functions=problem.functions)


def save(solution: Solution, folder: Path) -> Path:
    """Write a solution that was made in memory as the folder of a run, and return the folder.

    Raises:
        InputError: the folder holds a run already or cannot be written.
    """
    files.prepare(folder, solution.problem)
    files.write_environment(folder, solution.problem)
    checkpoint.save(folder / "checkpoint.pt", solution.session.state_dict())
    files.write_history(folder / "history.csv", solution.session.history)
    write_results(folder, solution.problem, solution.judged)
    return folder


def load_solution(
    folder: Path | str, *, network: nn.Module | None = None, functions: Functions = NONE
) -> Solution:
    """Return the solution that a run has left; nothing is trained.

    Args:
        folder: of a finished run.
        network: of the class and size of the module that it was solved with, where the caller
            brought one; its weights come from the run.
        functions: of the caller's own that the problem calls.

    Raises:
        InputError: the folder holds no finished run, or what the caller brought along is missing.
    """
    folder = Path(folder)
    archive = read(folder, functions=functions)
    session = load_session(folder, network=network, functions=functions)
    judged = Judged(archive.metrics, archive.solution, archive.every_observation())
    return Solution(session.problem, session, judged, folder)


def predict(
    folder: Path | str,
    points: ArrayLike,
    *,
    network: nn.Module | None = None,
    functions: Functions = NONE,
) -> dict[str, NDArray[np.float64]]:
    """Evaluate a run at points (n, axes): each unknown and its ``<unknown>_std``.

    Args:
        folder: of the run.
        points: an array, or a data frame with a column for each axis.
        network: as of `load_solution`.
        functions: as of `load_solution`.

    Raises:
        InputError: as `load_solution`, or the points are not of the domain.
    """
    session = load_session(Path(folder), network=network, functions=functions)
    at = places(session.problem, points, {}).points
    return session.evaluate(at) | deviations(session, session.stepper.posterior(), at)


def predict_file(folder: Path, at: Path, out: Path) -> int:
    """Evaluate a run at the points of a file and write them; return the number of points.

    Args:
        folder: of the run.
        at: CSV or NPZ with a column for each axis.
        out: ends in .csv, .npz or .nc.

    Raises:
        InputError: the folder holds no run, the points cannot be read or the file not written.
    """
    exports.check_suffix(out)
    files.require_run(folder)
    problem = config.load(folder / "problem.yaml")
    points = read_points(at, problem)
    axes = {axis: points[:, k] for k, axis in enumerate(problem.axes)}
    exports.write_fields(out, problem, axes, predict(folder, points))
    return len(points)


def predict_grid(folder: Path, grid: str, out: Path) -> int:
    """Evaluate a run on a grid such as ``x=0:1:200,t=0:1:100``; return the number of points.

    Raises:
        InputError: as `predict_file`, or the text is no grid.
    """
    exports.check_suffix(out)
    files.require_run(folder)
    problem = config.load(folder / "problem.yaml")
    made = exports.parse_grid(grid, problem)
    fields = {name: made.spread(v) for name, v in predict(folder, made.points).items()}
    exports.write_fields(out, problem, made.axes, fields)
    return len(made.points)


__all__ = [
    "load_solution",
    "predict",
    "predict_file",
    "predict_grid",
    "save",
    "write_results",
]
