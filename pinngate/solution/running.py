"""A run on disk: solve a problem into a folder, continue it, evaluate it anywhere.

The folder is complete in itself: `problem.yaml` with every default written out and copies of
measured data, so that it can be run again, moved or sent to a colleague. Files are written beside
their place and moved there, `metrics.json` last but for the report: a folder without it is an
unfinished run, which `resume` continues.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from pinngate import config
from pinngate.data.observations import read_points
from pinngate.errors import InputError
from pinngate.expression.parser import NONE, Functions
from pinngate.runs import checkpoint
from pinngate.runs import exports as outputs
from pinngate.runs import files as artifacts
from pinngate.runs.judgement import deviations, judge
from pinngate.runs.training import Progress, Session, begin, train
from pinngate.statement.problem import Problem

OnProgress = Callable[[Progress], None]


@dataclass(frozen=True)
class Solution:
    """A finished run.

    Attributes:
        problem: with every default written out.
        metrics: the verdict, as in `metrics.json`.
        session: network, coefficients, data and truth.
        folder: where the run lies, or None.
    """

    problem: Problem
    metrics: dict[str, Any]
    session: Session
    folder: Path | None = None

    def __call__(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Return every unknown at the points: (n, axes) → name → (n,)."""
        return self.session.evaluate(np.asarray(points, dtype=float))


