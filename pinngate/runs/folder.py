"""The folder of a run as a whole: begun, filled when the run is judged, and come back to.

Above `pinngate.runs.files`, which writes single files, and the session. `metrics.json` is written
last: a folder without it is an unfinished run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from pinngate import config
from pinngate.optim.parts import OwnOptimizer
from pinngate.runs import checkpoint, files
from pinngate.runs.training import Session, begin
from pinngate.statement.problem import Problem


def default_folder(problem: Problem, root: Path = Path("results")) -> Path:
    """Return ``results/<name>/<stamp>``, a folder that does not exist yet."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    folder = root / problem.name / stamp
    for k in range(2, 1000):
        if not folder.exists():
            break
        folder = root / problem.name / f"{stamp}-{k}"
    return folder


def open_folder(folder: Path, problem: Problem) -> None:
    """Make the folder of a new run: the problem, its data and where it runs.

    Raises:
        InputError: the folder holds a run already or cannot be written.
    """
    files.prepare(folder, problem)
    files.write_environment(folder, problem)


def save_checkpoint(folder: Path, session: Session) -> None:
    """Write ``checkpoint.pt``, from which the session goes on or gives its answer again."""
    checkpoint.save(folder / "checkpoint.pt", session.state_dict())


def write_verdict(
    folder: Path,
    metrics: Mapping[str, Any],
    solution: Mapping[str, np.ndarray],
    observations: Mapping[str, np.ndarray],
) -> None:
    """Write ``observations.csv``, ``solution.npz`` and, last, ``metrics.json``."""
    files.write_csv(folder / "observations.csv", observations)
    files.write_arrays(folder / "solution.npz", solution)
    verdict = json.dumps(metrics, indent=2, allow_nan=False)
    files.write_text(folder / "metrics.json", verdict)


def load_session(
    folder: Path, *, network: nn.Module | None = None, optimizer: OwnOptimizer | None = None
) -> Session:
    """Return the session of a run as it stood at its last checkpoint, the answer in place.

    Args:
        folder: of the run, finished or not.
        network: the caller's own module, where the run was made with one.
        optimizer: the same of an optimizer.

    Raises:
        InputError: the folder holds no run, or no checkpoint yet.
    """
    files.require_run(folder)
    problem = config.load(folder / "problem.yaml")
    session = begin(problem, network=network, optimizer=optimizer)
    session.load_state_dict(checkpoint.load(folder / "checkpoint.pt"))
    session.stepper.finish()
    return session
