"""Coming back to a run on disk: its session as it stood at the last checkpoint."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from pinngate import config
from pinngate.optim.own_optimizer import FinishedOptimizer
from pinngate.runs import checkpoint, files
from pinngate.runs.training import Session, begin
from pinngate.statement.options import OWN_OPTIMIZER


def load_session(folder: Path, network: nn.Module | None = None) -> Session:
    """Return the session of a run as it stood at its last checkpoint.

    Args:
        folder: of the run.
        network: the caller's own module that it was run with, where there was one.

    Raises:
        InputError: the folder holds no run.
    """
    files.require_run(folder)
    problem = config.load(folder / "problem.yaml")
    is_own = problem.solve.optimizer == OWN_OPTIMIZER
    session = begin(problem, network=network, optimizer=FinishedOptimizer if is_own else None)
    session.load_state_dict(checkpoint.load(folder / "checkpoint.pt"))
    session.stepper.finish()
    return session