def default_folder(problem: Problem, root: Path = Path("results")) -> Path:
    """Return ``results/<name>/<stamp>``, a folder that does not exist yet."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    folder = root / problem.name / stamp
    for k in range(2, 1000):
        if not folder.exists():
            break
        folder = root / problem.name / f"{stamp}-{k}"
    return folder


def solve(
    problem: Problem, *, network: nn.Module | None = None, on_progress: OnProgress | None = None
) -> Solution:
    """Solve a problem in memory; nothing is written.

    Args:
        problem: the problem.
        network: a module of one's own from points (N, axes) to fields (N, unknowns), in place of
            the networks of `solve.network`; a copy is trained.
        on_progress: called at every logged iteration.

    Raises:
        InputError: the problem cannot be run as stated.
        SolveError: the computation failed.
    """
    started = time.perf_counter()
    session = begin(problem, network=network)
    setup = time.perf_counter() - started
    reason = train(session, on_progress=on_progress)
    judged = judge(session, reason, setup)
    return Solution(session.problem, judged.metrics, session)


def run(
    problem: Problem,
    folder: Path | None = None,
    *,
    network: nn.Module | None = None,
    on_progress: OnProgress | None = None,
    use_netcdf: bool = False,
) -> Solution:
    """Solve a problem and leave the files of a run in `folder`.

    Args:
        problem: the problem.
        folder: a new one; ``results/<name>/<stamp>`` by default.
        network: as in `solve`. It is not in the folder: `resume` and `predict` ask for it again.
        on_progress: called at every logged iteration.
        use_netcdf: whether to write ``solution.nc`` beside ``solution.npz``.

    Raises:
        InputError: the problem cannot be run as stated, or the folder cannot be used.
        SolveError: the computation failed; the checkpoint is kept.
        Interrupted: the user stopped it; the checkpoint is kept.
    """
    started = time.perf_counter()
    if use_netcdf:
        outputs.require_netcdf()
    session = begin(problem, network=network)
    folder = folder if folder is not None else default_folder(problem)
    artifacts.prepare(folder, session.problem)
    artifacts.write_environment(folder, session.problem)
    setup = time.perf_counter() - started
    solution = _continue(folder, session, setup, on_progress)
    if use_netcdf:
        with np.load(folder / "solution.npz") as arrays:
            axes = {axis: arrays[axis] for axis in problem.axes}
            fields = {name: arrays[name] for name in arrays.files if name not in axes}
        outputs.write_netcdf(folder / "solution.nc", problem, axes, fields)
    return solution


def resume(
    folder: Path,
    *,
    network: nn.Module | None = None,
    functions: Functions = NONE,
    max_memory: int | None = None,
    on_progress: OnProgress | None = None,
) -> Solution:
    """Continue an interrupted run; its numbers are bitwise those of an uninterrupted one.

    Args:
        folder: of the run.
        network: of the same class and size, where the run is one with a network of one's own; its
            weights come from the run.
        functions: of one's own that the problem calls.
        max_memory: bytes that the solver may use from now on. Where that changes the form of the
            solver, the numbers are those of the other form.
        on_progress: called at every logged iteration.

    Raises:
        InputError: the folder holds no run, or a finished one, or one with a network or functions
            of one's own that are not given.
    """
    started = time.perf_counter()
    artifacts.require_run(folder)
    if (folder / "metrics.json").exists():
        raise InputError(
            f"the run in {folder} is finished", hint="pinngate predict evaluates it anywhere"
        )
    problem = config.load(folder / "problem.yaml", functions=functions)
    if max_memory is not None:
        problem = replace(problem, solve=replace(problem.solve, max_memory=max_memory))
    session = begin(problem, network=network)
    if (folder / "checkpoint.pt").exists():
        session.load_state_dict(checkpoint.load(folder / "checkpoint.pt"))
    return _continue(folder, session, time.perf_counter() - started, on_progress)


def load(folder: Path, *, network: nn.Module | None = None, functions: Functions = NONE) -> Session:
    """Return the session of a run as it stood at its last checkpoint.

    Args:
        folder: of the run.
        network: as in `resume`.
        functions: as in `resume`.

    Raises:
        InputError: the folder holds no run, or one with a network or functions of one's own that
            are not given.
    """
    artifacts.require_run(folder)
    session = begin(config.load(folder / "problem.yaml", functions=functions), network=network)
    session.load_state_dict(checkpoint.load(folder / "checkpoint.pt"))
    session.stepper.finish()
    return session


def predict(
    folder: Path,
    points: np.ndarray,
    *,
    network: nn.Module | None = None,
    functions: Functions = NONE,
) -> dict[str, np.ndarray]:
    """Evaluate a run at points (n, axes): each unknown and its ``<unknown>_std``.

    `network` and `functions` as in `resume`.
    """
    points = np.asarray(points, dtype=float)
    session = load(folder, network=network, functions=functions)
    return session.evaluate(points) | deviations(session, session.stepper.posterior(), points)


def _continue(
    folder: Path, session: Session, setup: float, on_progress: OnProgress | None
) -> Solution:
    def keep(session: Session) -> None:
        checkpoint.save(folder / "checkpoint.pt", session.state_dict())

    try:
        reason = train(session, on_progress=on_progress, on_checkpoint=keep)
    finally:
        artifacts.write_history(folder / "history.csv", session.history)
    judged = judge(session, reason, setup)
    artifacts.write_csv(folder / "observations.csv", judged.observations)
    artifacts.write_arrays(folder / "solution.npz", judged.solution)
    verdict = json.dumps(judged.metrics, indent=2, allow_nan=False)
    artifacts.write_text(folder / "metrics.json", verdict)
    from pinngate.report import write as write_report

    write_report(folder, functions=session.problem.functions)
    return Solution(session.problem, judged.metrics, session, folder)


def predict_file(folder: Path, at: Path, out: Path) -> int:
    """Evaluate a run at the points of a file and write them; return the number of points.

    Args:
        folder: of the run.
        at: CSV or NPZ with a column for each axis.
        out: ends in .csv, .npz or .nc.

    Raises:
        InputError: the folder holds no run, the points cannot be read or the file not written.
    """
    outputs.check_suffix(out)
    artifacts.require_run(folder)
    problem = config.load(folder / "problem.yaml")
    points = read_points(at, problem)
    axes = {axis: points[:, k] for k, axis in enumerate(problem.axes)}
    outputs.write_fields(out, problem, axes, predict(folder, points))
    return len(points)


def predict_grid(folder: Path, grid: str, out: Path) -> int:
    """Evaluate a run on a grid such as ``x=0:1:200,t=0:1:100``; return the number of points.

    Raises:
        InputError: as `predict_file`, or the text is no grid.
    """
    outputs.check_suffix(out)
    artifacts.require_run(folder)
    problem = config.load(folder / "problem.yaml")
    made = outputs.parse_grid(grid, problem)
    fields = {name: made.spread(v) for name, v in predict(folder, made.points).items()}
    outputs.write_fields(out, problem, made.axes, fields)
    return len(made.points)
