"""Folders of runs: what a solution leaves behind, and the way back to it.

A folder is complete in itself: `problem.yaml` with every default written out and copies of measured
data, so that it can be run again, moved or sent to a colleague. Files are written beside their
place and moved there, `metrics.json` last but for the report: a folder without it is an unfinished
run, which `resume` continues.
"""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
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
from pinngate.runs.keeping import kept
from pinngate.runs.lock import locked
from pinngate.runs.signals import noted
from pinngate.solution.places import places
from pinngate.solution.solved import Solution
from pinngate.statement.problem import Problem
from pinngate.writing import write_text


def write_results(
    folder: Path, problem: Problem, judged: Judged, *, has_report: bool = True
) -> None:
    """Write what a judgement found, and the report where one is wanted."""
    files.write_csv(folder / "observations.csv", judged.observations)
    files.write_arrays(folder / "solution.npz", judged.solution)
    verdict = json.dumps(judged.metrics, indent=2, allow_nan=False)
    write_text(folder / "metrics.json", verdict)
    if has_report:
        write(folder, functions=problem.functions)


def save(solution: Solution, folder: Path) -> Path:
    """Write a solution that was made in memory as the folder of a run, and return the folder.

    Raises:
        InputError: the folder holds a run already or cannot be written.
        StorageError: the disk is full or the folder went.
    """
    files.make(folder)
    with kept(folder), locked(folder):
        files.prepare(folder, solution.problem)
        fill(solution, folder)
    return folder


def fill(solution: Solution, folder: Path, *, has_report: bool = True) -> None:
    """Write everything but the problem into a folder that has it and is held.

    Args:
        solution: to write.
        folder: of the run.
        has_report: whether figures and report are drawn.

    Raises:
        OSError: it cannot be written.
    """
    files.write_environment(folder, solution.problem)
    state = solution.session.state_dict()
    checkpoint.save(folder / "checkpoint.pt", state, files.identity(folder))
    files.write_history(folder / "history.csv", solution.session.history)
    write_results(folder, solution.problem, solution.judged, has_report=has_report)


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
    with _held(folder, out):
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
    with _held(folder, out):
        fields = {name: made.spread(v) for name, v in predict(folder, made.points).items()}
        exports.write_fields(out, problem, made.axes, fields)
    return len(made.points)


def _held(folder: Path, out: Path) -> AbstractContextManager[None]:
    """Hold the folder of a run where something is written into it."""
    is_inside = out.resolve().is_relative_to(folder.resolve())
    return locked(folder) if is_inside else nullcontext()


def draw_report(folder: Path | str, *, functions: Functions = NONE) -> Path:
    """Draw figures and page of a run anew, from its files, and return the path of the page.

    Args:
        folder: of a run that has been judged; its report may be missing.
        functions: of the caller's own that its problem calls.

    Raises:
        InputError: the folder holds no judged run, or another process is at work in it.
        StorageError: the page cannot be written; the one before stays.
    """
    folder = Path(folder)
    files.require_run(folder)
    with noted(is_waiting=False), kept(folder), locked(folder):
        return write(folder, functions=functions)


__all__ = [
    "draw_report",
    "fill",
    "load_solution",
    "predict",
    "predict_file",
    "predict_grid",
    "save",
    "write_results",
]
