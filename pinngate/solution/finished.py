"""Come back to a run on disk: the solution as it was, and fields anywhere in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import nn

from pinngate import config
from pinngate.data.observations import read_points
from pinngate.optim.parts import OwnOptimizer
from pinngate.report.archive import read
from pinngate.runs import exports, files
from pinngate.runs.folder import load_session
from pinngate.runs.judgement import deviations
from pinngate.solution.solved import Solution


def load_solution(
    folder: str | Path,
    *,
    network: nn.Module | None = None,
    optimizer: OwnOptimizer | None = None,
) -> Solution:
    """Return the solution of a finished run; nothing is trained, and its numbers are the same.

    Args:
        folder: that `pinngate run`, `pinngate.run` or `Solution.save` has written.
        network: the caller's own module, where the run was made with one.
        optimizer: the same of an optimizer.

    Raises:
        InputError: the folder holds no finished run, or one of its files is damaged.

    Cost: that of making the data and the truth again; the posterior when it is asked for.
    """
    record = read(folder)
    session = load_session(record.folder, network=network, optimizer=optimizer)
    return Solution(session, record, record.folder)


def predict(folder: Path, points: np.ndarray) -> dict[str, np.ndarray]:
    """Evaluate a run at points (n, axes): each unknown and its ``<unknown>_std``."""
    session = load_session(folder)
    return session.evaluate(points) | deviations(session, session.stepper.posterior(), points)


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
